package policy

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// A Requirement is a compiled [Rule]. It is immutable and safe for concurrent
// use, and its address identifies the rule within its [Table].
type Requirement struct {
	service string
	rule    Rule
	// of is the requirement of the service whose copy this is for one method, or nil.
	of *Requirement
	// isShared says that several procedures may have the requirement.
	isShared bool
	// all holds, for each required scope, every scope that satisfies it: the
	// scope itself and those that imply it. One of each list is needed.
	all    [][]string
	ask    []string
	scopes []string // every scope of the rule
	// identity and authentication are nil if the rule asks for nothing of them.
	identity       *identity
	authentication *authentication
	claims         []claimCondition
	conditions     []Condition // what Condition and Question became

	lacksScope, lacksAuthentication *ShortfallError
}

// Input holds the facts that [Requirement.Check] decides on.
type Input struct {
	// Info holds the facts of the caller's token, nil if there is none. It is
	// shared, and must not be changed.
	Info *token.Info
	// Procedure is the RPC, "/pkg.Service/Method", or empty for a plain HTTP
	// request.
	Procedure string
	// Message is the decoded message of a unary call, nil if it is not known. It is
	// shared, and must not be changed.
	Message proto.Message
	// Now is the time at which the age of the user's authentication is taken. Zero
	// means that of the clock, which is read only if the rule has a [Rule.MaxAge].
	Now time.Time
}

// A ShortfallError describes what a caller lacks. It must not be changed, because
// many calls may share it.
type ShortfallError struct {
	// Reason is [challenge.ReasonNoCredentials] if there is no token,
	// [challenge.ReasonInsufficientScope],
	// [challenge.ReasonInsufficientAuthentication], [challenge.ReasonForbidden],
	// or [challenge.ReasonUnavailable] if the requirement cannot be decided right
	// now.
	Reason challenge.Reason
	// Scopes are all the scopes that the operation needs.
	Scopes []string
	// ACRValues and MaxAge describe the authentication that it needs (RFC 9470
	// §3), as in a [challenge.Challenge]: all that the rule asks for, whichever of
	// the two is lacking.
	ACRValues []string
	MaxAge    *time.Duration
	// Cause is for the log. It may be nil.
	Cause error
}

// Error returns the name of the reason.
func (e *ShortfallError) Error() string { return "policy: " + e.Reason.String() }

// Unwrap returns the cause.
func (e *ShortfallError) Unwrap() error { return e.Cause }

// errNoToken is the shortfall of every caller without a token.
var errNoToken = &ShortfallError{Reason: challenge.ReasonNoCredentials}

// Check returns nil if a caller meets r, and a [*ShortfallError] otherwise. Every
// caller meets a public requirement. The context is that of the call.
//
// If a caller lacks several things, the shortfall is the first of these:
// [challenge.ReasonNoCredentials]; [challenge.ReasonForbidden], because an answer
// that asks for more would have the client come back in vain;
// [challenge.ReasonInsufficientAuthentication], which asks for the scopes, too,
// because the client comes back with another token; [challenge.ReasonInsufficientScope];
// and, if nothing else is lacking, what its condition says, which no token mends.
func (r *Requirement) Check(ctx context.Context, in Input) error {
	switch {
	case r.rule.Public:
		return nil
	case in.Info == nil:
		return errNoToken
	}
	if r.identity != nil {
		if cause := r.identity.check(in.Info); cause != nil {
			return forbidden(cause)
		}
	}
	for i := range r.claims {
		if cause := r.claims[i].check(in.Info); cause != nil {
			return forbidden(cause)
		}
	}
	switch {
	case r.authentication != nil && !r.authentication.satisfiedBy(in.Info, in.Now):
		return r.lacksAuthentication
	case !r.satisfiedBy(in.Info.Scopes):
		return r.lacksScope
	case len(r.conditions) > 0:
		return r.checkConditions(ctx, in)
	default:
		return nil
	}
}

// Service returns the name of the service that the rule belongs to.
func (r *Requirement) Service() string { return r.service }

// Rule returns the rule, as it was before it was compiled. It is shared, and must not
// be changed.
func (r *Requirement) Rule() Rule { return r.rule }

// Source returns where the rule is written, such as "policy.yaml:12". Empty means a Go
// program.
func (r *Requirement) Source() string { return r.rule.Source }

// Proof returns whether tokens have to be bound to a key of the client. It is for the
// Authorizer: Check does not look at bindings.
func (r *Requirement) Proof() Proof { return r.rule.Proof }

// Public reports whether r allows every caller.
func (r *Requirement) Public() bool { return r.rule.Public }

// ChallengeScopes returns the scopes that a challenge asks for: all of
// [Rule.Scopes], and the first of [Rule.AnyScopes] and of [Rule.AnyScopeSets]. The slice is shared, and must
// not be changed.
func (r *Requirement) ChallengeScopes() []string { return r.ask }

// JoinScopes adds [Requirement.ChallengeScopes] to scopes, unless scopes satisfy
// r already. It does not change its argument.
func (r *Requirement) JoinScopes(scopes []string) []string {
	if r.satisfiedBy(scopes) {
		return scopes
	}
	joined := slices.Clone(scopes)
	for _, scope := range r.ask {
		if !slices.Contains(joined, scope) {
			joined = append(joined, scope)
		}
	}
	return joined
}

// UngrantableScopes returns the scopes of the rule that no token can satisfy, if a token
// can have only those scopes for which canGrant returns true. Every call is then denied.
func (r *Requirement) UngrantableScopes(canGrant func(scope string) bool) []string {
	var scopes []string
	for _, sufficient := range r.all {
		if !slices.ContainsFunc(sufficient, canGrant) {
			scopes = append(scopes, sufficient[0])
		}
	}
	return scopes
}

// satisfiedBy reports whether the granted scopes suffice.
func (r *Requirement) satisfiedBy(granted []string) bool {
	for _, sufficient := range r.all {
		if !intersects(sufficient, granted) {
			return false
		}
	}
	return true
}

func intersects(a, b []string) bool {
	for _, s := range b {
		if slices.Contains(a, s) {
			return true
		}
	}
	return false
}
