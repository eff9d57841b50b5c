package drawbridge

import (
	"context"
	"errors"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// walk is the way of one request through a decision. Its steps go straight down;
// each goes on or returns a denial, and none is entered twice. A request that no
// step expressly allows is denied.
//
// The request is passed to each step: a walk that held it would move it to the
// heap.
type walk struct {
	state *state
	rule  *rule
	at    *checkpoint

	start   time.Time // zero unless there are observers
	covered bool      // whether a resource covers the path and serves the service
	value   string
	raw     string
	outer   *Caller // whom a decision further out let in
	isDPoP  bool    // whether the token was sent under the scheme DPoP
	info    *token.Info
}

// decide returns nil for a caller that is let in.
func (w *walk) decide(ctx context.Context, req *Request) *challenge.DenialError {
	w.rule = w.state.ruleFor(req.Procedure, req.Service)
	if w.rule.isPublic() {
		// A public rule asks for no resource: a health probe comes with any
		// Host. Nothing before this may refuse.
		w.at = w.rule.at(nil)
		return nil
	}
	if denial := w.locate(ctx, req); denial != nil {
		return denial
	}
	if denial := w.readCredential(ctx, req); denial != nil {
		return denial
	}
	if denial := w.verify(ctx, req); denial != nil {
		return denial
	}
	if denial := w.checkResource(ctx, req); denial != nil {
		return denial
	}
	if w.info.Confirmation != nil || w.isDPoP || w.at.proof == policy.ProofRequired {
		if denial := w.checkBindings(ctx, req); denial != nil {
			return denial
		}
	}
	return w.checkRequirement(ctx, req)
}

// locate finds the resource, and refuses a path that can be read in two ways.
func (w *walk) locate(ctx context.Context, req *Request) *challenge.DenialError {
	if addresses := w.state.directory.Addresses(); len(addresses) == 1 && w.rule.requirement != nil && req.isProcedure() {
		// There is nothing to choose, and a procedure that a rule covers has no
		// characters to disagree about.
		w.covered, w.at = true, w.rule.at(addresses[0])
		return nil
	}
	located := req.located()
	address := w.state.directory.Locate(ctx, &located)
	w.at = w.rule.at(address)
	if w.covered = address != nil && w.at.isServed; !w.covered {
		// Only a caller with a token learns that there is nothing here.
		w.rule = w.state.noRule
		w.at = w.rule.at(address)
	}
	if w.state.directory.IsAmbiguous(ctx, &located) {
		return w.at.described(req, challenge.ReasonInvalidRequest, challenge.AmbiguousPath, ambiguousPath(req))
	}
	return nil
}

func (w *walk) readCredential(ctx context.Context, req *Request) *challenge.DenialError {
	var values []string
	if req.Transport != nil {
		values = req.Transport.Values(ctx, "Authorization")
	}
	raw, found := readCredential(values, req.QueryToken, w.state.dpop.method != "")
	switch found {
	case credentialNone:
		return w.at.denial(req, challenge.ReasonNoCredentials, nil)
	case credentialMalformed:
		return w.at.denial(req, challenge.ReasonInvalidRequest, errSyntax)
	case credentialRepeated:
		return w.at.denial(req, challenge.ReasonInvalidRequest, errRepeated)
	case credentialBearer:
	case credentialDPoP:
		w.isDPoP = true
	}
	w.value, w.raw = values[0], raw
	return nil
}

func (w *walk) verify(ctx context.Context, req *Request) *challenge.DenialError {
	if len(w.raw) > token.MaxLength {
		return w.at.denial(req, challenge.ReasonInvalidToken, errTooLong)
	}
	info, reason, err := w.state.verify(ctx, w.raw, w.at.resource)
	if err != nil {
		return w.at.denial(req, reason, err)
	}
	w.info = info
	if !w.state.checksExpiry && info.Expired(time.Now()) {
		return w.at.denial(req, challenge.ReasonInvalidToken, staleInfo(info))
	}
	return nil
}

// checkResource compares issuer and audience with the resource of the request.
func (w *walk) checkResource(ctx context.Context, req *Request) *challenge.DenialError {
	r := w.at.address.Resource
	switch {
	case !w.covered:
		return w.at.denial(req, challenge.ReasonNotFound, w.state.uncovered(ctx, req))
	case !r.Trusts(w.info.Issuer):
		return w.at.denial(req, challenge.ReasonInvalidToken, wrongIssuer(w.info, r))
	case !r.Accepts(w.info.Audience):
		return w.at.described(req, challenge.ReasonInvalidToken, challenge.WrongAudience, wrongAudience(w.info, r))
	default:
		return nil
	}
}

func (w *walk) checkRequirement(ctx context.Context, req *Request) *challenge.DenialError {
	if w.rule.requirement == nil {
		return w.at.denial(req, challenge.ReasonNotFound, noRule(req))
	}
	err := w.rule.requirement.Check(ctx, policy.Input{Info: w.info, Procedure: req.Procedure, Message: req.Message})
	switch {
	case err == nil:
		return nil
	case req.MessageFollows && w.rule.requirement.NeedsMessage() && errors.Is(err, policy.ErrNeedsMessage):
		w.at = &w.rule.open[w.at.address.Index]
		return nil
	default:
		return w.at.shortfall(req, err)
	}
}

// stands reports whether the decision about the caller is one about this very
// request: requirement, resource and credential are the same, the token has not
// expired, and what the requirement asks of the call itself was judged of this call, or
// waits for its message.
func (w *walk) stands(ctx context.Context, req *Request, caller *Caller) bool {
	requirement := w.state.ruleFor(req.Procedure, req.Service).requirement
	if requirement == nil || requirement != caller.at.requirement {
		return false
	}
	if requirement.Public() {
		return true
	}
	if !requirement.StandsFor() && !caller.at.isOpen && !caller.hasJudged(ctx, req) {
		return false
	}
	if caller.info == nil || req.Transport == nil || req.QueryToken {
		return false
	}
	values := req.Transport.Values(ctx, "Authorization")
	if len(values) != 1 || values[0] != caller.credential {
		return false
	}
	located := req.located()
	address := w.state.directory.Locate(ctx, &located)
	if address == nil || address.Resource != caller.at.address.Resource || w.state.directory.IsAmbiguous(ctx, &located) {
		return false
	}
	return caller.info.Expiry.IsZero() || !caller.info.Expired(time.Now())
}
