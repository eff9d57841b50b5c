package authzen

import (
	"net/http"
	"strings"
)

// isOwnField reports whether a header field is not for a configuration to set.
func isOwnField(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host",
		"Idempotency-Key", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "X-Idempotency-Key", requestID:
		return true
	default:
		return false
	}
}

// isFieldName reports whether name is a token (RFC 9110 §5.1).
func isFieldName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// isNoFieldValue reports whether a text cannot be a field value (RFC 9110 §5.5).
func isNoFieldValue(value string) bool {
	return strings.TrimSpace(value) != value || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f })
}

// isToken reports whether raw may stand in an Authorization field after the scheme
// (RFC 6750 §2.1).
func isToken(raw string) bool {
	return raw != "" && !strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
