// Package authtest runs an OpenID provider on a loopback address, for tests of
// servers that accept access tokens.
//
// An [Issuer] serves a discovery document and a key set, and mints JWT access
// tokens (RFC 9068): good ones by default, and any broken one on request.
//
//	issuer := authtest.NewIssuer(t)
//	token := issuer.Mint(authtest.Token{
//		Audience: []string{"https://api.example.com"},
//		Scope:    "inventory:read",
//	})
//
// It also breaks on request: keys rotate and are withdrawn, the network fails,
// the key set is held back or replaced by something else. Requests are counted,
// so that a test can prove that a refusal needed none.
//
// Package authtest is for tests. It issues whatever it is asked to, to whoever
// asks.
package authtest
