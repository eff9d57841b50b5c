package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestRule checks each rule against several grants. Letters are scopes; "denied"
// means that there is no requirement at all.
func TestRule(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		rule    policy.Rule
		denied  bool
		public  bool
		ask     string
		enough  []string
		lacking []string
	}{
		{name: "RPC-6 zero denies", denied: true},
		{name: "RPC-6 empty lists deny", rule: policy.Rule{Scopes: []string{}, AnyScopes: []string{}}, denied: true},
		{name: "public", rule: policy.Rule{Public: true}, public: true, enough: []string{"", "a"}},
		{name: "authenticated", rule: policy.Rule{Authenticated: true}, enough: []string{"", "a"}},
		{
			name: "MCP-4 all of Scopes", rule: policy.Rule{Scopes: []string{"b", "a"}}, ask: "b a",
			enough: []string{"a b", "b a", "x a y b"}, lacking: []string{"", "a", "b", "x", "A B", "ab"},
		},
		{
			name: "one of AnyScopes", rule: policy.Rule{AnyScopes: []string{"b", "a"}}, ask: "b",
			enough: []string{"a", "b", "a b", "x a"}, lacking: []string{"", "x", "B"},
		},
		{
			name: "MCP-4 one of AnyScopes where there is only one", rule: policy.Rule{AnyScopes: []string{"a"}}, ask: "a",
			enough: []string{"a", "b a"}, lacking: []string{"", "b"},
		},
		{
			name: "MCP-4 all of Scopes where there is only one", rule: policy.Rule{Scopes: []string{"a"}}, ask: "a",
			enough: []string{"a", "b a"}, lacking: []string{"", "b"},
		},
		{
			name: "MCP-4 all of Scopes and one of AnyScopes", rule: policy.Rule{Scopes: []string{"c", "d"}, AnyScopes: []string{"b", "a"}}, ask: "c d b",
			enough: []string{"c d a", "b c d"}, lacking: []string{"", "a", "c d", "a b", "c a", "d b"},
		},
		{
			name: "the first of AnyScopes is asked for once", rule: policy.Rule{Scopes: []string{"a"}, AnyScopes: []string{"a", "b"}}, ask: "a",
			enough: []string{"a", "a b"}, lacking: []string{"b"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The rule may stand with the service or with the method.
			general := compile(t, rules(tt.rule, map[string]policy.Rule{"Other": {Public: true}})).Lookup("/a.v1.A/Get")
			special := compile(t, rules(policy.Rule{}, map[string]policy.Rule{"Get": tt.rule})).Lookup("/a.v1.A/Get")
			for _, requirement := range []*policy.Requirement{general, special} {
				if tt.denied || requirement == nil {
					if got := requirement == nil; got != tt.denied {
						t.Errorf("denied: got %t", got)
					}
					continue
				}
				if requirement.Public() != tt.public || requirement.Service() != elsewhere {
					t.Errorf("got public %t, service %q", requirement.Public(), requirement.Service())
				}
				if got := strings.Join(requirement.ChallengeScopes(), " "); got != tt.ask {
					t.Errorf("asks for %q, want %q", got, tt.ask)
				}
				checkGrants(t, requirement, tt.enough, tt.lacking)
			}
		})
	}
}

func checkGrants(t *testing.T, requirement *policy.Requirement, enough, lacking []string) {
	t.Helper()
	for _, granted := range enough {
		if !satisfied(requirement, strings.Fields(granted)) {
			t.Errorf("%q does not suffice", granted)
		}
	}
	for _, granted := range lacking {
		if satisfied(requirement, strings.Fields(granted)) {
			t.Errorf("%q suffices", granted)
		}
	}
}

// satisfied reports whether a token with the granted scopes meets a requirement.
func satisfied(requirement *policy.Requirement, granted []string) bool {
	return requirement.Check(context.Background(), policy.Input{Info: &token.Info{Scopes: granted}}) == nil
}

// TestMethodReplacesService: the rule of a method replaces that of its service,
// even where it is stricter, and does not apply to HTTP handlers.
func TestMethodReplacesService(t *testing.T) {
	t.Parallel()
	table := compile(t, rules(policy.Rule{Public: true}, map[string]policy.Rule{
		"Write":  {Scopes: []string{"write"}},
		"Locked": {},
	}))
	if r := table.Lookup("/a.v1.A/Read"); r == nil || !r.Public() {
		t.Errorf("Read: got %+v, want the rule of the service", r)
	}
	if r := table.Lookup("/a.v1.A/Write"); r == nil || r.Public() || !slices.Equal(r.ChallengeScopes(), []string{"write"}) {
		t.Errorf("Write: got %+v, want its own rule", r)
	}
	if r := table.Lookup("/a.v1.A/Locked"); r != nil {
		t.Errorf("RPC-6: Locked: got %+v, want none, though the service is public", r)
	}
	if r := table.LookupService("a.v1.A"); r != table.Lookup("/a.v1.A/Read") {
		t.Errorf("LookupService: got %+v, want the rule of the service", r)
	}
}

// TestMethodsAlone: rules of methods apply neither to the rest of the service nor
// to the service as a whole.
func TestMethodsAlone(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{Services: map[string]policy.Service{
		described: {Methods: map[string]policy.Rule{"Get": {Public: true}}},
	}})
	if table.Lookup("/"+described+"/Get") == nil {
		t.Error("Get has no rule")
	}
	for _, method := range []string{"Watch", "Nowhere", ""} {
		if table.Lookup("/"+described+"/"+method) != nil {
			t.Errorf("RPC-6: %q has a rule", method)
		}
	}
	if table.LookupService(described) != nil {
		t.Error("RPC-6: the service has a rule")
	}
}

// TestMutation: a Policy may be changed after Compile (doc of Policy).
func TestMutation(t *testing.T) {
	t.Parallel()
	scopes, anyOf := []string{"a"}, []string{"b", "c"}
	broader, classes, actors := []string{"a", "b"}, []string{"gold"}, []policy.Actor{{Subject: "bot"}}
	methods := map[string]policy.Rule{"Get": {Scopes: scopes, AnyScopes: anyOf}, "Pay": {ACRValues: classes, Actors: actors}}
	p := rules(policy.Rule{Scopes: scopes}, methods)
	p.Implies = map[string][]string{"admin": broader}
	table := compile(t, p)

	scopes[0], anyOf[0], anyOf[1], broader[0], broader[1] = "x", "x", "x", "x", "x"
	classes[0], actors[0].Subject = "x", "x"
	methods["Get"] = policy.Rule{Public: true}
	methods["Put"] = policy.Rule{Public: true}
	delete(p.Implies, "admin")
	p.Services["b.v1.B"] = policy.Service{Rule: policy.Rule{Public: true}}
	delete(p.Services, elsewhere)

	get := table.Lookup("/a.v1.A/Get")
	if get == nil || !slices.Equal(get.ChallengeScopes(), []string{"a", "b"}) {
		t.Fatalf("Get: got %+v", get)
	}
	checkGrants(t, get, []string{"a b", "a c", "admin"}, []string{"x", "a", "b c"})
	pay := &token.Info{ACR: "gold", Actor: &token.Actor{Subject: "bot"}}
	if err := table.Lookup("/a.v1.A/Pay").Check(t.Context(), policy.Input{Info: pay}); err != nil {
		t.Errorf("Pay: got %v", err)
	}
	if put := table.Lookup("/a.v1.A/Put"); put == nil || put.Public() {
		t.Errorf("Put: got %+v, want the rule of the service", put)
	}
	if table.LookupService("b.v1.B") != nil {
		t.Error("a service was added to the table")
	}
	got := allScopes(table)
	got[0] = "x"
	if got := allScopes(table); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("ScopesOf: got %q", got)
	}
}

func TestRuleIsZero(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule policy.Rule
		want bool
	}{
		{policy.Rule{}, true},
		{policy.Rule{Scopes: []string{}}, true},
		{policy.Rule{Public: true}, false},
		{policy.Rule{Authenticated: true}, false},
		{policy.Rule{Scopes: []string{"a"}}, false},
		{policy.Rule{AnyScopes: []string{"a"}}, false},
		{policy.Rule{ACRValues: []string{}, Actors: []policy.Actor{}}, true},
		{policy.Rule{ACRValues: []string{"gold"}}, false},
		{policy.Rule{MaxAge: time.Second}, false},
		{policy.Rule{MaxAge: -time.Second}, false},
		{policy.Rule{Party: token.PartyUser}, false},
		{policy.Rule{Actors: []policy.Actor{{Subject: "a"}}}, false},
		{policy.Rule{NoActor: true}, false},
	} {
		if got := tt.rule.IsZero(); got != tt.want {
			t.Errorf("%+v: got %t, want %t", tt.rule, got, tt.want)
		}
	}
}
