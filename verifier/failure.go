package verifier

import (
	"fmt"
	"strconv"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// maxQuoted bounds how much of an untrusted text is quoted in an error.
const maxQuoted = 128

// invalid blames the caller.
func invalid(cause error) error {
	return fmt.Errorf("%w: %w", token.ErrInvalid, cause)
}

// unavailable means that the token could not be judged.
func unavailable(cause error) error {
	return fmt.Errorf("%w: %w", token.ErrUnavailable, cause)
}

// quote makes an untrusted text fit for a log.
func quote(text string) string {
	if len(text) > maxQuoted {
		return strconv.Quote(text[:maxQuoted]) + "…"
	}
	return strconv.Quote(text)
}
