package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestZeroPolicy: everything is denied (RPC-6).
func TestZeroPolicy(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{})
	for _, procedure := range []string{"", "/", "/a.v1.A/Get", rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)} {
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
	if table.Len() != 0 {
		t.Errorf("Len: got %d", table.Len())
	}
}

// TestLookup: a service name is no procedure, and a procedure no service name.
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

// TestIndex: indexes go from 0 to Len()-1, one for each rule that is written.
func TestIndex(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		"a.v1.A": {Rule: policy.Rule{Public: true}, Undescribed: true, Methods: map[string]policy.Rule{
			"Get": {Authenticated: true}, "Put": {Scopes: []string{"write"}}, "Locked": {},
		}},
		rpctest.GuardedService: {Rule: policy.Rule{Authenticated: true}, Methods: map[string]policy.Rule{rpctest.Bidi: {Public: true}}},
	}})
	var indexes []int
	for _, procedure := range []string{
		"/a.v1.A/Get", "/a.v1.A/Put", "/a.v1.A/Other", "/a.v1.A/Another",
		rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi),
		rpctest.Procedure(rpctest.GuardedService, rpctest.Unary),
		rpctest.Procedure(rpctest.GuardedService, rpctest.Client),
	} {
		indexes = append(indexes, table.Lookup(procedure).Index())
	}
	slices.Sort(indexes)
	if indexes = slices.Compact(indexes); !slices.Equal(indexes, []int{0, 1, 2, 3, 4}) || table.Len() != 5 {
		t.Errorf("got indexes %d of %d", indexes, table.Len())
	}
	// A method that is described shares the rule of its service.
	if table.Lookup(rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)) != table.LookupService(rpctest.GuardedService) {
		t.Error("Unary has a rule of its own")
	}
}

// TestScopes: scopes_supported is derived from the rules (MCP-6, R9728-2.b).
func TestScopes(t *testing.T) {
	t.Parallel()
	p := policy.Policy{
		Services: map[string]policy.Service{
			"b.v1.B": {Rule: policy.Rule{Scopes: []string{"z", "b"}}, Undescribed: true},
			"a.v1.A": {Rule: policy.Rule{AnyScopes: []string{"b", "y"}}, Undescribed: true, Methods: map[string]policy.Rule{
				"Get": {Scopes: []string{"a"}, AnyScopes: []string{"z"}}, "Put": {Authenticated: true}, "Pub": {Public: true}, "Locked": {},
			}},
		},
		Implies: map[string][]string{"admin": {"a", "unasked"}},
	}
	if got, want := compile(t, p).Scopes(), []string{"a", "b", "y", "z"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestJoin: what a token needs for two rules at once, each scope once, and no
// more than that where one of them is enough for both (MCP-4, MCP-5).
func TestJoin(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{
		Services: map[string]policy.Service{"a.v1.A": {Undescribed: true, Methods: map[string]policy.Rule{
			"Public":        {Public: true},
			"Authenticated": {Authenticated: true},
			"Read":          {Scopes: []string{"read"}},
			"Both":          {Scopes: []string{"read", "write"}},
			"Any":           {AnyScopes: []string{"narrow", "wide"}},
			"BothAndAny":    {Scopes: []string{"read"}, AnyScopes: []string{"narrow", "wide"}},
		}}},
		Implies: map[string][]string{"admin": {"write"}, "write": {"read"}},
	})
	for _, tt := range []struct {
		name, method string
		scopes, want []string
	}{
		{"MCP-4 nothing to add", "Public", []string{"x"}, []string{"x"}},
		{"MCP-4 any token will do", "Authenticated", nil, nil},
		{"MCP-4 another scope", "Read", []string{"x"}, []string{"x", "read"}},
		{"MCP-4 no scope yet", "Read", nil, []string{"read"}},
		{"MCP-4 the same scope", "Read", []string{"read"}, []string{"read"}},
		{"MCP-4 one of two is there", "Both", []string{"x", "read"}, []string{"x", "read", "write"}},
		{"MCP-5 a broader one is there", "Read", []string{"admin"}, []string{"admin"}},
		{"MCP-5 a broader one for both", "Both", []string{"write"}, []string{"write"}},
		{"MCP-4 of those of which one suffices, the first", "Any", []string{"x"}, []string{"x", "narrow"}},
		{"MCP-4 one that suffices is there", "Any", []string{"wide"}, []string{"wide"}},
		{"MCP-4 both kinds", "BothAndAny", []string{"x"}, []string{"x", "read", "narrow"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requirement := table.Lookup("/a.v1.A/" + tt.method)
			before, ask := slices.Clone(tt.scopes), slices.Clone(requirement.Ask())
			given := append(slices.Clip(tt.scopes), make([]string, 2)...)[:len(tt.scopes)]
			got := requirement.Join(given)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if !requirement.Satisfied(got) {
				t.Errorf("%q does not meet the rule", got)
			}
			// Neither side is written to, not even where it has room.
			if spare := given[:len(given)+2]; spare[len(given)] != "" || !slices.Equal(given, before) || !slices.Equal(requirement.Ask(), ask) {
				t.Errorf("%q and %q were changed to %q and %q", before, ask, spare, requirement.Ask())
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	table := compile(t, rules(policy.Rule{Scopes: []string{"a"}}, map[string]policy.Rule{"Get": {AnyScopes: []string{"b", "c"}}, "Locked": {}}))
	requirement, granted := table.Lookup("/a.v1.A/Get"), []string{"x", "c"}
	for _, tt := range []struct {
		name string
		run  func()
	}{
		{"Lookup of a method", func() { table.Lookup("/a.v1.A/Get") }},
		{"Lookup of a method that is locked", func() { table.Lookup("/a.v1.A/Locked") }},
		{"Lookup by service", func() { table.Lookup("/a.v1.A/Put") }},
		{"Lookup of an unknown service", func() { table.Lookup("/b.v1.B/Get") }},
		{"Lookup of what is malformed", func() { table.Lookup("//a.v1.A/Get") }},
		{"LookupService", func() { table.LookupService("a.v1.A") }},
		{"Satisfied", func() { requirement.Satisfied(granted) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, tt.run); got != 0 {
				t.Errorf("got %v allocations, want none", got)
			}
		})
	}
}

// BenchmarkLookup goes through the procedures at random, so that caches of the
// processor help no more than they would in a server.
func BenchmarkLookup(b *testing.B) {
	for _, methods := range []int{1, 100, 10_000} {
		table, procedures := bigTable(b, methods)
		order := rand.New(rand.NewPCG(1, 2)).Perm(1 << 16)
		for i := range order {
			order[i] %= len(procedures)
		}
		b.Run(fmt.Sprintf("methods=%d", methods), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if table.Lookup(procedures[order[i&(1<<16-1)]]) == nil {
					b.Fatal("no rule")
				}
				i++
			}
		})
	}
}

func BenchmarkLookupMiss(b *testing.B) {
	table, _ := bigTable(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if table.Lookup("/bench.v1.Service0/Nowhere") != nil {
			b.Fatal("a rule")
		}
	}
}

// bigTable has a rule for each of so many methods, 20 to a service.
func bigTable(b *testing.B, methods int) (*policy.Table, []string) {
	b.Helper()
	p := policy.Policy{Services: make(map[string]policy.Service)}
	var procedures []string
	for i := range methods {
		name := fmt.Sprintf("bench.v1.Service%d", i/20)
		if i%20 == 0 {
			p.Services[name] = policy.Service{Undescribed: true, Methods: make(map[string]policy.Rule)}
		}
		method := fmt.Sprintf("Method%d", i)
		p.Services[name].Methods[method] = policy.Rule{Scopes: []string{"bench:" + method}}
		procedures = append(procedures, "/"+name+"/"+method)
	}
	return compile(b, p), procedures
}

// TestUnknownMethod: the rule of a service is not one for methods that its
// descriptor does not know, such as a misspelt one (RPC-6).
func TestUnknownMethod(t *testing.T) {
	t.Parallel()
	rule := policy.Rule{Public: true}
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		rpctest.GuardedService: {Rule: rule},
		"a.v1.Undescribed":     {Rule: rule, Undescribed: true},
	}})
	for procedure, want := range map[string]bool{
		"/" + rpctest.GuardedService + "/Unary": true,
		"/" + rpctest.GuardedService + "/Unari": false,
		"/a.v1.Undescribed/Anything":            true,
	} {
		if got := table.Lookup(procedure) != nil; got != want {
			t.Errorf("RPC-6: %s: got %t, want %t", procedure, got, want)
		}
	}
	if table.LookupService(rpctest.GuardedService) == nil {
		t.Error("the service as a whole has no rule")
	}
}
