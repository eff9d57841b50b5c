package wwwauth

import (
	"strings"
	"unicode/utf8"
)

// typicalLength has room for a Bearer challenge with all parameters of RFC 6750
// and a metadata URL, so that [Challenge.String] allocates only its result.
const typicalLength = 512

// String returns the challenge as [Append] writes it.
func (c Challenge) String() string {
	var buf [typicalLength]byte
	return string(Append(buf[:0], c))
}

// Append appends the challenge to dst as the value of a WWW-Authenticate field,
// and returns the extended slice.
//
// The result is safe to send whatever c holds:
//   - Every value is a quoted-string. RFC 9110 §11.5 requires that of realm,
//     and RFC 6750 §3 and RFC 9470 §3 show no other form.
//   - Characters that a value may not hold are replaced as in
//     [CleanDescription]. In parameters other than those of OAuth, `"` and `\`
//     are escaped as quoted-pairs (RFC 9110 §5.6.4).
//   - Of several parameters with one name, the first is written (RFC 9110
//     §11.2).
//   - A parameter is left out if its name is not a token or its value is empty,
//     and a Token68 if it is malformed or there are parameters. Nothing is
//     appended if Scheme is not a token.
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

// isWritten reports whether a parameter can be written. An empty value carries
// no information, and common clients reject the whole challenge because of it.
func isWritten(p Param) bool {
	return isToken(p.Name) && p.Value != ""
}

// isRepeated reports whether a parameter before the i-th has the same name.
func isRepeated(params []Param, i int) bool {
	for _, earlier := range params[:i] {
		if strings.EqualFold(earlier.Name, params[i].Name) && isWritten(earlier) {
			return true
		}
	}
	return false
}

// isOAuthText reports whether RFC 6750 §3 restricts the characters of a
// parameter, which then holds neither quotes nor backslashes, escaped or not.
func isOAuthText(name string) bool {
	for _, narrowed := range [...]string{"error", "error_description", "error_uri", "scope"} {
		if strings.EqualFold(name, narrowed) {
			return true
		}
	}
	return false
}

// appendQuoted appends value as a quoted-string (RFC 9110 §5.6.4). Most values
// consist of plain characters, and are copied at once.
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
