package interceptor

import (
	"context"
	"errors"
	"time"
)

// A TokenVerifier tells who sent an access token.
//
// VerifyToken is called concurrently, with the token as the caller sent it:
// untrusted, but free of spaces and at most [MaxTokenLength] bytes long. It
// checks everything about the token that does not depend on the RPC: who
// issued it, the signature, the time. The [Authorizer] then checks what does:
// the audience against the [Resource], the scopes against the policy.
//
// A failure unwraps to one of two sentinels. [ErrInvalidToken] blames the
// caller, who gets "unauthenticated" (401) and a challenge. [ErrUnavailable]
// blames us, and the caller gets "unavailable" (503). An error that unwraps to
// neither counts as ErrUnavailable, because a 401 makes clients throw away a
// token that may be good. A nil TokenInfo with a nil error is a bug of the
// verifier, and so is a panic; both deny the call as internal.
//
// The returned TokenInfo may be shared between calls and must not change.
type TokenVerifier interface {
	VerifyToken(ctx context.Context, token string) (*TokenInfo, error)
}

// The sentinels that the errors of a [TokenVerifier] unwrap to.
var (
	// ErrInvalidToken says that the token is bad: malformed, forged, expired,
	// or from someone we do not trust (RFC 6750 §3.1, invalid_token).
	ErrInvalidToken = errors.New("invalid token")
	// ErrUnavailable says that the token could not be judged right now, for
	// instance because the issuer cannot be reached.
	ErrUnavailable = errors.New("token verification is unavailable")
)

// TokenInfo holds the facts of a verified access token. It is shared between
// concurrent calls that carry the same token: treat it, its slices and its map
// as read-only.
type TokenInfo struct {
	// Issuer is the iss claim, the authorization server.
	Issuer string
	// Subject is the sub claim. It is unique only together with Issuer.
	Subject string
	// ClientID is the client_id claim (RFC 9068 §2.2), or azp where the issuer
	// sends that instead.
	ClientID string
	// Audience is the aud claim: the resources the token was minted for.
	Audience []string
	// Scopes are the scopes that were granted.
	Scopes []string
	// Expiry is the instant from which the token is refused: the exp claim
	// plus the leeway of the verifier. A stream that was opened with the token
	// ends then. Zero means that the verifier knows of no end.
	Expiry time.Time
	// Claims are further claims that the verifier was asked to keep, by name,
	// as encoding/json decodes them into an any.
	Claims map[string]any
}

func (t *TokenInfo) expired() bool { return !t.Expiry.IsZero() && !time.Now().Before(t.Expiry) }
