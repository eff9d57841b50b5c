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
	if got := table.Scopes(); len(got) != 0 {
		t.Errorf("Scopes: got %q", got)
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

// TestHasService: a service that is named is known, even if all its rules deny.
func TestHasService(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		"a.v1.A": {NoDescriptor: true, Rule: policy.Rule{Public: true}},
		"b.v1.B": {NoDescriptor: true, Methods: map[string]policy.Rule{"Locked": {}}},
	}})
	for service, want := range map[string]bool{"a.v1.A": true, "b.v1.B": true, "c.v1.C": false, "": false, "/a.v1.A": false} {
		if got := table.HasService(service); got != want {
			t.Errorf("%q: got %t, want %t", service, got, want)
		}
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

// TestScopes: scopes_supported is derived from the rules (MCP-6, R9728-2.b).
func TestScopes(t *testing.T) {
	t.Parallel()
	p := policy.Policy{
		Services: map[string]policy.Service{
			"b.v1.B": {Rule: policy.Rule{Scopes: []string{"z", "b"}}, NoDescriptor: true},
			"a.v1.A": {Rule: policy.Rule{AnyScopes: []string{"b", "y"}}, NoDescriptor: true, Methods: map[string]policy.Rule{
				"Get": {Scopes: []string{"a"}, AnyScopes: []string{"z"}}, "Put": {Authenticated: true}, "Pub": {Public: true}, "Locked": {},
			}},
		},
		Implies: map[string][]string{"admin": {"a", "unused"}},
	}
	if got, want := compile(t, p).Scopes(), []string{"a", "b", "y", "z"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
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
