package verifier

import (
	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// A failure is the error of a verification. It unwraps to its cause, and its
// class is a sentinel of package token. Its text is not made before it is asked
// for.
type failure struct {
	class error
	part  string // of the token, or empty
	cause error
}

// invalid blames the caller.
func invalid(cause error) error { return &failure{class: token.ErrInvalid, cause: cause} }

// invalidPart blames a part of the token.
func invalidPart(part string, cause error) error {
	return &failure{class: token.ErrInvalid, part: part + ": ", cause: cause}
}

// unavailable means that the token could not be judged.
func unavailable(cause error) error { return &failure{class: token.ErrUnavailable, cause: cause} }

func (f *failure) Error() string {
	return jwt.Printable(f.class.Error() + ": " + f.part + f.cause.Error())
}

func (f *failure) Is(target error) bool { return target == f.class }
func (f *failure) Unwrap() error        { return f.cause }
