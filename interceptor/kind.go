package interceptor

import "net/http"

// Kind is the reason for a denial. It determines the HTTP status, the RPC code
// and the OAuth error alike. The zero Kind is [KindInternal].
type Kind uint8

// The kinds of denial.
const (
	// KindInternal is a fault of ours: 500, internal.
	KindInternal Kind = iota
	// KindNoCredentials means that no token was sent, or one of a scheme that is
	// not supported: 401, unauthenticated, without an error (RFC 6750 §3.1).
	KindNoCredentials
	// KindInvalidRequest means that the credentials are malformed or stand more
	// than once, or that the path can be read in different ways: 400,
	// invalid_argument.
	KindInvalidRequest
	// KindInvalidToken means that the token is bad, expired, or meant for another
	// resource: 401, unauthenticated.
	KindInvalidToken
	// KindInsufficientScope means that the token is good and not enough: 403,
	// permission_denied.
	KindInsufficientScope
	// KindNotFound means that no rule lets anyone call the procedure: 404,
	// not_found. Only a caller with a valid token learns that.
	KindNotFound
	// KindUnavailable means that the token cannot be judged right now: 503,
	// unavailable. The caller should try again with the same token.
	KindUnavailable
	// KindForbiddenOrigin means that a browser sent the request from a page
	// that must not: 403, permission_denied, without a challenge, for no token
	// would help.
	KindForbiddenOrigin
)

// kinds tells everything that follows from a Kind. The sentences are all that
// a caller ever reads of the reason.
var kinds = [...]struct {
	name    string
	status  int
	code    uint32 // google.rpc.Code, which gRPC and Connect share
	oauth   string // RFC 6749 §4.1.2.1, RFC 6750 §3.1
	message string
}{
	KindInternal:          {"internal", http.StatusInternalServerError, 13, "server_error", "internal error"},
	KindNoCredentials:     {"no_credentials", http.StatusUnauthorized, 16, "", "an access token is required"},
	KindInvalidRequest:    {"invalid_request", http.StatusBadRequest, 3, "invalid_request", "the credentials are malformed"},
	KindInvalidToken:      {"invalid_token", http.StatusUnauthorized, 16, "invalid_token", "the access token is malformed, expired, revoked or not from a trusted issuer"},
	KindInsufficientScope: {"insufficient_scope", http.StatusForbidden, 7, "insufficient_scope", "the access token lacks a scope that this operation needs"},
	KindNotFound:          {"not_found", http.StatusNotFound, 5, "", "no such service or method"},
	KindUnavailable:       {"unavailable", http.StatusServiceUnavailable, 14, "temporarily_unavailable", "the access token cannot be verified right now"},
	KindForbiddenOrigin:   {"forbidden_origin", http.StatusForbidden, 7, "", "requests from this origin are not allowed"},
}

// String returns the name of k in lower case with underscores, for logs.
func (k Kind) String() string { return kinds[k.valid()].name }

// HTTPStatus returns the HTTP status code of k.
func (k Kind) HTTPStatus() int { return kinds[k.valid()].status }

// RPCCode returns the google.rpc.Code of k, which is both a codes.Code of
// grpc-go and a connect.Code.
func (k Kind) RPCCode() uint32 { return kinds[k.valid()].code }

// Challenges reports whether an HTTP answer of kind k carries WWW-Authenticate.
func (k Kind) Challenges() bool {
	switch k {
	case KindNoCredentials, KindInvalidRequest, KindInvalidToken, KindInsufficientScope:
		return true
	case KindInternal, KindNotFound, KindUnavailable, KindForbiddenOrigin:
	}
	return false
}

func (k Kind) valid() Kind {
	if int(k) < len(kinds) {
		return k
	}
	return KindInternal
}
