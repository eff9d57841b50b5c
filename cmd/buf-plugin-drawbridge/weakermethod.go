package main

import (
	"fmt"
	"strings"

	"buf.build/go/bufplugin/check"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// checkWeakerMethodHasReason reports each rule of a method that admits callers whom the
// rule of its service refuses, and says not why.
//
// It leaves out what checkPublicHasReason reports, and a service whose rule denies every
// caller, of which the rules of methods are all that there is. Other scopes than those of
// the service are another permission, not a weaker rule.
func checkWeakerMethodHasReason(w check.ResponseWriter, s *schema) {
	for _, service := range s.services {
		rules := s.rulesOf(service)
		before := rules.Rule
		if before.IsZero() || before.Denied || before.Public {
			continue
		}
		for _, method := range service.methods {
			after, ok := rules.Methods[string(method.descriptor.Name())]
			if !ok || after.Public || strings.TrimSpace(after.Reason) != "" || !s.isWeaker(before, after) {
				continue
			}
			path, _ := method.at("", "")
			method.report(w, path, fmt.Sprintf(
				"The rule of %s is weaker than that of its service: it requires %s, and that of the service %s. Write the reason into it, or require as much.",
				method.descriptor.FullName(), after, before))
		}
	}
}

// isWeaker reports whether after is looser than before, as a whole, in its scopes, or in
// what it requires besides. It reports false if one of them is faulty.
func (s *schema) isWeaker(before, after policy.Rule) bool {
	if whole := s.compare(before, after); whole != policy.Different {
		return whole == policy.Looser
	}
	rest := s.compare(withoutScopes(before), withoutScopes(after))
	return rest == policy.Looser || rest == policy.Different ||
		s.compare(scopesOf(before), scopesOf(after)) == policy.Looser
}

// scopesOf returns a rule that requires what r requires of scopes.
func scopesOf(r policy.Rule) policy.Rule {
	scopes := policy.Rule{Scopes: r.Scopes, AnyScopes: r.AnyScopes, AnyScopeSets: r.AnyScopeSets}
	scopes.Authenticated = scopes.IsZero()
	return scopes
}

// withoutScopes returns a rule that requires what r requires besides scopes.
func withoutScopes(r policy.Rule) policy.Rule {
	r.Scopes, r.AnyScopes, r.AnyScopeSets = nil, nil, nil
	r.Authenticated = true
	return r
}

// compare returns how after compares with before, and Same if one of them is faulty,
// which checkOptionsValid reports.
func (s *schema) compare(before, after policy.Rule) policy.Difference {
	difference, err := policy.CompareRules(before, after, s.implies)
	if err != nil {
		return policy.Same
	}
	return difference
}
