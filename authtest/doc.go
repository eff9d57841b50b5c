// Package authtest is for tests of servers that accept OAuth 2.0 access tokens,
// and of their clients. It runs an OpenID provider on loopback, and checks that a
// server refuses anonymous calls.
//
// An [Issuer] serves a discovery document and a key set, and mints JWT access
// tokens (RFC 9068): valid ones by default, and invalid ones of many kinds on
// request.
//
//	issuer := authtest.NewIssuer(t)
//	raw := issuer.Mint(authtest.Token{
//		Audience: []string{"https://api.example.com"},
//		Scope:    "inventory:read",
//	})
//
// A [Token] may also be opaque, so that its server asks the introspection endpoint
// (RFC 7662) about it until [Issuer.Revoke]. It may have the [Shape] of the tokens
// of Keycloak, Entra, Okta and other providers, or be bound to a key:
//
//	raw := issuer.Mint(authtest.Token{Opaque: true})
//	raw := issuer.Mint(authtest.Token{Shape: authtest.ShapeKeycloak, Roles: []string{"admin"}})
//	raw := issuer.Mint(authtest.Token{Confirmation: key.Confirmation()})
//
// The key is a [ProofKey], which makes DPoP proofs (RFC 9449), good and bad ones,
// or a [Certificate] for mutual TLS (RFC 8705).
//
// An Issuer also fails on request: it rotates and withdraws keys, becomes
// unreachable, and delays or replaces its responses. It counts requests, so
// that a test can prove that a refusal caused none. A client gets its tokens at
// the token endpoint, see [Issuer.AddClient].
//
// [RefusesAnonymous] finds the methods of a server that nothing guards:
//
//	authtest.RefusesAnonymous(t, server.URL)
//
// Package authtest is for tests and demonstrations only: an Issuer signs any
// claims.
package authtest
