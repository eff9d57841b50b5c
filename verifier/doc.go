// Package verifier verifies access tokens: it tells who sent one, and refuses
// what it cannot be sure of.
//
// A [JWT] verifies the JWT access tokens (RFC 9068) of one OpenID provider. It
// implements [interceptor.TokenVerifier]:
//
//	jwt, err := verifier.NewJWT(verifier.JWTConfig{Issuer: "https://login.example.com"})
//
// It finds the keys of the provider by OpenID Connect Discovery when the first
// token arrives, keeps them fresh in the background, and recovers by itself
// when the provider was out of reach. It never reads a key, or the address of
// one, from a token (RFC 8725 §3.10).
//
// What a verifier does not judge is what depends on the call: whether the
// audience of the token is the resource that was asked, and whether its scopes
// suffice. That is for the [interceptor.Authorizer]. A program that calls a
// verifier by itself has to check the audience by itself.
package verifier
