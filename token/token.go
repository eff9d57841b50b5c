// Package token defines the facts of a verified access token ([Info]) and the
// interfaces that establish them ([Verifier] and [Binding]).
//
// Package verifier implements a Verifier for JWTs. Handlers read the facts with
// [FromContext], and their tests set them with [NewContext].
package token

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/callerkey"
)

// MaxLength is the length in bytes above which an access token is refused
// without being parsed. Long tokens have exhausted parsers of JOSE
// (CVE-2025-27144, CVE-2025-30204).
const MaxLength = 16 << 10

// A Verifier verifies access tokens.
//
// VerifyToken is called concurrently, with the token as the caller sent it:
// untrusted, but free of spaces and at most [MaxLength] bytes long. It checks
// everything that does not depend on the RPC: the issuer, the signature, the
// time. The Authorizer then checks the rest: issuer and audience against the
// resource, the binding against the request, the scopes against the policy.
//
// The resource is the one that the token was presented to. It is a hint for a
// Verifier that asks one of several authorization servers about tokens that do
// not name theirs; others ignore it. A nil resource is any. It is shared, and must
// not be changed. A Verifier that wraps another one passes it on, and does not
// return to one resource what it was told for another.
//
// An error unwraps to one of two sentinels. With [ErrInvalid], the caller gets
// "unauthenticated" (401) and a challenge. With [ErrUnavailable], the caller gets
// "unavailable" (503). An error that unwraps to neither counts as ErrUnavailable,
// because a client that gets a 401 discards a token that may be good. A nil Info
// with a nil error is a bug of the verifier, as is a panic; both deny the call as
// internal.
//
// The returned Info may be shared between calls. The Authorizer does not change
// it, and hands out copies.
//
// A Verifier should also be an [IssuerAcceptor].
type Verifier interface {
	VerifyToken(ctx context.Context, raw string, resource *Resource) (*Info, error)
}

// A Resource is a protected resource (RFC 9728), as far as a [Verifier] needs to
// know it.
type Resource struct {
	// Identifier is the resource identifier (RFC 9728 §1.2).
	Identifier string
	// Issuers are the issuers whose tokens open the resource, or patterns of them.
	Issuers []string
}

// An IssuerAcceptor is a [Verifier] that states which issuers it accepts tokens
// from. It is optional. With it, a configuration with a resource that no token
// could open is a fault at construction, instead of a refusal of every token.
//
// A Verifier that wraps another one implements it by calling the wrapped one.
type IssuerAcceptor interface {
	// AcceptsIssuer reports whether VerifyToken can return an [Info] with this
	// Issuer. The comparison is that of VerifyToken, byte for byte unless the
	// verifier accepts a pattern, such as one issuer for each tenant: a trailing
	// slash makes a difference. It is called concurrently, and does not wait for
	// the network.
	AcceptsIssuer(issuer string) bool
}

// A RevocationChecker is a [Verifier] that can tell whether a token was revoked after
// it had verified it. It is optional. With it, an open stream ends with the next message
// after the revocation; without it, a stream ends with its token.
//
// A Verifier that wraps another one implements it by calling the wrapped one.
type RevocationChecker interface {
	// Revoked reports whether VerifyToken would refuse the token of info now because it
	// was revoked. It is called concurrently, for each message of a stream, and neither
	// waits nor changes info.
	Revoked(info *Info) bool
}

// A ResourceChecker is a [Verifier] that states whether it can verify the tokens
// for a resource. It is optional. With it, a configuration that could not work is a
// fault at construction.
//
// A Verifier that wraps another one implements it by calling the wrapped one.
type ResourceChecker interface {
	// CheckResource returns nil, or an error that says why tokens for the resource
	// cannot be verified, and what to do about it. Issuers that are not accepted are
	// not among the reasons, see [IssuerAcceptor]. It is called concurrently, and
	// does not wait for the network.
	CheckResource(resource *Resource) error
}

// A FactsChecker is a [Verifier] that states what the tokens of an issuer can hold. It is
// optional. With it, a policy that asks for what no token can have is a fault at
// construction, instead of a refusal of every token.
//
// A Verifier that wraps another one implements it by calling the wrapped one. Its
// methods are called concurrently, and do not wait for the network. An issuer may also be
// a pattern of issuers, as in [Resource].Issuers.
type FactsChecker interface {
	// CanGrant reports whether the Scopes of a token of issuer can have scope.
	CanGrant(issuer, scope string) bool
	// KeepsClaim reports whether the Claims of a token of issuer can have a claim.
	KeepsClaim(issuer, claim string) bool
}

// The sentinels that the errors of a [Verifier] unwrap to.
var (
	// ErrInvalid means that the token is malformed, forged, expired, or from an
	// issuer that is not trusted (RFC 6750 §3.1, invalid_token).
	ErrInvalid = errors.New("invalid token")
	// ErrUnavailable means that the token cannot be verified right now, for
	// instance because the issuer cannot be reached.
	ErrUnavailable = errors.New("token verification is unavailable")
)

// Info holds the facts of a verified access token.
type Info struct {
	// Issuer is the iss claim, the authorization server.
	Issuer string
	// Subject is the sub claim. It is unique only together with Issuer. It is
	// empty if the token names no subject, which a Verifier accepts only if it is
	// configured to.
	Subject string
	// ClientID is the client_id claim (RFC 9068 §2.2), or the claim that the
	// issuer sends instead: the first of client_id, azp (Keycloak, Auth0, Entra
	// v2), cid (Okta) and appid (Entra v1) that the token has. It is unique only
	// together with Issuer, and empty if the token has none of them.
	ClientID string
	// SessionID is the sid claim (OpenID Connect Front-Channel Logout §3): the
	// session of the user at the issuer, empty if the token does not say.
	SessionID string
	// Party is whom the token speaks for: a user, or the client itself.
	Party Party
	// Actor acts for the subject (RFC 8693 §4.1). It is nil if the subject acts for
	// itself.
	Actor *Actor
	// Audience is the aud claim: the resources that the token was issued for.
	Audience []string
	// Scopes are the granted scopes.
	Scopes []string
	// Expiry is the instant from which the token is refused: the exp claim
	// plus the leeway of the verifier. A stream that was opened with the token
	// ends then. Zero means that the token does not expire.
	Expiry time.Time
	// IssuedAt is the iat claim: the time at which the token was issued. It is zero
	// if the token does not say.
	IssuedAt time.Time
	// AuthTime is the auth_time claim (RFC 9470 §6.1): the time at which the user
	// authenticated. It is zero if the token does not say.
	AuthTime time.Time
	// ACR is the acr claim (RFC 9470 §6.1): the class of the user's authentication,
	// empty if the token does not say.
	ACR string
	// Confirmation is the cnf claim (RFC 7800 §3.1): the key that the client
	// must prove possession of, by the name of the method, such as "jkt"
	// (RFC 9449 §6.1) or "x5t#S256" (RFC 8705 §3.1). Nil means a bearer token.
	//
	// A Verifier must set it; otherwise a bound token is accepted as a bearer
	// token. The Authorizer refuses a token if it has no [Binding] for one of its
	// methods.
	Confirmation map[string]any
	// Claims are further claims that the verifier is configured to keep, by name,
	// as encoding/json decodes them into an any.
	Claims map[string]any
}

// A Party is whom a token speaks for. The zero value is [PartyUnknown].
type Party uint8

// The parties.
const (
	// PartyUnknown means that it cannot be told whether the token speaks for a user.
	PartyUnknown Party = iota
	// PartyUser means that the token speaks for a user.
	PartyUser
	// PartyClient means that a client got the token for itself, as with the grant
	// client_credentials (RFC 6749 §4.4).
	PartyClient
)

// String returns "unknown", "user" or "client".
func (p Party) String() string {
	switch p {
	case PartyUser:
		return "user"
	case PartyClient:
		return "client"
	case PartyUnknown:
	}
	return "unknown"
}

// An Actor is a party that acts for the subject of a token (the act claim of
// RFC 8693 §4.1). Fields that the claim does not have are empty.
type Actor struct {
	// Issuer, Subject and ClientID identify the actor. Subject and ClientID are
	// unique only together with Issuer; if that is empty, it is the issuer of the
	// token.
	Issuer, Subject, ClientID string
	// Actor acted before this one. It is informative: RFC 8693 §4.1 lets decisions
	// depend on the current actor alone.
	Actor *Actor
}

// Clone returns a deep copy of i, nil for a nil i. In Claims and Confirmation it
// copies the types that encoding/json produces, maps and slices of any, at every
// depth, and slices of strings; values of other types are shared.
func (i *Info) Clone() *Info {
	if i == nil {
		return nil
	}
	clone := *i
	clone.Actor = i.Actor.clone()
	clone.Audience = slices.Clone(i.Audience)
	clone.Scopes = slices.Clone(i.Scopes)
	clone.Confirmation = cloneMap(i.Confirmation)
	clone.Claims = cloneMap(i.Claims)
	return &clone
}

func (a *Actor) clone() *Actor {
	if a == nil {
		return nil
	}
	clone := *a
	clone.Actor = a.Actor.clone()
	return &clone
}

// Expired reports whether the token has expired at now. The instant of Expiry
// itself is already too late.
func (i *Info) Expired(now time.Time) bool {
	return !i.Expiry.IsZero() && !now.Before(i.Expiry)
}

func cloneMap(m map[string]any) map[string]any {
	clone := maps.Clone(m)
	for name, value := range clone {
		clone[name] = cloneValue(value)
	}
	return clone
}

func cloneValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return cloneMap(value)
	case []any:
		clone := slices.Clone(value)
		for i := range clone {
			clone[i] = cloneValue(clone[i])
		}
		return clone
	case []string:
		return slices.Clone(value)
	default:
		return value
	}
}

// FromContext returns a copy of the facts of the token with which a call was
// authorized. It reports false outside of an authorized call, and in a call whose
// rule is public.
func FromContext(ctx context.Context) (*Info, bool) {
	info, _ := ctx.Value(callerkey.Info{}).(*Info)
	return info.Clone(), info != nil
}

// NewContext returns a context from which [FromContext] returns a copy of info. It
// is for tests of handlers: it authorizes nothing, because no Authorizer reads
// it. A nil info stands for a caller without a token.
func NewContext(ctx context.Context, info *Info) context.Context {
	return context.WithValue(ctx, callerkey.Info{}, info.Clone())
}
