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
