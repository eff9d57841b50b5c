package verifier

import (
	"fmt"
	"strconv"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// maxQuoted bounds how much of a foreign text is quoted in an error.
const maxQuoted = 128

// invalid says that the caller is at fault. The message is for a log: it may
// quote a claim, but never holds the token.
func invalid(cause error) error {
	return fmt.Errorf("%w: %w", interceptor.ErrInvalidToken, cause)
}

// unavailable says that the token could not be judged.
func unavailable(cause error) error {
	return fmt.Errorf("%w: %w", interceptor.ErrUnavailable, cause)
}

// A panicError is a panic in a fetch, which no caller could recover: it would end
// the program.
type panicError struct {
	value any
	stack []byte
}

// Error implements error. The stack is for the log alone.
func (e *panicError) Error() string { return "panicked: " + quote(fmt.Sprint(e.value)) }

// quote makes a text that a stranger has written fit for a log.
func quote(text string) string {
	if len(text) > maxQuoted {
		return strconv.Quote(text[:maxQuoted]) + "…"
	}
	return strconv.Quote(text)
}
