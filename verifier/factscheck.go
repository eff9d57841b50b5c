package verifier

import (
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/token"
)

var _ token.FactsChecker = (*Verifier)(nil)

// CanGrant reports whether the [Mapping] of an issuer, or of a pattern of issuers, can
// give a token a scope. It implements [token.FactsChecker].
func (v *Verifier) CanGrant(issuer, scope string) bool {
	return slices.ContainsFunc(v.front.router.mappingsOf(issuer), func(m *Mapping) bool { return m.canGrant(scope) })
}

// KeepsClaim reports whether the [Mapping] of an issuer, or of a pattern of issuers,
// keeps a claim. It implements [token.FactsChecker].
func (v *Verifier) KeepsClaim(issuer, claim string) bool {
	return slices.ContainsFunc(v.front.router.mappingsOf(issuer), func(m *Mapping) bool { return slices.Contains(m.Claims, claim) })
}

// mappingsOf returns the mappings of an issuer, which may have both JWTs and opaque
// tokens, or of a pattern of issuers.
func (r *router) mappingsOf(name string) (mappings []*Mapping) {
	for _, i := range r.issuers {
		if i.claims.issuer == name {
			mappings = append(mappings, i.claims.mapping)
		}
	}
	for _, t := range r.tenants {
		if t.config.Issuer == name || t.accepts(name) {
			mappings = append(mappings, &t.config.Mapping)
		}
	}
	for _, i := range r.introspectors {
		if i.issuer == name {
			mappings = append(mappings, i.claims.mapping)
		}
	}
	return mappings
}

// canGrant reports whether a token can have a scope.
func (m Mapping) canGrant(scope string) bool {
	if m.ScopeLimit != nil && !slices.Contains(m.ScopeLimit, scope) {
		return false
	}
	return slices.ContainsFunc(m.Scopes, func(c ScopeClaim) bool { return c.canGrant(scope) })
}

func (c *ScopeClaim) canGrant(scope string) bool {
	for scopes := range maps.Values(c.Values) {
		if slices.Contains(scopes, scope) {
			return true
		}
	}
	return c.Values == nil && strings.HasPrefix(scope, c.Prefix)
}
