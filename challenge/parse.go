package challenge

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

// A SyntaxError is the error of [Parse]. It quotes nothing of the header.
type SyntaxError struct {
	// Value is the index of the malformed value among those passed to Parse.
	Value int
	// Offset is the index of the offending byte in that value.
	Offset int
	// Reason is a fixed phrase.
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("www-authenticate: value %d, byte %d: %s", e.Value, e.Offset, e.Reason)
}

// Parse parses the values of all WWW-Authenticate fields of an HTTP response, in
// order (RFC 9110 §11.6.1). It returns a Challenge for each challenge, whatever
// its scheme. It ignores parameters that a Challenge has no field for, and a
// max_age that is not a number of seconds. Its error is a [*SyntaxError].
//
// A challenge is untrusted: a client that follows ResourceMetadataURL has to
// check that the resource in the document is the one that it called (RFC 9728
// §3.3).
func Parse(values []string) ([]Challenge, error) {
	parsed, err := wwwauth.Parse(values)
	if syntax, ok := errors.AsType[*wwwauth.SyntaxError](err); ok {
		return nil, &SyntaxError{Value: syntax.Line, Offset: syntax.Offset, Reason: string(syntax.Reason)}
	}
	challenges := make([]Challenge, len(parsed))
	for i, c := range parsed {
		challenges[i] = Challenge{
			Scheme:              c.Scheme,
			Realm:               c.Get("realm"),
			ResourceMetadataURL: c.Get("resource_metadata"),
			Scopes:              fields(c.Get("scope")),
			Error:               c.Get("error"),
			ErrorDescription:    c.Get("error_description"),
			ACRValues:           fields(c.Get("acr_values")),
			MaxAge:              parseSeconds(c.Get("max_age")),
			Algs:                fields(c.Get("algs")),
		}
	}
	return challenges, nil
}

// fields splits a list separated by spaces. It returns nil for an empty one, as
// in the Challenge that the header was written from.
func fields(list string) []string {
	return append([]string(nil), strings.Fields(list)...)
}

// parseSeconds returns nil for text that is not a number of seconds.
func parseSeconds(text string) *time.Duration {
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return nil
	}
	return durationOf(int64(seconds))
}

// durationOf returns seconds as a duration, or the nearest that is not negative
// and does not overflow.
func durationOf(seconds int64) *time.Duration {
	const longest = int64(1<<63-1) / int64(time.Second)
	return new(time.Duration(min(max(seconds, 0), longest)) * time.Second)
}
