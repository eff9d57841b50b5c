package interceptor

import (
	"errors"
	"time"
)

// retryAfter is how long a caller should wait when tokens cannot be verified.
const retryAfter = 5 * time.Second

// ChallengeError is a denial: the error of [Authorizer.Authorize], and what
// errors.As finds in the errors of the adapters. It is immutable, and may be
// shared by many calls.
type ChallengeError struct {
	// Kind is the reason.
	Kind Kind
	// Challenge is what the caller is told.
	Challenge Challenge
	// Cause is what happened, for the log alone: it may hold what a caller
	// must not see. Nil if Kind says it all.
	Cause error
	// RetryAfter is how long the caller should wait before it tries again. Zero
	// if trying again does not help.
	RetryAfter time.Duration

	// prebuilt is the address of an error that belongs to an Authorizer. A copy
	// has another one.
	prebuilt *ChallengeError
}

// Error returns a fixed sentence that may be shown to the caller. The cause is
// not in it.
func (e *ChallengeError) Error() string {
	if e.Challenge.ErrorDescription != "" {
		return e.Challenge.ErrorDescription
	}
	return kinds[e.Kind.valid()].message
}

// Unwrap returns the cause, so that errors.Is finds [ErrInvalidToken] and
// [ErrUnavailable] where a [TokenVerifier] returned them.
func (e *ChallengeError) Unwrap() error { return e.Cause }

// Prebuilt reports whether e is one of a bounded number of errors that an
// [Authorizer] builds once and returns again and again. Adapters may keep what
// they make of such an error, keyed by its address; of any other they may not,
// because callers decide how many of those there are.
func (e *ChallengeError) Prebuilt() bool { return e.prebuilt == e }

// DenialOf returns the denial in err. Any other error is an internal one, so
// that an adapter which asks for the reason of a refusal always has one.
func DenialOf(err error) *ChallengeError {
	if denial, ok := errors.AsType[*ChallengeError](err); ok {
		return denial
	}
	return &ChallengeError{Kind: KindInternal, Challenge: Challenge{Scheme: schemeBearer}, Cause: err}
}
