package drawbridge

import (
	"errors"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// The causes of denials, for the log.
var (
	errNoRule       = errors.New("no rule for this procedure")
	errNoResource   = errors.New("no resource covers this path")
	errAmbiguous    = errors.New("path that routers read in different ways")
	errSyntax       = errors.New("malformed Authorization field")
	errRepeated     = errors.New("more than one credential")
	errTooLong      = fmt.Errorf("%w: longer than %d bytes", token.ErrInvalid, token.MaxLength)
	errIssuer       = fmt.Errorf("%w: from an issuer that is not one of this resource", token.ErrInvalid)
	errAudience     = fmt.Errorf("%w: issued for another resource", token.ErrInvalid)
	errUnproven     = fmt.Errorf("%w: bound to a key of the client (cnf), and no binding is configured for the method", token.ErrInvalid)
	errExpired      = fmt.Errorf("%w: expired since the call was authorized", token.ErrInvalid)
	errNoInfo       = errors.New("the verifier returned neither an error nor an Info")
	errNoCaller     = errors.New("the context carries no caller of this Authorizer")
	errUnclassified = errors.New("the error is neither token.ErrInvalid nor token.ErrUnavailable")
)

// denial returns the denial for a reason. The same pointer is returned again for
// a requirement without a cause; what adapters make of it is kept either way.
func (c *checkpoint) denial(req *Request, reason challenge.Reason, cause error) *challenge.DenialError {
	if c.requirement == nil {
		denial := c.build(reason)
		denial.Challenge.Realm = req.realm()
		denial.Cause = cause
		return denial
	}
	kept := &c.denials[reason]
	denial := kept.Load()
	if denial == nil {
		kept.CompareAndSwap(nil, c.build(reason).Prebuilt())
		denial = kept.Load()
	}
	if cause == nil {
		return denial
	}
	return denial.WithCause(cause)
}

// described returns a denial with a sentence that is more exact than that of
// the reason.
func (c *checkpoint) described(req *Request, reason challenge.Reason, sentence string, cause error) *challenge.DenialError {
	denial := c.build(reason)
	if c.requirement == nil {
		denial.Challenge.Realm = req.realm()
	}
	denial.Challenge.ErrorDescription = sentence
	denial.Cause = cause
	return denial
}

func (c *checkpoint) build(reason challenge.Reason) *challenge.DenialError {
	denial := challenge.NewDenial(reason, nil)
	denial.Challenge.ResourceMetadataURL = c.address.MetadataURL
	if c.requirement != nil {
		denial.Challenge.Realm = c.requirement.Service()
	}
	if c.requirement != nil && reason != challenge.ReasonForbidden {
		denial.Challenge.Scopes = c.requirement.ChallengeScopes()
	}
	return denial
}

// shortfall returns the denial of a caller that does not meet the requirement.
func (c *checkpoint) shortfall(req *Request, err error) *challenge.DenialError {
	short, ok := errors.AsType[*policy.ShortfallError](err)
	if !ok {
		return c.denial(req, challenge.ReasonInternal, err)
	}
	if short.Reason == challenge.ReasonInsufficientScope && short.Cause == nil {
		return c.denial(req, short.Reason, nil)
	}
	denial := c.build(short.Reason)
	denial.Cause = short.Cause
	if short.Scopes != nil {
		denial.Challenge.Scopes = short.Scopes
	}
	denial.Challenge.ACRValues = short.ACRValues
	denial.Challenge.MaxAge = short.MaxAge
	return denial
}
