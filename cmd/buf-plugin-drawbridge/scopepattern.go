package main

import (
	"fmt"
	"regexp"

	"buf.build/go/bufplugin/check"
)

// isScope matches what is a scope at all (RFC 6749 §3.3). The compiler of package policy
// refuses everything else.
var isScope = regexp.MustCompile(`\A[\x21\x23-\x5b\x5d-\x7e]+\z`)

// checkScopePattern reports each scope of a rule or an implication that does not match
// the pattern.
func checkScopePattern(w check.ResponseWriter, s *schema) {
	for e := range s.elements() {
		report := func(scopes []string, address string, values ...any) {
			for i, scope := range scopes {
				if !isScope.MatchString(scope) || s.config.scope.MatchString(scope) {
					continue
				}
				path, _ := e.at(fmt.Sprintf(address+"[%d]", append(values, i)...), "")
				e.report(w, path, fmt.Sprintf("Scope %q does not match the pattern %q of the option %s.", scope, s.config.pattern, scopePatternOption))
			}
		}
		rule := e.rule()
		report(rule.GetScopes(), "rule.scopes")
		report(rule.GetAnyScopes(), "rule.any_scopes")
		for i, set := range rule.GetAnyScopeSets() {
			report(set.GetScopes(), "rule.any_scope_sets[%d].scopes", i)
		}
		for i, implication := range e.implies() {
			report([]string{implication.GetScope()}, "implies[%d].scope", i)
			report(implication.GetImplies(), "implies[%d].implies", i)
		}
	}
}
