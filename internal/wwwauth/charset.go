package wwwauth

import "strings"

// CleanDescription replaces every character that RFC 6750 §3 does not allow in
// error and error_description (%x20-21 / %x23-5B / %x5D-7E), so that the same
// text fits a header and a JSON body. A quote becomes an apostrophe, a control
// character a space, and any other character a question mark. Escaping does not
// help, because the set excludes the characters, not only their unescaped form.
//
// CleanDescription returns a string that needs no replacement unchanged, without
// allocating.
func CleanDescription(s string) string {
	return strings.Map(cleanOAuthText, s)
}

// ValidScopeToken reports whether s is a scope-token: one or more of
// %x21 / %x23-5B / %x5D-7E (RFC 6749 §3.3).
func ValidScopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == ' ' || rune(c) != cleanOAuthText(rune(c)) {
			return false
		}
	}
	return s != ""
}

// cleanOAuthText maps r to itself or to its replacement in the set of RFC 6750
// §3.
func cleanOAuthText(r rune) rune {
	switch r {
	case '"':
		return '\''
	case '\\':
		return '?'
	default:
		return cleanText(r)
	}
}

// cleanText maps r to itself or to its replacement in visible ASCII and space.
// RFC 9110 §5.6.4 allows tabs and bytes above ASCII in a quoted-string, but some
// clients do not.
func cleanText(r rune) rune {
	switch {
	case r < ' ' || r == 0x7F:
		return ' '
	case r > 0x7F:
		return '?'
	default:
		return r
	}
}

// isToken reports whether s is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	return s != "" && prefixLen(s, isTokenChar) == len(s)
}

// isToken68 reports whether s is a token68 (RFC 9110 §11.2).
func isToken68(s string) bool {
	return s != "" && token68Len(s) == len(s)
}

// token68Len returns the length of the token68 at the start of s, one or more
// characters and then padding, or 0.
func token68Len(s string) int {
	n := prefixLen(s, isToken68Char)
	if n == 0 {
		return 0
	}
	return n + prefixLen(s[n:], func(c byte) bool { return c == '=' })
}

// prefixLen returns the length of the longest prefix of s whose characters are
// all in the set.
func prefixLen(s string, set func(byte) bool) int {
	for i := range len(s) {
		if !set(s[i]) {
			return i
		}
	}
	return len(s)
}

func isTokenChar(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isToken68Char(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("-._~+/", c) >= 0
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isQuotable reports whether a quoted-string may contain c, escaped if necessary
// (RFC 9110 §5.6.4).
func isQuotable(c byte) bool {
	return c == '\t' || ' ' <= c && c != 0x7F
}

// isPlain reports whether every parameter may contain c unescaped.
func isPlain(c byte) bool {
	return ' ' <= c && c <= '~' && c != '"' && c != '\\'
}

// isSpace reports whether c is optional whitespace (RFC 9110 §5.6.3).
func isSpace(c byte) bool {
	return c == ' ' || c == '\t'
}
