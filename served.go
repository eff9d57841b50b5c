package drawbridge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/resource"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// serves reports whether clients reach a service through a resource, as far as
// the configuration says: it lists the service or, if it lists none, the
// procedures of the service are paths below its mount path. A service without a
// descriptor may have any path.
func serves(directory *resource.Directory, table *policy.Table, r *resource.Resource, service string) bool {
	switch {
	case len(r.Services()) > 0:
		return slices.Contains(r.Services(), service)
	case len(directory.Resources()) == 1 || !table.IsDescribed(service):
		return true
	default:
		return r.Covers("/" + service + "/")
	}
}

// checkServed adds a fault for each service whose requests would all be denied
// because no resource serves it, and for each service of a resource that is none
// of the policy.
func checkServed(directory *resource.Directory, table *policy.Table, faults *fault.List) {
	guarded := make(map[string]bool) // services that require a token
	for requirement := range table.Requirements() {
		if !requirement.Public() {
			guarded[requirement.Service()] = true
		}
	}
	for service := range table.Services() {
		isServed := slices.ContainsFunc(directory.Resources(), func(r *resource.Resource) bool {
			return serves(directory, table, r, service)
		})
		if guarded[service] && !isServed {
			faults.AddAt(table.SourceOf(service), fmt.Sprintf("Policy.Services[%q]", service), "", "is covered by no resource, so every call would be denied",
				`add it to Services of a resource, or set MountPath to "/" where a proxy strips the path of the identifier`)
		}
	}
	for _, r := range directory.Resources() {
		for i, service := range r.Services() {
			if !table.HasService(service) {
				faults.Add(fmt.Sprintf("%s.Services[%d]", r.Place(), i), service, "is not a service of the policy", "")
			}
		}
	}
}

// verifiable returns a resource as a verifier knows it.
func verifiable(at *resource.Address) *token.Resource {
	return &token.Resource{Identifier: at.Identifier, Issuers: at.Resource.Issuers()}
}

// checkVerifier adds a fault for each resource whose tokens the verifier cannot
// verify, as far as it says.
func checkVerifier(directory *resource.Directory, verifier token.Verifier, faults *fault.List) {
	if acceptor, ok := verifier.(token.IssuerAcceptor); ok {
		checkAccepted(directory, acceptor, faults)
	}
	checker, ok := verifier.(token.ResourceChecker)
	if !ok {
		return
	}
	seen := make(map[*resource.Resource]bool)
	for _, address := range directory.Addresses() {
		if seen[address.Resource] {
			continue // under an alias
		}
		seen[address.Resource] = true
		if err := checker.CheckResource(verifiable(address)); err != nil {
			faults.Add(address.Resource.Place(), address.Identifier, "is a resource whose tokens the Verifier cannot verify: "+err.Error(), "")
		}
	}
}

// checkAccepted adds a fault for each issuer of a resource whose tokens the
// verifier would refuse.
func checkAccepted(directory *resource.Directory, verifier token.IssuerAcceptor, faults *fault.List) {
	for _, r := range directory.Resources() {
		for i, issuer := range r.Issuers() {
			if verifier.AcceptsIssuer(issuer) {
				continue
			}
			reason := "is an issuer whose tokens the Verifier does not accept"
			sibling := issuer + "/"
			if trimmed, ok := strings.CutSuffix(issuer, "/"); ok {
				sibling = trimmed
			}
			if verifier.AcceptsIssuer(sibling) {
				reason += fmt.Sprintf("; it differs by a slash from %q, which the Verifier accepts", sibling)
			}
			faults.Add(fmt.Sprintf("%s.%s[%d]", r.Place(), r.IssuersField(), i), issuer, reason,
				"set Issuers of the resource to the iss values of its tokens, where an authorization server is advertised under another name")
		}
	}
}

// scopesOf returns the scopes_supported of a resource (RFC 9728 §2): those that
// the services require which it serves.
func (s *state) scopesOf(r *resource.Resource) []string {
	return s.table.ScopesOf(func(service string) bool { return serves(s.directory, s.table, r, service) })
}
