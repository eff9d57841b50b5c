package drawbridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/resource"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// The causes of denials, for the log.
var (
	errNoRule       = errors.New("no rule for this procedure")
	errSyntax       = errors.New("malformed Authorization field")
	errRepeated     = errors.New("more than one credential")
	errTooLong      = fmt.Errorf("%w: longer than %d bytes", token.ErrInvalid, token.MaxLength)
	errExpired      = fmt.Errorf("%w: expired since the call was authorized", token.ErrInvalid)
	errRevoked      = fmt.Errorf("%w: revoked since the call was authorized", token.ErrInvalid)
	errNoInfo       = errors.New("the verifier returned neither an error nor an Info")
	errNoCaller     = errors.New("the context carries no caller of this Authorizer")
	errUnclassified = errors.New("the error is neither token.ErrInvalid nor token.ErrUnavailable")
)

// noRule returns the cause of a denial for want of a rule.
func noRule(req *Request) error {
	switch {
	case req.Procedure == "" && req.Service == "":
		return errors.New("no rule: the request names neither a procedure nor a service")
	case req.Procedure == "":
		return fmt.Errorf("no rule for service %.256q", req.Service)
	case req.Procedure[0] != '/':
		return fmt.Errorf("no rule: %.256q is not a procedure, which begins with a slash", req.Procedure)
	}
	if _, _, ok := rpc.ParseProcedure(req.Procedure); !ok {
		return fmt.Errorf("no rule: %.256q is not a procedure such as /pkg.Service/Method", req.Procedure)
	}
	return errNoRule
}

// ambiguousPath returns the cause of a denial for a path with several readings.
func ambiguousPath(req *Request) error {
	return fmt.Errorf("path %.256q, which routers read in different ways", req.escapedPath())
}

// uncovered returns the cause of a denial for want of a resource.
func (s *state) uncovered(ctx context.Context, req *Request) error {
	host := ""
	if req.Transport != nil {
		host = req.Transport.Host(ctx)
	}
	var resources []string
	for _, address := range s.directory.Addresses() {
		resources = append(resources, address.Identifier)
	}
	return fmt.Errorf("no resource covers host %.256q, path %.256q, service %.256q; resources are %.512q",
		host, req.path(), req.realm(), resources)
}

// wrongIssuer returns the cause of a denial for a token of another issuer.
func wrongIssuer(info *token.Info, r *resource.Resource) error {
	return fmt.Errorf("%w: its issuer is %.256q; the resource trusts %.512q", token.ErrInvalid, info.Issuer, r.Issuers())
}

// wrongAudience returns the cause of a denial for a token for another resource.
func wrongAudience(info *token.Info, r *resource.Resource) error {
	return fmt.Errorf("%w: its audience is %.512q; the resource accepts %.512q", token.ErrInvalid, info.Audience, r.Audiences())
}

// staleInfo returns the cause of a denial for facts that have expired.
func staleInfo(info *token.Info) error {
	return fmt.Errorf("%w: the verifier returned an Info that expired at %s", token.ErrInvalid, info.Expiry.UTC().Format(time.RFC3339))
}

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
	if reason.Challenges() && c.proof != policy.ProofRefused {
		denial.Challenge.Algs = c.state.dpop.algs
		if c.proof == policy.ProofRequired && len(denial.Challenge.Algs) > 0 {
			denial.Challenge.Scheme = challenge.DPoP
		}
	}
	if c.requirement != nil {
		denial.Challenge.Realm = c.requirement.Service()
	}
	if c.requirement != nil && reason != challenge.ReasonForbidden {
		denial.Challenge.Scopes = c.requirement.ChallengeScopes()
	}
	if c.requirement != nil && reason == challenge.ReasonInsufficientAuthentication {
		// RFC 9470 §3 defines these parameters for no other error. They are copies,
		// because a handler may change what Deny returns.
		acrValues, maxAge := c.requirement.ChallengeAuthentication()
		denial.Challenge.ACRValues = slices.Clone(acrValues)
		if maxAge != nil {
			denial.Challenge.MaxAge = new(*maxAge)
		}
	}
	return denial
}

// shortfall returns the denial of a caller that does not meet the requirement. It
// is a kept one if it asks for what the requirement asks for.
func (c *checkpoint) shortfall(req *Request, err error) *challenge.DenialError {
	short, ok := errors.AsType[*policy.ShortfallError](err)
	if !ok {
		return c.denial(req, challenge.ReasonInternal, err)
	}
	denial := c.denial(req, short.Reason, short.Cause)
	asked := &denial.Challenge
	if (short.Scopes == nil || slices.Equal(short.Scopes, asked.Scopes)) && slices.Equal(short.ACRValues, asked.ACRValues) && equalAges(short.MaxAge, asked.MaxAge) {
		return denial
	}
	asking := *denial
	if short.Scopes != nil {
		asking.Challenge.Scopes = short.Scopes
	}
	asking.Challenge.ACRValues, asking.Challenge.MaxAge = short.ACRValues, short.MaxAge
	return &asking
}

// equalAges reports whether two values of max_age are the same.
func equalAges(a, b *time.Duration) bool {
	return a == b || a != nil && b != nil && *a == *b
}
