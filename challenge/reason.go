package challenge

import "net/http"

// A Reason is the reason for a denial. It determines the HTTP status, the RPC
// code and the OAuth error. The zero Reason is [ReasonInternal].
type Reason uint8

// The reasons.
const (
	// ReasonInternal means that the server is at fault: 500, internal.
	ReasonInternal Reason = iota
	// ReasonNoCredentials means that no token was sent, or one of a scheme that
	// is not supported: 401, unauthenticated, without an error (RFC 6750 §3.1).
	ReasonNoCredentials
	// ReasonInvalidRequest means that the credentials are malformed or repeated,
	// or that the path is ambiguous: 400, invalid_argument.
	ReasonInvalidRequest
	// ReasonInvalidToken means that the token is invalid, expired, or issued for
	// another resource: 401, unauthenticated.
	ReasonInvalidToken
	// ReasonInsufficientScope means that the token is valid but lacks a scope:
	// 403, permission_denied.
	ReasonInsufficientScope
	// ReasonInsufficientAuthentication means that the user has to authenticate
	// again, by stronger means or more recently (RFC 9470 §3): 401,
	// unauthenticated.
	ReasonInsufficientAuthentication
	// ReasonNotFound means that no rule allows the procedure: 404, unimplemented,
	// which is what gRPC says of a procedure that does not exist. Callers without
	// a valid token get [ReasonNoCredentials] or [ReasonInvalidToken] instead.
	ReasonNotFound
	// ReasonUnavailable means that the token cannot be verified right now: 503,
	// unavailable. The caller should retry with the same token.
	ReasonUnavailable
	// ReasonForbidden means that no other token would help: 403,
	// permission_denied, without a challenge.
	ReasonForbidden
	// ReasonForbiddenOrigin is ReasonForbidden for a request that a browser sent
	// from a page of an origin that is not allowed.
	ReasonForbiddenOrigin
)

// reasons holds everything that a Reason determines. A message is all that a
// caller reads of it (RPC-7).
var reasons = [...]struct {
	name    string
	status  int
	code    uint32 // google.rpc.Code, which gRPC and Connect share
	oauth   string // RFC 6749 §4.1.2.1, RFC 6750 §3.1, RFC 9470 §3
	message string
}{
	ReasonInternal:                   {"internal", http.StatusInternalServerError, 13, "server_error", "internal error"},
	ReasonNoCredentials:              {"no_credentials", http.StatusUnauthorized, 16, "", "an access token is required"},
	ReasonInvalidRequest:             {"invalid_request", http.StatusBadRequest, 3, "invalid_request", "the credentials are malformed"},
	ReasonInvalidToken:               {"invalid_token", http.StatusUnauthorized, 16, "invalid_token", "the access token is malformed, expired, revoked or not from a trusted issuer"},
	ReasonInsufficientScope:          {"insufficient_scope", http.StatusForbidden, 7, "insufficient_scope", "the access token lacks a scope that this operation needs"},
	ReasonInsufficientAuthentication: {"insufficient_user_authentication", http.StatusUnauthorized, 16, "insufficient_user_authentication", "a different authentication level is required"},
	ReasonNotFound:                   {"not_found", http.StatusNotFound, 12, "", "no such service or method"},
	ReasonUnavailable:                {"unavailable", http.StatusServiceUnavailable, 14, "temporarily_unavailable", "the access token cannot be verified right now"},
	ReasonForbidden:                  {"forbidden", http.StatusForbidden, 7, "", "the caller is not allowed to do this"},
	ReasonForbiddenOrigin:            {"forbidden_origin", http.StatusForbidden, 7, "", "requests from this origin are not allowed"},
}

// Descriptions that are more specific than [Reason.Message].
const (
	// WrongAudience describes a token for another resource.
	WrongAudience = "the access token was issued for another resource"
	// AmbiguousPath describes a request whose path routers read in different
	// ways.
	AmbiguousPath = "the path of the request can be read in different ways"
)

// Reasons is the number of reasons. Every valid [Reason] is less than it.
const Reasons = len(reasons)

// String returns the name of r in lower case with underscores, for logs.
func (r Reason) String() string { return reasons[r.valid()].name }

// HTTPStatus returns the HTTP status code of r.
func (r Reason) HTTPStatus() int { return reasons[r.valid()].status }

// RPCCode returns the google.rpc.Code of r, which is both a codes.Code of
// grpc-go and a connect.Code.
func (r Reason) RPCCode() uint32 { return reasons[r.valid()].code }

// OAuthError returns the error code that a challenge carries for r, or "" if it
// carries none (RFC 6750 §3.1).
func (r Reason) OAuthError() string { return reasons[r.valid()].oauth }

// Message returns the fixed sentence that is sent to the caller.
func (r Reason) Message() string { return reasons[r.valid()].message }

// proofSentences are those of the errors of RFC 9449, which no reason has.
var proofSentences = map[string]string{
	InvalidProof: "the DPoP proof is missing or is not accepted",
	UseNonce:     "the DPoP proof needs the nonce of the DPoP-Nonce field",
}

// The error codes of RFC 9449 §7.1 and §9. Their reason is [ReasonInvalidToken].
const (
	InvalidProof = "invalid_dpop_proof"
	UseNonce     = "use_dpop_nonce"
)

// sentence returns the message of the reason that has an OAuth error code, or that
// of r for a code that no reason has.
func (r Reason) sentence(oauth string) string {
	if sentence, ok := proofSentences[oauth]; ok {
		return sentence
	}
	if oauth != "" && oauth != r.OAuthError() {
		for i := range reasons {
			if reasons[i].oauth == oauth {
				return reasons[i].message
			}
		}
	}
	return r.Message()
}

// Challenges reports whether an HTTP response for r carries WWW-Authenticate.
func (r Reason) Challenges() bool {
	switch r {
	case ReasonNoCredentials, ReasonInvalidRequest, ReasonInvalidToken, ReasonInsufficientScope, ReasonInsufficientAuthentication:
		return true
	case ReasonInternal, ReasonNotFound, ReasonUnavailable, ReasonForbidden, ReasonForbiddenOrigin:
	}
	return false
}

func (r Reason) valid() Reason {
	if int(r) < len(reasons) {
		return r
	}
	return ReasonInternal
}
