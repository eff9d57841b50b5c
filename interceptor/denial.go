package interceptor

import (
	"errors"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// The causes of denials, for the log.
var (
	errNoRule       = errors.New("no rule for this procedure")
	errNoResource   = errors.New("no resource covers this path")
	errAmbiguous    = errors.New("path that routers read in different ways")
	errSyntax       = errors.New("malformed Authorization field")
	errRepeated     = errors.New("more than one credential")
	errTooLong      = fmt.Errorf("%w: longer than %d bytes", ErrInvalidToken, MaxTokenLength)
	errAudience     = fmt.Errorf("%w: issued for another resource", ErrInvalidToken)
	errExpired      = fmt.Errorf("%w: expired since the call was authorised", ErrInvalidToken)
	errNoTokenInfo  = errors.New("the verifier returned neither an error nor a TokenInfo")
	errUnclassified = errors.New("the verifier returned an error that is neither ErrInvalidToken nor ErrUnavailable")
)

// Sentences that are more exact than those of the kinds.
const (
	wrongAudience = "the access token was issued for another resource"
	ambiguousPath = "the path of the request can be read in different ways"
)

// noCredentials returns the denial of a caller that sent no token. A service or
// method without a rule gets it as well, so that it shows to nobody.
func (a *Authorizer) noCredentials(req *Request, requirement *policy.Requirement, through *door) *ChallengeError {
	if requirement == nil {
		return newDenial(KindNoCredentials, req, nil, through, nil)
	}
	place := &a.challenged[requirement.Index()*len(a.directory.doors)+through.index]
	if denial := place.Load(); denial != nil {
		return denial
	}
	denial := newDenial(KindNoCredentials, req, requirement, through, nil)
	denial.prebuilt = denial
	if !place.CompareAndSwap(nil, denial) {
		return place.Load()
	}
	return denial
}

// newDenial builds the denial of a request: what a rule asks, at the door that
// the caller came through. Requirement and door may be nil.
func newDenial(kind Kind, req *Request, requirement *policy.Requirement, through *door, cause error) *ChallengeError {
	denial := &ChallengeError{Kind: kind, Cause: cause, Challenge: Challenge{Scheme: schemeBearer, Realm: req.realm()}}
	if requirement != nil {
		denial.Challenge.Realm = requirement.Service()
		denial.Challenge.Scopes = requirement.Ask()
	}
	if through != nil {
		denial.Challenge.ResourceMetadata = through.metadataURL
	}
	if oauth := kinds[kind].oauth; oauth != "" {
		denial.Challenge.Error = oauth
		denial.Challenge.ErrorDescription = kinds[kind].message
	}
	if kind == KindUnavailable {
		denial.RetryAfter = retryAfter
	}
	return denial
}

// realm returns the name of the service that was asked for, which the caller
// may have made up: it is empty unless it is well-formed.
func (req *Request) realm() string {
	if req.Procedure != "" {
		service, _, _ := policy.ParseProcedure(req.Procedure)
		return service
	}
	if !policy.ValidService(req.Service) {
		return ""
	}
	return req.Service
}

// name returns what was asked for, for the log.
func (req *Request) name() string {
	if req.Procedure != "" {
		return req.Procedure
	}
	return req.Service
}
