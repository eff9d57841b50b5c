package wwwauth

import (
	"strings"
	"unicode/utf8"
)

// typicalLength is room for a Bearer challenge with all parameters of RFC 6750
// and a metadata URL, so that [Challenge.String] allocates only its result.
const typicalLength = 512

// String returns the challenge as [Append] writes it.
func (c Challenge) String() string {
	var buf [typicalLength]byte
	return string(Append(buf[:0], c))
}

// Append appends the challenge to dst in the form of a WWW-Authenticate field
// value and returns the extended slice.
//
// The result is safe to send whatever c holds:
//   - Every value is a quoted-string. RFC 9110 §11.5 requires that of realm,
//     and RFC 6750 §3 and RFC 9470 §3 show no other form.
//   - Characters that a value may not hold are replaced as in
//     [CleanDescription]; `"` and `\` of other parameters than those of OAuth
//     are escaped, for quoted-pair is the only escape there is (RFC 9110
//     §5.6.4).
//   - Of parameters with the same name the first is written (RFC 9110 §11.2).
//   - Left out is what has no form: a parameter whose name is not a token or
//     whose value is empty, and a Token68 that is malformed or stands beside
//     parameters. If Scheme is not a token, nothing is appended at all.
func Append(dst []byte, c Challenge) []byte {
	if !isToken(c.Scheme) {
		return dst
	}
	dst = append(dst, c.Scheme...)
	if len(c.Params) == 0 && isToken68(c.Token68) {
		dst = append(dst, ' ')
		return append(dst, c.Token68...)
	}
	separator := " "
	for i, p := range c.Params {
		if !isWritten(p) || isRepeated(c.Params, i) {
			continue
		}
		dst = append(dst, separator...)
		dst = append(dst, p.Name...)
		dst = append(dst, '=')
		dst = appendQuoted(dst, p.Value, isOAuthText(p.Name))
		separator = ", "
	}
	return dst
}

// isWritten reports whether the parameter has a form in a header. An empty
// value says nothing, and common clients refuse the whole challenge over it.
func isWritten(p Param) bool {
	return isToken(p.Name) && p.Value != ""
}

// isRepeated reports whether a parameter before the i-th takes its name.
func isRepeated(params []Param, i int) bool {
	for _, earlier := range params[:i] {
		if strings.EqualFold(earlier.Name, params[i].Name) && isWritten(earlier) {
			return true
		}
	}
	return false
}

// isOAuthText reports whether RFC 6750 §3 narrows the characters of the
// parameter, so that it can hold neither a quote nor a backslash, escaped or
// not.
func isOAuthText(name string) bool {
	for _, narrowed := range [...]string{"error", "error_description", "error_uri", "scope"} {
		if strings.EqualFold(name, narrowed) {
			return true
		}
	}
	return false
}

// appendQuoted appends value as a quoted-string (RFC 9110 §5.6.4). Nearly every
// value is plain from end to end and is copied at once.
func appendQuoted(dst []byte, value string, oauthText bool) []byte {
	dst = append(dst, '"')
	plain := prefixLen(value, isPlain)
	dst = append(dst, value[:plain]...)
	for _, r := range value[plain:] {
		switch {
		case oauthText:
			dst = utf8.AppendRune(dst, cleanOAuthText(r))
		case r == '"' || r == '\\':
			dst = utf8.AppendRune(append(dst, '\\'), r)
		default:
			dst = utf8.AppendRune(dst, cleanText(r))
		}
	}
	return append(dst, '"')
}
