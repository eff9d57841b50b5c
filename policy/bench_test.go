package policy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestAllocations: a decision allocates nothing.
func TestAllocations(t *testing.T) {
	table := compile(t, rules(policy.Rule{Scopes: []string{"a"}}, map[string]policy.Rule{"Get": {AnyScopes: []string{"b", "c"}}, "Locked": {}, "Public": {Public: true}}))
	requirement, public := table.Lookup("/a.v1.A/Get"), table.Lookup("/a.v1.A/Public")
	ctx := t.Context()
	check := func(requirement *policy.Requirement, info *token.Info) func() {
		return func() { _ = requirement.Check(ctx, policy.Input{Info: info, Procedure: "/a.v1.A/Get"}) }
	}
	granted := []string{"x", "c"}
	for _, tt := range []struct {
		name string
		run  func()
	}{
		{"Lookup of a method", func() { table.Lookup("/a.v1.A/Get") }},
		{"Lookup of a method that is locked", func() { table.Lookup("/a.v1.A/Locked") }},
		{"Lookup by service", func() { table.Lookup("/a.v1.A/Put") }},
		{"Lookup of an unknown service", func() { table.Lookup("/b.v1.B/Get") }},
		{"Lookup of a malformed procedure", func() { table.Lookup("//a.v1.A/Get") }},
		{"LookupService", func() { table.LookupService("a.v1.A") }},
		{"Check, met", check(requirement, &token.Info{Scopes: granted})},
		{"Check, a scope is missing", check(requirement, &token.Info{Scopes: granted[:1]})},
		{"Check, no token", check(requirement, nil)},
		{"Check, public", check(public, nil)},
		{"JoinScopes, nothing to add", func() { requirement.JoinScopes(granted) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, tt.run); got != 0 {
				t.Errorf("got %v allocations, want none", got)
			}
		})
	}
}

// BenchmarkLookup goes through the procedures at random, so that caches of the
// processor help no more than they would in a server. Each table also has a
// service of the other kind.
func BenchmarkLookup(b *testing.B) {
	for _, open := range []bool{false, true} {
		for _, methods := range []int{1, 100, 10_000} {
			name := fmt.Sprintf("methods=%d", methods)
			if open {
				name = "open/" + name
			}
			table, procedures := bigTable(b, methods, open)
			order := rand.New(rand.NewPCG(1, 2)).Perm(1 << 16)
			for i := range order {
				order[i] %= len(procedures)
			}
			b.Run(name, func(b *testing.B) {
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
}

func BenchmarkLookupMiss(b *testing.B) {
	table, _ := bigTable(b, 10_000, false)
	b.ReportAllocs()
	for b.Loop() {
		if table.Lookup("/bench.v1.Service0/Nowhere") != nil {
			b.Fatal("a rule")
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	table, procedures := bigTable(b, 1, false)
	requirement := table.Lookup(procedures[0])
	input := policy.Input{Info: &token.Info{Scopes: []string{"other", "bench:Method0"}}, Procedure: procedures[0]}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if requirement.Check(ctx, input) != nil {
			b.Fatal("denied")
		}
	}
}

// bigTable has a rule for each of so many methods, 20 to a service, or, if open,
// a rule for each of their services.
func bigTable(tb testing.TB, methods int, open bool) (*policy.Table, []string) {
	tb.Helper()
	other := policy.Service{NoDescriptor: true, Rule: policy.Rule{Public: true}}
	if open {
		other = policy.Service{NoDescriptor: true, Methods: map[string]policy.Rule{"Get": {Public: true}}}
	}
	p := policy.Policy{Services: map[string]policy.Service{"bench.v1.Other": other}}
	var procedures []string
	for i := range methods {
		name := fmt.Sprintf("bench.v1.Service%d", i/20)
		method := fmt.Sprintf("Method%d", i)
		procedures = append(procedures, "/"+name+"/"+method)
		switch {
		case open:
			p.Services[name] = policy.Service{NoDescriptor: true, Rule: policy.Rule{Scopes: []string{"bench:" + name}}}
			continue
		case i%20 == 0:
			p.Services[name] = policy.Service{NoDescriptor: true, Methods: make(map[string]policy.Rule)}
		}
		p.Services[name].Methods[method] = policy.Rule{Scopes: []string{"bench:" + method}}
	}
	return compile(tb, p), procedures
}
