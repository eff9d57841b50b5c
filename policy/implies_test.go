package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestImplies: a broader scope satisfies a narrower one, never the other way
// round (MCP-5).
func TestImplies(t *testing.T) {
	t.Parallel()
	// root → admin → {write → read, audit → read}
	implies := map[string][]string{
		"root":  {"admin"},
		"admin": {"write", "audit"},
		"write": {"read"},
		"audit": {"read"},
	}
	for _, tt := range []struct {
		name    string
		rule    policy.Rule
		enough  []string
		lacking []string
	}{
		{
			name: "MCP-5 the narrowest", rule: policy.Rule{Scopes: []string{"read"}},
			enough: []string{"read", "write", "audit", "admin", "root"}, lacking: []string{"", "other"},
		},
		{
			name: "MCP-5 in the middle", rule: policy.Rule{Scopes: []string{"write"}},
			enough: []string{"write", "admin", "root"}, lacking: []string{"read", "audit", "read audit"},
		},
		{
			name: "MCP-5 the broadest", rule: policy.Rule{Scopes: []string{"root"}},
			enough: []string{"root"}, lacking: []string{"admin write audit read"},
		},
		{
			name: "MCP-5 all of several", rule: policy.Rule{Scopes: []string{"write", "audit"}},
			enough: []string{"write audit", "admin", "root"}, lacking: []string{"write", "audit", "write read"},
		},
		{
			name: "MCP-5 one of several", rule: policy.Rule{AnyScopes: []string{"write", "audit"}},
			enough: []string{"write", "audit", "root"}, lacking: []string{"read"},
		},
		{
			name: "a scope without relatives", rule: policy.Rule{Scopes: []string{"billing"}},
			enough: []string{"billing"}, lacking: []string{"root"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := rules(tt.rule, nil)
			p.Implies = implies
			table := compile(t, p)
			requirement := table.LookupService(elsewhere)
			checkGrants(t, requirement, tt.enough, tt.lacking)
			// Scopes that imply others are not asked for: a client should
			// request no more than it needs.
			want := slices.Concat(tt.rule.Scopes, tt.rule.AnyScopes[:min(1, len(tt.rule.AnyScopes))])
			if got := requirement.ChallengeScopes(); !slices.Equal(got, want) {
				t.Errorf("asks for %q, want %q", got, want)
			}
			if got := allScopes(table); slices.Contains(got, "root") && tt.name != "MCP-5 the broadest" {
				t.Errorf("ScopesOf: got %q", got)
			}
		})
	}
}

func TestImpliesCycles(t *testing.T) {
	t.Parallel()
	circle := func(scopes string) string {
		return fmt.Sprintf("policy: Implies: %q is a cycle of scopes that imply each other", scopes)
	}
	for _, tt := range []struct {
		name    string
		implies map[string][]string
		want    []string
	}{
		{"none: a diamond", map[string][]string{"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}, nil},
		{"two", map[string][]string{"b": {"a"}, "a": {"b"}}, []string{circle("a → b → a")}},
		{"three", map[string][]string{"c": {"a"}, "b": {"c"}, "a": {"b"}}, []string{circle("a → b → c → a")}},
		{"itself", map[string][]string{"a": {"a"}}, []string{`policy: Implies["a"]: "a" is listed twice`, circle("a → a")}},
		{
			"all of them", map[string][]string{
				"a": {"b"}, "b": {"a"},
				"c": {"d"}, "d": {"e"}, "e": {"c"},
				"x": {"a", "y"},
			},
			[]string{circle("a → b → a"), circle("c → d → e → c")},
		},
		{"two that share a scope", map[string][]string{"a": {"b", "c"}, "b": {"a"}, "c": {"a"}}, []string{circle("a → b → a"), circle("a → c → a")}},
		{"behind a way in", map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"b"}}, []string{circle("b → c → b")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// A rule may require a scope of the cycle.
			p := rules(policy.Rule{Scopes: []string{"a"}, AnyScopes: []string{"c", "b"}}, nil)
			p.Implies = tt.implies
			if got := faultsOf(t, p); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
