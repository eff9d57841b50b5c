package drawbridge

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
)

// Authorizer decides about calls. It is safe for concurrent use. It has one
// immutable configuration at a time, which [Authorizer.Reconfigure] replaces. The
// zero Authorizer has none, and is not usable until Reconfigure has set one; [New] does
// both.
type Authorizer struct {
	state atomic.Pointer[state]
}

// New returns an Authorizer, or every fault of the configuration at once: its
// error joins [*fault.Fault] values, over which fault.All iterates.
func New(cfg Config) (*Authorizer, error) {
	a := new(Authorizer)
	if err := a.Reconfigure(cfg); err != nil {
		return nil, err
	}
	return a, nil
}

// Reconfigure replaces the configuration. It checks all of cfg as [New] does; if
// there is a fault, it returns every one and the old configuration stays.
//
// A call is bound to the configuration that its first decision used: adapters
// further in, Check, and the challenge of a nested call use it too, and a stream
// keeps its rule until it ends. Calls that begin afterwards use the new one.
func (a *Authorizer) Reconfigure(cfg Config) error {
	s, err := newState(a, &cfg)
	if err != nil {
		return err
	}
	a.state.Store(s)
	for _, warning := range s.table.Warnings() {
		s.log().Warn("drawbridge: policy: " + warning.Error())
	}
	return nil
}

// Warnings returns what may be a mistake in the policy and is no fault, see
// [policy.Table.Warnings]. They are also logged when the configuration is set.
func (a *Authorizer) Warnings() []*fault.Fault { return a.state.Load().table.Warnings() }

// Authorize decides about a request. It returns a context that carries the
// caller, for [token.FromContext] and [Authorizer.Check], or a
// [*challenge.DenialError]. Each decision is logged and observed once, here.
//
// Nothing is remembered between calls: a verifier may keep facts of tokens, but
// no decision outlives the call that it was made for.
//
// Servers use connectauth, grpcauth or httpbridge, which call it.
func (a *Authorizer) Authorize(ctx context.Context, req Request) (context.Context, error) {
	authorized, denial := a.Adapter().Authorize(ctx, &req)
	return authorized, asError(denial)
}

// Check decides whether the caller that ctx carries may call a further
// procedure, "/pkg.Service/Method", inside this process: it applies the rule of
// that procedure to the token that was verified when the caller was let in. It
// is for code that acts for the caller without sending a request, such as an MCP
// tool that calls a service's Go method.
//
// The error is nil or a [*challenge.DenialError]. A denial for want of scopes
// asks for all that the procedure and the call it was made from need together.
// A ctx that carries no caller of this Authorizer is a fault of the program, and
// the reason is [challenge.ReasonInternal].
func (a *Authorizer) Check(ctx context.Context, procedure string) error {
	caller := a.Adapter().Caller(ctx)
	if caller == nil {
		return a.Adapter().Refuse(ctx, &Request{Procedure: procedure}, challenge.ReasonInternal, errNoCaller)
	}
	return caller.Check(ctx, procedure)
}

// CheckMessage is [Authorizer.Check] for a unary call whose message is known: without
// it, a rule that depends on the message is not met. The message is not changed and not
// kept.
func (a *Authorizer) CheckMessage(ctx context.Context, procedure string, message proto.Message) error {
	caller := a.Adapter().Caller(ctx)
	if caller == nil {
		return a.Adapter().Refuse(ctx, &Request{Procedure: procedure}, challenge.ReasonInternal, errNoCaller)
	}
	return caller.CheckMessage(ctx, procedure, message)
}

// Deny returns the denial with which a handler refuses a call for a reason of its
// own, such as an object that belongs to another user, and has it logged with the
// cause, which may be nil. The handler returns it, over whatever protocol, or
// writes it with the bridge: the caller gets the challenge of the resource it
// came to. With [challenge.ReasonInsufficientScope] that asks for scopes and for
// those that the call itself needs, because the caller comes back the same way.
//
// The result is the caller's own and may be changed before it is returned: with
// [challenge.ReasonInsufficientAuthentication], its Challenge says with ACRValues
// and MaxAge which authentication is needed (RFC 9470 §3). If ctx carries no
// caller of this Authorizer, the reason is [challenge.ReasonInternal].
func (a *Authorizer) Deny(ctx context.Context, reason challenge.Reason, cause error, scopes ...string) *challenge.DenialError {
	caller := a.Adapter().Caller(ctx)
	if caller == nil {
		return a.Adapter().Refuse(ctx, new(Request), challenge.ReasonInternal, errors.Join(errNoCaller, cause))
	}
	denial := caller.at.build(reason)
	denial.Cause = cause
	denial.Challenge.Scopes = slices.Clone(denial.Challenge.Scopes)
	if reason == challenge.ReasonInsufficientScope {
		denial.Challenge.Scopes = caller.JoinScopes(slices.Clone(scopes), "")
	}
	req := Request{Service: denial.Challenge.Realm}
	caller.at.state.observe(ctx, &req, &record{at: caller.at, info: caller.info, denial: denial})
	return denial
}
