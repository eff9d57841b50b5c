package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestAnyScopeSets compares rules with what they say, for every set of granted scopes.
func TestAnyScopeSets(t *testing.T) {
	t.Parallel()
	all := []string{"a", "b", "c", "d", "e", "admin"}
	for _, tt := range []struct {
		rule policy.Rule
		ask  string
		met  func(has func(string) bool) bool
	}{
		{
			policy.Rule{AnyScopeSets: [][]string{{"a", "b"}, {"c"}}}, "a b",
			func(has func(string) bool) bool { return has("a") && has("b") || has("c") || has("admin") },
		},
		{
			policy.Rule{Scopes: []string{"e"}, AnyScopeSets: [][]string{{"a", "b"}, {"c", "d"}}}, "e a b",
			func(has func(string) bool) bool {
				return has("e") && (has("a") && has("b") || (has("c") || has("admin")) && has("d"))
			},
		},
		{
			policy.Rule{AnyScopes: []string{"a", "b"}, AnyScopeSets: [][]string{{"a", "e"}, {"d"}}}, "a e",
			func(has func(string) bool) bool { return (has("a") || has("b")) && (has("a") && has("e") || has("d")) },
		},
	} {
		p := rules(tt.rule, nil)
		p.Implies = map[string][]string{"admin": {"c"}}
		requirement := compile(t, p).Lookup("/a.v1.A/Get")
		if got := strings.Join(requirement.ChallengeScopes(), " "); got != tt.ask {
			t.Errorf("%s: asks for %q, want %q", tt.rule, got, tt.ask)
		}
		for bits := range 1 << len(all) {
			var granted []string
			for i, scope := range all {
				if bits>>i&1 == 1 {
					granted = append(granted, scope)
				}
			}
			got := requirement.Check(t.Context(), policy.Input{Info: &token.Info{Scopes: granted}}) == nil
			if want := tt.met(func(scope string) bool { return slices.Contains(granted, scope) }); got != want {
				t.Errorf("%s with %q: got %v, want %v", tt.rule, granted, got, want)
			}
		}
	}
}

// TestScopesOfSets: what a client may need is advertised.
func TestScopesOfSets(t *testing.T) {
	t.Parallel()
	table := compile(t, rules(policy.Rule{Scopes: []string{"e"}, AnyScopeSets: [][]string{{"a", "b"}, {"c"}}}, nil))
	if got := allScopes(table); !slices.Equal(got, []string{"a", "b", "c", "e"}) {
		t.Errorf("got %q", got)
	}
}

// TestTooManySets: the lists that sets become are bounded.
func TestTooManySets(t *testing.T) {
	t.Parallel()
	sets := func(n int) (sets [][]string) {
		for i := range n {
			sets = append(sets, []string{fmt.Sprint("a", i), fmt.Sprint("b", i)})
		}
		return sets
	}
	compile(t, rules(policy.Rule{AnyScopeSets: sets(8)}, nil))
	got := faultsOf(t, rules(policy.Rule{AnyScopeSets: sets(9)}, nil))
	const want = `policy: Services["a.v1.A"].Rule.AnyScopeSets: has too many scopes: the product of the sizes of its sets is over 256`
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %q", got)
	}
}

// TestUngrantableScopes: a scope counts as granted through those that imply it.
func TestUngrantableScopes(t *testing.T) {
	t.Parallel()
	p := rules(policy.Rule{Scopes: []string{"read", "lost"}, AnyScopes: []string{"x", "y"}}, nil)
	p.Implies = map[string][]string{"write": {"read"}}
	requirement := compile(t, p).Lookup("/a.v1.A/Get")
	grants := func(scopes ...string) func(string) bool {
		return func(scope string) bool { return slices.Contains(scopes, scope) }
	}
	if got := requirement.UngrantableScopes(grants("write", "y")); !slices.Equal(got, []string{"lost"}) {
		t.Errorf("got %q", got)
	}
	if got := requirement.UngrantableScopes(grants("write", "y", "lost")); got != nil {
		t.Errorf("got %q", got)
	}
}
