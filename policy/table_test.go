package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestZeroPolicy: everything is denied (RPC-6).
func TestZeroPolicy(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{})
	for _, procedure := range []string{"", "/", "/a.v1.A/Get", "/" + described + "/Get"} {
		if table.Lookup(procedure) != nil {
			t.Errorf("RPC-6: %q has a rule", procedure)
		}
	}
	if table.LookupService("") != nil || table.LookupService("a.v1.A") != nil {
		t.Error("RPC-6: a service has a rule")
	}
	if got := table.ScopesOf(func(string) bool { return true }); len(got) != 0 {
		t.Errorf("ScopesOf: got %q", got)
	}
	for service := range table.Services() {
		t.Errorf("Services: got %q", service)
	}
	if table.HasService(described) || table.IsDescribed(described) || table.HasMethod("/"+described+"/Get") {
		t.Error("it knows a service that the policy does not name")
	}
	for requirement := range table.Requirements() {
		t.Errorf("Requirements: got %+v", requirement)
	}
}

// TestLookup: the name of a service is not a procedure, and a procedure is not the
// name of a service.
func TestLookup(t *testing.T) {
	t.Parallel()
	table := compile(t, rules(policy.Rule{Public: true}, nil))
	for _, tt := range []struct {
		procedure string
		want      bool
	}{
		{"/a.v1.A/Get", true},
		{"/a.v1.A/Anything", true},
		{"/a.v1.A", false},
		{"a.v1.A", false},
		{"/a.v1.a/Get", false},
		{"/a.v1.AB/Get", false},
		{"/v1.A/Get", false},
		{"/a.v1.A/a.v1.A", false},
		{"/a.v1.A/Get/", false},
		{"/a.v1.A/Get?", false},
		{"//a.v1.A/Get", false},
		{"/a.v1.A/1Get", false},
		{"/a.v1.A/", false},
		{"/a.v1.A/" + strings.Repeat("x", 512-len("/a.v1.A/")), true},
		{"/a.v1.A/" + strings.Repeat("x", 513-len("/a.v1.A/")), false},
	} {
		if got := table.Lookup(tt.procedure) != nil; got != tt.want {
			t.Errorf("RPC-6: Lookup(%q): got %t, want %t", tt.procedure, got, tt.want)
		}
	}
	for service, want := range map[string]bool{"a.v1.A": true, "/a.v1.A/Get": false, "/a.v1.A": false, "a.v1.A/Get": false, "": false} {
		if got := table.LookupService(service) != nil; got != want {
			t.Errorf("RPC-6: LookupService(%q): got %t, want %t", service, got, want)
		}
	}
}

// TestLookupMalformed: no rule applies to a malformed procedure (RPC-5, RPC-6).
func TestLookupMalformed(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		"a.v1.A": {Rule: policy.Rule{Public: true}, Methods: map[string]policy.Rule{"Get": {Public: true}}, NoDescriptor: true},
		"A":      {Rule: policy.Rule{Public: true}, NoDescriptor: true},
	}})
	for _, v := range vectors.Read[struct {
		ID        string `json:"id"`
		Name      string `json:"name"`
		Procedure string `json:"procedure"`
		Pad       int    `json:"pad"`
		Service   string `json:"service"`
		Method    string `json:"method"`
	}](t, "../internal/rpc/testdata/procedures.json") {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			t.Parallel()
			procedure := v.Procedure + strings.Repeat("x", max(0, v.Pad-len(v.Procedure)))
			if v.Service == "" && table.Lookup(procedure) != nil {
				t.Error("RPC-6: a rule applies to it")
			}
			if v.Service == "a.v1.A" && table.Lookup(procedure) == nil {
				t.Error("RPC-5: no rule applies to it")
			}
		})
	}
}

// TestRequirements: one for each rule that is written, each once, and all that
// Lookup and LookupService return are among them.
func TestRequirements(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		"a.v1.A": {Rule: policy.Rule{Public: true}, NoDescriptor: true, Methods: map[string]policy.Rule{
			"Get": {Authenticated: true}, "Put": {Scopes: []string{"write"}}, "Locked": {},
		}},
		described: {Rule: policy.Rule{Authenticated: true}, Methods: map[string]policy.Rule{"Watch": {Public: true}}},
	}})
	all := slices.Collect(table.Requirements())
	seen := make(map[*policy.Requirement]bool)
	for _, requirement := range all {
		seen[requirement] = true
	}
	if len(all) != 5 || len(seen) != 5 {
		t.Errorf("got %d requirements, %d of them different, want 5", len(all), len(seen))
	}
	found := map[*policy.Requirement]bool{table.LookupService("a.v1.A"): true, table.LookupService(described): true}
	for _, procedure := range []string{
		"/a.v1.A/Get", "/a.v1.A/Put", "/a.v1.A/Other", "/a.v1.A/Another",
		"/" + described + "/Watch", "/" + described + "/Get", "/" + described + "/Put",
	} {
		found[table.Lookup(procedure)] = true
	}
	if len(found) != 5 {
		t.Errorf("found %d different requirements, want 5", len(found))
	}
	for requirement := range found {
		if !seen[requirement] {
			t.Errorf("%+v is not among Requirements", requirement)
		}
	}
	// A method that is described shares the rule of its service.
	if table.Lookup("/"+described+"/Get") != table.LookupService(described) {
		t.Error("Get has a rule of its own")
	}
	for range table.Requirements() {
		break // The iteration may end early.
	}
}

// TestServices: a service that is named is known, even if all its rules deny, and
// the names come sorted.
func TestServices(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		described: {Methods: map[string]policy.Rule{"Get": {}}},
		"b.v1.B":  {NoDescriptor: true, Methods: map[string]policy.Rule{"Locked": {}}},
		"a.v1.A":  {NoDescriptor: true, Rule: policy.Rule{Public: true}},
	}})
	if got, want := slices.Collect(table.Services()), []string{"a.v1.A", "b.v1.B", described}; !slices.Equal(got, want) {
		t.Errorf("Services: got %q, want %q", got, want)
	}
	for range table.Services() {
		break // The iteration may end early.
	}
	for _, tt := range []struct {
		service                 string
		hasService, isDescribed bool
	}{
		{"a.v1.A", true, false},
		{"b.v1.B", true, false},
		{described, true, true},
		{"c.v1.C", false, false},
		{"google.protobuf.StringValue", false, false},
		{"", false, false},
		{"/a.v1.A", false, false},
	} {
		if got := table.HasService(tt.service); got != tt.hasService {
			t.Errorf("HasService(%q): got %t", tt.service, got)
		}
		if got := table.IsDescribed(tt.service); got != tt.isDescribed {
			t.Errorf("IsDescribed(%q): got %t", tt.service, got)
		}
	}
}

// TestHasMethod: a method is known if the policy or a descriptor names it,
// whatever its rule. A rule without a descriptor, which applies to misspelled
// methods too, makes none known.
func TestHasMethod(t *testing.T) {
	t.Parallel()
	public := policy.Rule{Public: true}
	methods := map[string]policy.Rule{"Get": public, "Locked": {}}
	for _, tt := range []struct {
		name    string
		service string
		rules   policy.Service
		known   []string
		unknown []string
	}{
		{
			"no descriptor", elsewhere, policy.Service{NoDescriptor: true, Rule: public, Methods: methods},
			[]string{"Get", "Locked"}, []string{"Gett", "get", "", "Get/"},
		},
		{"descriptor with a rule", described, policy.Service{Rule: public}, []string{"Get", "Put", "Watch"}, []string{"Gett", ""}},
		{
			"descriptor with the rules of some methods", described, policy.Service{Methods: map[string]policy.Rule{"Get": public, "Put": {}}},
			[]string{"Get", "Put", "Watch"}, []string{"Gett", ""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := compile(t, policy.Policy{Services: map[string]policy.Service{tt.service: tt.rules}})
			for _, method := range tt.known {
				if !table.HasMethod("/" + tt.service + "/" + method) {
					t.Errorf("%q is unknown", method)
				}
			}
			for _, method := range tt.unknown {
				if table.HasMethod("/" + tt.service + "/" + method) {
					t.Errorf("%q is known", method)
				}
			}
			for _, procedure := range []string{"", tt.service + "/Get", "/" + tt.service, "/x" + tt.service + "/Get"} {
				if table.HasMethod(procedure) {
					t.Errorf("%q is known", procedure)
				}
			}
		})
	}
}

// TestManyServices: the rule of each of many services and methods is found, and
// no other (RPC-6).
func TestManyServices(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		for _, methods := range []int{1, 8, 9, 1000} {
			table, procedures := bigTable(t, methods, open)
			for _, procedure := range procedures {
				service, _, _ := strings.Cut(procedure[1:], "/")
				if requirement := table.Lookup(procedure); requirement == nil || requirement.Service() != service {
					t.Fatalf("%s: got %+v", procedure, requirement)
				}
				if table.Lookup(procedure+"/") != nil || table.Lookup("/x"+procedure) != nil || !open && table.Lookup(procedure+"x") != nil {
					t.Fatalf("RPC-6: a rule applies to more than %s", procedure)
				}
			}
		}
	}
}

// TestScopesOf: scopes_supported is derived from the rules of the services of a
// resource (MCP-6, R9728-2.b, R9728-2.d).
func TestScopesOf(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{
		Services: map[string]policy.Service{
			"b.v1.B": {Rule: policy.Rule{Scopes: []string{"z", "b"}}, NoDescriptor: true},
			"a.v1.A": {Rule: policy.Rule{AnyScopes: []string{"b", "y"}}, NoDescriptor: true, Methods: map[string]policy.Rule{
				"Get": {Scopes: []string{"a"}, AnyScopes: []string{"z"}}, "Put": {Authenticated: true}, "Pub": {Public: true}, "Locked": {},
			}},
			"c.v1.C":  {Rule: policy.Rule{Authenticated: true}, NoDescriptor: true},
			described: {Rule: policy.Rule{Scopes: []string{"d"}}, Methods: map[string]policy.Rule{"Put": {Scopes: []string{"e"}}}},
		},
		Implies: map[string][]string{"admin": {"a", "unused"}},
	})
	for _, tt := range []struct {
		name     string
		services []string
		want     []string
	}{
		{"R9728-2.d all of them", []string{"a.v1.A", "b.v1.B", "c.v1.C", described}, []string{"a", "b", "d", "e", "y", "z"}},
		{"R9728-2.d one", []string{"a.v1.A"}, []string{"a", "b", "y", "z"}},
		{"R9728-2.d another", []string{"b.v1.B"}, []string{"b", "z"}},
		{"R9728-2.d with a descriptor", []string{described}, []string{"d", "e"}},
		{"R9728-2.d two, each scope once", []string{"b.v1.B", "a.v1.A"}, []string{"a", "b", "y", "z"}},
		{"R9728-2.b without scopes", []string{"c.v1.C"}, nil},
		{"R9728-2.b unknown", []string{"d.v1.D"}, nil},
		{"R9728-2.b none", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := table.ScopesOf(func(name string) bool { return slices.Contains(tt.services, name) })
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestUnknownMethod: the rule of a service does not apply to methods that its
// descriptor does not have, such as a misspelled one (RPC-6).
func TestUnknownMethod(t *testing.T) {
	t.Parallel()
	rule := policy.Rule{Public: true}
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		described:   {Rule: rule},
		"a.v1.Open": {Rule: rule, NoDescriptor: true},
	}})
	for procedure, want := range map[string]bool{
		"/" + described + "/Get":  true,
		"/" + described + "/Gett": false,
		"/a.v1.Open/Anything":     true,
	} {
		if got := table.Lookup(procedure) != nil; got != want {
			t.Errorf("RPC-6: %s: got %t, want %t", procedure, got, want)
		}
	}
	if table.LookupService(described) == nil {
		t.Error("the service as a whole has no rule")
	}
}
