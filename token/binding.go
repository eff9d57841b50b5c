package token

import (
	"context"
	"crypto/tls"
)

// A Binding checks that the sender of a request holds the key to which a token is
// bound (its cnf claim). It is configured for one confirmation method, and called
// for every request whose token names that method.
//
// CheckBinding is called concurrently. An error unwraps to [ErrInvalid] or
// [ErrUnavailable], like that of a [Verifier]. The Info is shared and must not be
// changed.
type Binding interface {
	CheckBinding(ctx context.Context, info *Info, req Request) error
}

// A SchemeBinding is a [Binding] whose tokens are sent under an authentication
// scheme of their own, as with DPoP (RFC 9449 §7.1). It is optional: without it,
// tokens are sent as Bearer.
type SchemeBinding interface {
	Binding
	// Scheme returns the name of the scheme, such as "DPoP", and the signature
	// algorithms of proofs that are accepted. Challenges have both. The result never
	// changes.
	Scheme() (name string, algs []string)
}

// A ProofError is the error of a [Binding] for a request that lacks a proof, or has
// one that is not accepted, although the token may be good: the client can send the
// same token with another proof. It unwraps to [ErrInvalid] and to its cause.
type ProofError struct {
	// Code is the error code of the challenge: "invalid_dpop_proof" (RFC 9449 §7.1)
	// or "use_dpop_nonce" (RFC 9449 §9).
	Code string
	// Nonce is what the client has to put into its next proof, the value of the
	// DPoP-Nonce field (RFC 9449 §8). It may be empty.
	Nonce string
	// Cause is for the log.
	Cause error
}

// Error returns the code and the cause.
func (e *ProofError) Error() string {
	if e.Cause == nil {
		return "proof: " + e.Code
	}
	return "proof: " + e.Code + ": " + e.Cause.Error()
}

// Unwrap returns ErrInvalid and the cause.
func (e *ProofError) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrInvalid}
	}
	return []error{ErrInvalid, e.Cause}
}

// A Request is the view that a [Binding] has of the request that carries the
// token.
type Request struct {
	// Method is the HTTP method. Every RPC over gRPC is a POST.
	Method string
	// URL is the base URL of the resource and the path of the request, without
	// query and fragment. It is the URL that the client wrote, unless a proxy or a
	// handler took a prefix off the path before the request was authorized; an
	// option or interceptor of connectauth sees the procedure alone, save below a
	// guard.
	URL string
	// Raw is the access token.
	Raw string
	// Values returns every value of a header field. The name is in the canonical
	// form of net/http. The result is shared and must not be changed.
	Values func(name string) []string
	// Peer is the address and port of the other end of the connection, empty if it is
	// not known.
	Peer string
	// TLS is the state of the connection. It is nil if the connection is not
	// encrypted, or if the transport does not expose it.
	TLS *tls.ConnectionState
}
