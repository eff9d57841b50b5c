package verifier

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	// maxText bounds the text of an error, in bytes. It goes into a log, once for
	// each refused token.
	maxText = 300
	// maxQuoted bounds how much of an untrusted text is quoted in an error, so
	// that there is space for the rest.
	maxQuoted = 80
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
	return printable(f.class.Error() + ": " + f.part + f.cause.Error())
}

func (f *failure) Is(target error) bool { return target == f.class }
func (f *failure) Unwrap() error        { return f.cause }

// quote makes an untrusted text fit for a log: it is short, and its control
// characters are visible.
func quote(text string) string { return strconv.Quote(clip(text, maxQuoted)) }

// printable makes a text that may contain parts of an untrusted one fit for a log,
// like quote.
func printable(text string) string {
	return clip(strings.Map(visible, clip(text, maxText)), maxText)
}

func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// clip shortens a text to at most limit bytes.
func clip(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit {
		return text
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
