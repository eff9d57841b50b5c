package policy

import (
	"fmt"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

// offlineAccess asks for a refresh token, which a resource does not require. It
// belongs in no challenge and in no metadata document (MCP authorization).
const offlineAccess = "offline_access"

// maxAlternatives bounds the lists that [Rule.AnyScopeSets] become: n sets of m scopes
// become m to the power of n lists.
const maxAlternatives = 256

// scopes compiles Scopes, AnyScopes and AnyScopeSets.
func (c *compiler) scopes(where string, rule Rule, requirement *Requirement) {
	c.checkScopes(where+".Scopes", rule.Scopes)
	c.checkScopes(where+".AnyScopes", rule.AnyScopes)
	requirement.scopes = slices.Concat(rule.Scopes, rule.AnyScopes)
	for _, scope := range rule.Scopes {
		requirement.all = append(requirement.all, c.hierarchy.satisfying(scope))
		requirement.ask = append(requirement.ask, scope)
	}
	if len(rule.AnyScopes) > 0 {
		requirement.all = append(requirement.all, c.hierarchy.satisfyingAny(rule.AnyScopes))
		requirement.askFor(rule.AnyScopes[0])
	}
	if len(rule.AnyScopeSets) == 0 {
		return
	}
	for i, set := range rule.AnyScopeSets {
		place := fmt.Sprintf("%s.AnyScopeSets[%d]", where, i)
		if len(set) == 0 {
			c.fault(place, "", "is empty, and would be met by every token", "remove it, or all the sets")
		}
		c.checkScopes(place, set)
		requirement.scopes = append(requirement.scopes, set...)
	}
	alternatives, ok := distribute(rule.AnyScopeSets)
	if !ok {
		c.fault(where+".AnyScopeSets", "", fmt.Sprintf("has too many scopes: the product of the sizes of its sets is over %d", maxAlternatives), "")
	}
	for _, anyOf := range alternatives {
		requirement.all = append(requirement.all, c.hierarchy.satisfyingAny(anyOf))
	}
	for _, scope := range rule.AnyScopeSets[0] {
		requirement.askFor(scope)
	}
}

// distribute returns lists of which each has to be met by one of its scopes, which
// together mean that one of the sets is met as a whole: (a and b) or c is the same as
// (a or c) and (b or c). It reports false if they are too many.
func distribute(sets [][]string) (lists [][]string, ok bool) {
	lists = [][]string{nil}
	for _, set := range sets {
		if len(lists)*len(set) > maxAlternatives {
			return nil, false
		}
		var longer [][]string
		for _, list := range lists {
			for _, scope := range set {
				longer = append(longer, append(slices.Clone(list), scope))
			}
		}
		lists = longer
	}
	return lists, true
}

func (r *Requirement) askFor(scope string) {
	if !slices.Contains(r.ask, scope) {
		r.ask = append(r.ask, scope)
	}
}

func (c *compiler) checkScopes(where string, scopes []string) {
	for i, scope := range scopes {
		switch {
		case scope == "":
			c.fault(where, "", "contains an empty scope", "")
		case !wwwauth.ValidScopeToken(scope):
			c.fault(where, scope, "is not a scope: RFC 6749 §3.3 allows visible ASCII without space, quote and backslash", "")
		case scope == offlineAccess:
			c.fault(where, scope, "asks for a refresh token and is not a scope of a resource", "")
		case slices.Contains(scopes[:i], scope):
			c.fault(where, scope, "is listed twice", "")
		}
	}
}
