// Package verifier verifies OAuth 2.0 access tokens.
//
// A [JWT] verifies the JWT access tokens (RFC 9068) of one OpenID provider or OAuth
// 2.0 authorization server. It implements [token.Verifier]:
//
//	jwt, err := verifier.NewJWT(verifier.JWTConfig{Issuer: "https://login.example.com"})
//
// It discovers the issuer's keys (OpenID Connect Discovery, RFC 8414) when the
// first token arrives or [JWT.Warm] is called, refreshes them in the background,
// and recovers by itself from an outage of the issuer. It never takes a key, or
// the address of one, from a token (RFC 8725 §3.10). [JWT.Ready] answers a
// readiness probe, and [JWT.Stats] has counts for metrics.
//
// A verifier does not judge what depends on the RPC: whether the audience of
// the token is the requested resource, whether the sender holds the key that
// the token is bound to, and whether the scopes suffice. The Authorizer checks
// all three. A program that calls a verifier itself must check them itself.
package verifier
