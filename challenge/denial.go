package challenge

import (
	"errors"
	"time"
)

// RetryAfter is the time that a caller should wait while tokens cannot be
// verified.
const RetryAfter = 5 * time.Second

// A DenialError is the denial of a call. The Authorizer returns it, and FromError
// of an adapter finds it in the errors of its framework. It must not be changed
// once it was returned, because many calls may share it; a copy may be.
type DenialError struct {
	// Reason is why the call was denied.
	Reason Reason
	// Challenge is sent to the caller.
	Challenge Challenge
	// Cause is the underlying error. It is for the log alone, because it may
	// hold details that a caller must not see. It may be nil.
	Cause error
	// RetryAfter is the time that the caller should wait before it retries. It is
	// zero if a retry does not help.
	RetryAfter time.Duration
	// Remote reports that the denial came over the wire, from a backend.
	Remote bool

	// self is the address of the denial that owns forms. A copy has another
	// address, so forms made before the copy was changed are not used for it.
	self  *DenialError
	forms *forms
}

// NewDenial returns a denial with the OAuth error, the description and the retry
// time of the reason. The caller adds realm, resource and scopes to the
// challenge. The cause may be nil.
func NewDenial(reason Reason, cause error) *DenialError {
	denial := &DenialError{Reason: reason, Cause: cause, Challenge: Challenge{Scheme: Bearer}}
	if oauth := reason.OAuthError(); oauth != "" {
		denial.Challenge.Error = oauth
		denial.Challenge.ErrorDescription = reason.Message()
	}
	if reason == ReasonUnavailable {
		denial.RetryAfter = RetryAfter
	}
	return denial
}

// DenialOf returns the [DenialError] in err. If there is none, it returns one of
// [ReasonInternal] whose cause is err.
func DenialOf(err error) *DenialError {
	if denial, ok := errors.AsType[*DenialError](err); ok {
		return denial
	}
	return &DenialError{Reason: ReasonInternal, Challenge: Challenge{Scheme: Bearer}, Cause: err}
}

// Error returns a fixed sentence that may be sent to the caller: the description
// of the challenge, or else that of its OAuth error or of the reason. It does not
// include the cause.
func (e *DenialError) Error() string {
	if e.Challenge.ErrorDescription != "" {
		return e.Challenge.ErrorDescription
	}
	return e.Reason.sentence(e.Challenge.Error)
}

// Unwrap returns the cause, so that errors.Is finds the token.ErrInvalid or
// token.ErrUnavailable of a verifier.
func (e *DenialError) Unwrap() error { return e.Cause }

// Prebuilt returns a copy of e that keeps each [Form] of it once built. It is for
// denials of which there is a bounded number, because a form lives as long as its
// denial. A copy of the result keeps no forms.
func (e *DenialError) Prebuilt() *DenialError {
	denial := *e
	denial.self, denial.forms = &denial, new(forms)
	return &denial
}

// WithCause returns a copy of e with another cause. If e is prebuilt, the copy
// shares its forms, which do not depend on the cause.
func (e *DenialError) WithCause(cause error) *DenialError {
	denial := *e
	denial.Cause = cause
	denial.self, denial.forms = nil, nil
	if e.self == e {
		denial.self, denial.forms = &denial, e.forms
	}
	return &denial
}
