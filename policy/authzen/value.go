package authzen

import "errors"

// The reasons against the value of a call. They stand behind the path.
var (
	errAbsent  = errors.New("the call does not have this value")
	errEmpty   = errors.New("is empty, and stands for an ID")
	errNotText = errors.New("is neither a text nor an integer, and stands for an ID")
	errNotUTF8 = errors.New("is not UTF-8")
	errNotJSON = errors.New("cannot be written as JSON")
	errMessage = errors.New("the message is of another type, or of another version of its type")
)

// A value is read from a call, or fixed. It is immutable and safe for concurrent use.
type value interface {
	// appendJSON appends the value, or reports false if the call does not have it.
	appendJSON(b []byte, d *draft) ([]byte, bool, error)
	// appendID appends the value as a JSON string that is not empty.
	appendID(b []byte, d *draft) ([]byte, error)
	// needsMessage reports whether the value is read from the message.
	needsMessage() bool
}

// A literal is a text of the question, as a JSON string.
type literal string

func (l literal) appendJSON(b []byte, _ *draft) ([]byte, bool, error) {
	return append(b, l...), true, nil
}

func (l literal) appendID(b []byte, _ *draft) ([]byte, error) { return append(b, l...), nil }

func (literal) needsMessage() bool { return false }
