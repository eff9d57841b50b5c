package jwt

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxText bounds the text of an error, in bytes. It goes into a log, once for
	// each refused token.
	MaxText = 300
	// MaxQuoted bounds how much of an untrusted text is quoted in an error, so
	// that there is space for the rest.
	MaxQuoted = 80
)

// Quote makes an untrusted text fit for a log: it is short, and its control
// characters are visible.
func Quote(text string) string { return strconv.Quote(Clip(text, MaxQuoted)) }

// Printable makes a text that may contain parts of an untrusted one fit for a log,
// like [Quote].
func Printable(text string) string {
	return Clip(strings.Map(visible, Clip(text, MaxText)), MaxText)
}

func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// Clip shortens a text to at most limit bytes.
func Clip(text string, limit int) string {
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
