// Package proof checks that the sender of a request holds the key to which its
// access token is bound (RFC 7800).
//
// It has a [token.Binding] for each of two confirmation methods:
//
//   - A [DPoP] is one for "jkt". The client signs a proof for each request, and
//     sends it in the field DPoP (RFC 9449).
//   - A [Certificate] is one for "x5t#S256". The client authenticates with a
//     certificate in mutual TLS (RFC 8705).
//
// An Authorizer takes them by the name of the method:
//
//	dpop, err := proof.NewDPoP(proof.DPoPConfig{})
//	...
//	config.Bindings = map[string]token.Binding{"jkt": dpop}
//
// It calls a binding only for a token that is bound, and refuses a token with a
// method for which it has no binding.
package proof
