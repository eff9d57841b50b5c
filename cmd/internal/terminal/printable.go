// Package terminal writes text for a person: aligned, in color where that is wanted, and
// without control characters.
package terminal

import (
	"fmt"
	"strings"
	"unicode"
)

// Printable returns text with every character escaped that a terminal could take for a
// command, or that would break a line. Descriptors and tokens hold what others wrote.
func Printable(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if !strings.ContainsFunc(text, isUnprintable) {
		return text
	}
	var safe strings.Builder
	for _, r := range text {
		switch {
		case !isUnprintable(r):
			safe.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&safe, `\x%02x`, r)
		default:
			fmt.Fprintf(&safe, `\u%04x`, r)
		}
	}
	return safe.String()
}

// isUnprintable also reports what is invisible or changes the direction of writing (Cf).
func isUnprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }
