package policy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestAllocations: a decision allocates nothing.
func TestAllocations(t *testing.T) {
	pay := policy.Rule{ACRValues: []string{"gold"}, MaxAge: time.Hour, Party: token.PartyUser, Actors: []policy.Actor{{Subject: "bot"}}}
	table := compile(t, rules(policy.Rule{Scopes: []string{"a"}}, map[string]policy.Rule{"Get": {AnyScopes: []string{"b", "c"}}, "Locked": {}, "Public": {Public: true}, "Pay": pay}))
	requirement, public, strict := table.Lookup("/a.v1.A/Get"), table.Lookup("/a.v1.A/Public"), table.Lookup("/a.v1.A/Pay")
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
		{"Check, authentication and actor", check(strict, user("gold", time.Now()))},
		{"Check, an authentication is missing", check(strict, user("silver", time.Now()))},
		{"JoinAuthentication, nothing to add", func() { requirement.JoinAuthentication(nil, nil) }},
		{"JoinScopes, nothing to add", func() { requirement.JoinScopes(granted) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, tt.run); got != 0 {
				t.Errorf("got %v allocations, want none", got)
			}
		})
	}
}

// user is the token of a user for whom a bot acts.
func user(acr string, authTime time.Time) *token.Info {
	return &token.Info{Party: token.PartyUser, ACR: acr, AuthTime: authTime, Actor: &token.Actor{Subject: "bot"}}
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

// BenchmarkCheck is a rule with scopes alone, and one with all there is.
func BenchmarkCheck(b *testing.B) {
	info := user("gold", time.Now())
	info.Scopes = []string{"other", "bench:Method0"}
	rule := policy.Rule{Scopes: info.Scopes[1:]}
	run := func(name string, rule policy.Rule) {
		requirement, ctx := compile(b, rules(rule, nil)).LookupService(elsewhere), b.Context()
		input := policy.Input{Info: info, Procedure: "/a.v1.A/Get"}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if requirement.Check(ctx, input) != nil {
					b.Fatal("denied")
				}
			}
		})
	}
	run("scopes", rule)
	rule.Party, rule.Actors = token.PartyUser, []policy.Actor{{Subject: "bot"}}
	run("scopes and actor", rule)
	rule.ACRValues, rule.MaxAge = []string{"gold"}, time.Hour
	run("scopes, actor and authentication", rule)
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
