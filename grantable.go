package drawbridge

import (
	"fmt"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/resource"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// checkGrantable adds a fault for each rule that asks for what no token can have, as
// far as the verifier says.
func checkGrantable(directory *resource.Directory, table *policy.Table, verifier token.Verifier, faults *fault.List) {
	checker, ok := verifier.(token.FactsChecker)
	if !ok || isNil(verifier) {
		return
	}
	seen := make(map[fault.Fault]bool)
	add := func(f fault.Fault) {
		if !seen[f] { // The methods of a service may have copies of one rule.
			seen[f] = true
			faults.AddAt(f.Source, f.Place, f.Value, f.Reason, f.Remedy)
		}
	}
	for requirement := range table.Requirements() {
		issuers := issuersOf(directory, table, requirement.Service())
		if len(issuers) == 0 {
			continue // There is another fault.
		}
		place := fmt.Sprintf("Policy.Services[%q]", requirement.Service())
		canAny := func(can func(issuer string) bool) bool { return slices.ContainsFunc(issuers, can) }
		for _, scope := range requirement.UngrantableScopes(func(scope string) bool {
			return canAny(func(issuer string) bool { return checker.CanGrant(issuer, scope) })
		}) {
			add(fault.Fault{
				Source: requirement.Source(), Place: place, Value: scope,
				Reason: "is a scope that no token can have, so that every call would be denied: the mapping of its issuers drops it",
				Remedy: "let the verifier map a value of the tokens to it",
			})
		}
		for _, claim := range requirement.Claims() {
			if !canAny(func(issuer string) bool { return checker.KeepsClaim(issuer, claim) }) {
				add(fault.Fault{
					Source: requirement.Source(), Place: place, Value: claim,
					Reason: "is a claim that the verifier does not keep, so that every call would be denied",
					Remedy: "add it to the Claims of the Mapping of its issuer",
				})
			}
		}
	}
}

// issuersOf returns the issuers whose tokens open a service.
func issuersOf(directory *resource.Directory, table *policy.Table, service string) (issuers []string) {
	for _, r := range directory.Resources() {
		if serves(directory, table, r, service) {
			issuers = append(issuers, r.Issuers()...)
		}
	}
	return issuers
}
