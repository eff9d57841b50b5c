// Package verifier verifies OAuth 2.0 access tokens.
//
// A [Verifier] verifies JWT access tokens (RFC 9068) by the keys of their issuers,
// and opaque tokens by introspection (RFC 7662). It implements [token.Verifier]:
//
//	tokens, err := verifier.New(verifier.Config{
//		JWT: []verifier.JWTConfig{{Issuer: "https://login.example.com"}},
//	})
//
// It discovers keys and endpoints (OpenID Connect Discovery, RFC 8414) when the
// first token arrives or [Verifier.Warm] is called, refreshes keys in the
// background, and recovers by itself from an outage of an issuer. It never takes a
// key, or the address of one, from a token (RFC 8725 §3.10), and never shows a token
// to more than one server. [Verifier.Ready] answers a readiness probe, and
// [Verifier.Stats] has counts for metrics.
//
// A [Mapping] turns what a provider writes into its tokens into the facts that the
// policy asks for. [Keycloak], [Entra], [EntraV1], [Okta], [Auth0], [Cognito],
// [ZITADEL], [Google] and [Hydra] return the configuration for a provider, which may
// be changed before it is used. The access tokens of dex cannot be told from its ID
// tokens, so there is no configuration that accepts them.
//
// # Faults of an issuer
//
// An issuer that cannot be reached, that answers with an error, a page, half a document
// or too long a one, or that takes more than ten seconds, is an outage. Meanwhile:
//
//   - Without keys, its tokens are unavailable ([token.ErrUnavailable]), never invalid.
//   - With keys, tokens of a known key are accepted, new ones too, until they expire. The
//     keys do not age. Tokens of an unknown key are unavailable.
//   - An opaque token is accepted as long as the last answer about it is used
//     ([IntrospectionConfig].AnswerLifetime), and is unavailable then.
//
// It ends by itself: an opaque token is asked about at once, or within a second if the
// endpoint is not known; a missing key is fetched within a second, and keys that are old
// are refreshed within ten. A slow issuer makes those wait who need its answer, and no
// one else.
//
// A clock that is off by more than the leeway is no outage: tokens that seem to have
// expired, or to have been issued in the future, are invalid.
//
// A verifier does not judge what depends on the RPC: whether the audience of
// the token is the requested resource, whether the sender holds the key that
// the token is bound to, and whether the scopes suffice. The Authorizer checks
// all three. A program that calls a verifier itself must check them itself.
package verifier
