package drawbridge

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/callerkey"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// Caller is the outcome of a decision that let a call in: who calls, on which
// resource, under which requirement, and the configuration that decided. It is
// for authors of adapters; handlers use [token.FromContext] and
// [Authorizer.Check].
//
// A Caller is immutable once [Adapter.Decide] has filled it, and safe for
// concurrent use. The zero Caller, and a nil one, stand for a call that nothing
// authorized.
type Caller struct {
	info       *token.Info // nil if the rule is public
	at         *checkpoint // nil if nothing was authorized
	credential string      // the value of the Authorization field
}

// callerKey is the context key of a *[Caller] that one Authorizer let in. Guards
// of several Authorizers may stand around each other.
type callerKey struct{ owner *Authorizer }

// callerContext carries a Caller in one allocation; context.WithValue would need
// two.
type callerContext struct {
	context.Context //nolint:containedctx // It is a context.

	caller Caller
}

func (c *callerContext) Value(key any) any {
	if value := c.caller.Value(key); value != nil {
		return value
	}
	return c.Context.Value(key)
}

// Value returns what a context that carries c has under a key, or nil for keys
// of others. It is for adapters that keep the Caller in a context of their own.
func (c *Caller) Value(key any) any {
	if c.at == nil {
		return nil
	}
	switch key := key.(type) {
	case callerKey:
		if key.owner == c.at.state.owner {
			return c
		}
	case callerkey.Info:
		return c.info
	}
	return nil
}

// judgedKey is the context key of the judged call of an Authorizer.
type judgedKey struct{ owner *Authorizer }

// A judged is the call that a decision was about, if the decision depends on it.
type judged struct {
	procedure, credential string
	message               proto.Message
}

// hasJudged reports whether the decision about c that ctx carries is one about the call of
// req.
func (c *Caller) hasJudged(ctx context.Context, req *Request) bool {
	return ctx.Value(judgedKey{c.at.state.owner}) == judged{req.Procedure, c.credential, req.Message}
}

// newContext returns a context that carries the caller of a request. If the decision depends
// on the call, the context carries that, too: for another call, it does not stand.
func (c *Caller) newContext(ctx context.Context, req *Request) context.Context {
	if !c.at.isOpen && c.at.requirement != nil && !c.at.requirement.StandsFor() {
		ctx = context.WithValue(ctx, judgedKey{c.at.state.owner}, judged{req.Procedure, c.credential, req.Message})
	}
	return &callerContext{Context: ctx, caller: *c}
}

// NewContext returns a context that carries c, in place of the caller that ctx
// carries. It is for servers that handle a request with a context which is not
// the request's own, as MCP sessions do. With a nil or zero c it carries none, of
// whatever Authorizer.
func (c *Caller) NewContext(ctx context.Context) context.Context {
	if c == nil || c.at == nil {
		return anonymousContext{ctx}
	}
	return &callerContext{Context: ctx, caller: *c}
}

// anonymousContext hides every caller that the context beneath carries.
type anonymousContext struct{ context.Context } //nolint:containedctx // It is a context.

func (c anonymousContext) Value(key any) any {
	switch key.(type) {
	case callerKey, callerkey.Info:
		return nil
	default:
		return c.Context.Value(key)
	}
}

// Info returns the facts of the caller's token as a copy, or nil if there is no
// token.
func (c *Caller) Info() *token.Info {
	if c == nil {
		return nil
	}
	return c.info.Clone()
}

// IsAnonymous reports whether c was let in without a token.
func (c *Caller) IsAnonymous() bool { return c == nil || c.info == nil }

// Expiry returns the instant from which the caller's token is refused. Zero
// means that there is no end.
func (c *Caller) Expiry() time.Time {
	if c.IsAnonymous() {
		return time.Time{}
	}
	return c.info.Expiry
}

// MayEnd reports whether the caller's token can become invalid while a call goes on: it
// expires, or the verifier can tell that it was revoked.
func (c *Caller) MayEnd() bool {
	return !c.IsAnonymous() && (!c.info.Expiry.IsZero() || c.at.state.revocation != nil)
}

// EndsWith reports whether a stream that ends with c needs no other end for a second
// caller: c may end, and ends no later. The second caller may also be one that never
// ends.
func (c *Caller) EndsWith(other *Caller) bool {
	switch {
	case !other.MayEnd():
		return true
	case !c.MayEnd():
		return false
	case other.at.state.revocation != nil && (c.at.state != other.at.state || c.info != other.info):
		return false // Only its own verifier knows that it was revoked.
	case other.info.Expiry.IsZero():
		return true
	default:
		return !c.info.Expiry.IsZero() && !c.info.Expiry.After(other.info.Expiry)
	}
}

// IsRevoked reports whether the caller's token was revoked since the call was
// authorized, as far as the verifier can tell. It does not wait.
func (c *Caller) IsRevoked() bool {
	if c.IsAnonymous() {
		return false
	}
	present := c.at.state.owner.state.Load()
	return c.at.state.isRevoked(c.info) || present != c.at.state && present.isRevoked(c.info)
}

// Expire returns the denial of a call whose token has expired or was revoked since it
// was authorized, and logs it. For a call that nothing authorized, the reason is
// [challenge.ReasonInternal].
func (c *Caller) Expire(ctx context.Context, procedure string) *challenge.DenialError {
	if c == nil || c.at == nil {
		return challenge.NewDenial(challenge.ReasonInternal, errNoCaller)
	}
	req := Request{Procedure: procedure}
	cause := errExpired
	if c.IsRevoked() {
		cause = errRevoked
	}
	denial := c.at.denial(&req, challenge.ReasonInvalidToken, cause)
	c.at.state.observe(ctx, &req, &record{at: c.at, info: c.info, denial: denial})
	return denial
}

// Check decides whether the caller may call a further procedure,
// "/pkg.Service/Method", inside this process; see [Authorizer.Check]. It uses
// the configuration that let the caller in. The error is nil or a
// [*challenge.DenialError].
func (c *Caller) Check(ctx context.Context, procedure string) error {
	return asError(c.check(ctx, &Request{Procedure: procedure}))
}

// CheckMessage is Check for a unary call whose message is known: without it, a rule that
// depends on the message is not met. The message is not changed and not kept.
func (c *Caller) CheckMessage(ctx context.Context, procedure string, message proto.Message) error {
	return asError(c.check(ctx, &Request{Procedure: procedure, Message: message}))
}

// IsOpen reports whether the call is let in as far as its token goes, and a decision with
// its message has to follow; see [Request].MessageFollows.
func (c *Caller) IsOpen() bool { return c != nil && c.at != nil && c.at.isOpen }

// close makes a decision that was left open until the message is known. All but the
// message was judged before.
func (c *Caller) close(ctx context.Context, req *Request, start time.Time) (Caller, *challenge.DenialError) {
	state := c.at.state
	at := state.rules[c.at.requirement].at(c.at.address)
	var denial *challenge.DenialError
	if c.IsRevoked() { // while the message was under way
		denial = at.denial(req, challenge.ReasonInvalidToken, errRevoked)
	} else if err := at.requirement.Check(ctx, policy.Input{Info: c.info, Procedure: req.Procedure, Message: req.Message}); err != nil {
		denial = at.shortfall(req, err)
	}
	state.observe(ctx, req, &record{at: at, info: c.info, denial: denial, start: start})
	if denial != nil {
		return Caller{}, denial
	}
	return Caller{info: c.info, at: at, credential: c.credential}, nil
}

func (c *Caller) check(ctx context.Context, req *Request) *challenge.DenialError {
	if c == nil || c.at == nil {
		return challenge.NewDenial(challenge.ReasonInternal, errNoCaller)
	}
	start := c.at.state.start()
	rule := c.at.state.ruleFor(req.Procedure, "")
	var denial *challenge.DenialError
	if !rule.isPublic() {
		denial = c.judge(ctx, rule, req)
	}
	c.at.state.observe(ctx, req, &record{at: rule.at(c.at.address), info: c.info, denial: denial, start: start})
	return denial
}

// Assess is Check without a record of the decision. It is for adapters that list
// what a caller may use: a denial with a reason that a token can mend, such as
// [challenge.ReasonInsufficientScope], is one that the caller could step up from. What a
// rule asks of the message of a call is left out.
func (c *Caller) Assess(ctx context.Context, procedure string) *challenge.DenialError {
	if c == nil || c.at == nil {
		return challenge.NewDenial(challenge.ReasonInternal, errNoCaller)
	}
	rule := c.at.state.ruleFor(procedure, "")
	if rule.isPublic() {
		return nil
	}
	return c.judge(ctx, rule, &Request{Procedure: procedure, MessageFollows: true})
}

// judge compares the facts of the token with a rule.
func (c *Caller) judge(ctx context.Context, rule *rule, req *Request) *challenge.DenialError {
	at := rule.at(c.at.address)
	switch {
	case c.info == nil:
		return at.denial(req, challenge.ReasonNoCredentials, nil)
	case c.info.Expired(time.Now()):
		return at.denial(req, challenge.ReasonInvalidToken, errExpired)
	case c.IsRevoked():
		return at.denial(req, challenge.ReasonInvalidToken, errRevoked)
	case rule.requirement == nil:
		return at.denial(req, challenge.ReasonNotFound, noRule(req))
	}
	if denial := at.checkProof(req, c.info); denial != nil {
		return denial
	}
	err := rule.requirement.Check(ctx, policy.Input{Info: c.info, Procedure: req.Procedure, Message: req.Message})
	if err == nil || req.MessageFollows && rule.requirement.NeedsMessage() && errors.Is(err, policy.ErrNeedsMessage) {
		return nil
	}
	denial := at.shortfall(req, err)
	switch denial.Reason {
	case challenge.ReasonInsufficientScope, challenge.ReasonInsufficientAuthentication:
		return c.join(denial)
	default:
		return denial
	}
}

// join returns a denial that asks, besides, for what the call needs from which it
// was made: the caller comes back the same way, with a token that may hold nothing
// else.
func (c *Caller) join(denial *challenge.DenialError) *challenge.DenialError {
	asked := &denial.Challenge
	scopes := c.JoinScopes(asked.Scopes, "")
	acrValues, maxAge := asked.ACRValues, asked.MaxAge
	if denial.Reason == challenge.ReasonInsufficientAuthentication && c.at.requirement != nil {
		acrValues, maxAge = c.at.requirement.JoinAuthentication(acrValues, maxAge)
	}
	if len(scopes) == len(asked.Scopes) && slices.Equal(acrValues, asked.ACRValues) && equalAges(maxAge, asked.MaxAge) {
		return denial
	}
	asking := *denial
	asking.Challenge.Scopes, asking.Challenge.ACRValues, asking.Challenge.MaxAge = scopes, acrValues, maxAge
	return &asking
}

// JoinScopes adds to scopes what the requirement needs under which the caller
// was let in and, unless it is empty, what a procedure needs that was called on
// the way. A caller that lacks scopes for a nested call comes back the same way,
// so the challenge asks for all of them.
func (c *Caller) JoinScopes(scopes []string, procedure string) []string {
	if c == nil || c.at == nil {
		return scopes
	}
	if procedure != "" {
		if through := c.at.state.table.Lookup(procedure); through != nil {
			scopes = through.JoinScopes(scopes)
		}
	}
	if c.at.requirement != nil {
		scopes = c.at.requirement.JoinScopes(scopes)
	}
	return scopes
}

// asError keeps a nil denial from becoming an error that is not nil.
func asError(denial *challenge.DenialError) error {
	if denial == nil {
		return nil
	}
	return denial
}
