package drawbridge

import (
	"strings"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// credential is the outcome of reading the Authorization field.
type credential uint8

const (
	credentialNone      credential = iota // none, or an unsupported scheme
	credentialBearer                      // one token
	credentialDPoP                        // one token, under the scheme DPoP
	credentialMalformed                   // violates RFC 6750 §2.1
	credentialRepeated                    // more than one
)

// readCredential returns the token in the values of the Authorization field
// (RFC 6750 §2.1, RFC 9449 §7.1). The scheme DPoP is supported only if dpop is set.
// A token in the query is not read, but counts.
func readCredential(values []string, queryToken, dpop bool) (raw string, found credential) {
	switch len(values) {
	case 0:
		return "", credentialNone
	case 1:
	default:
		return "", credentialRepeated
	}
	rest, ok := cutScheme(values[0], challenge.Bearer)
	found = credentialBearer
	if !ok && dpop {
		rest, ok = cutScheme(values[0], challenge.DPoP)
		found = credentialDPoP
	}
	if !ok || rest != "" && rest[0] != ' ' {
		return "", credentialNone // another scheme, whose name may begin alike
	}
	raw = strings.Trim(rest, " ")
	switch {
	case raw == "" || strings.IndexByte(raw, ' ') >= 0:
		return "", credentialMalformed
	case queryToken:
		return "", credentialRepeated
	default:
		return raw, found
	}
}

// cutScheme removes the name of a scheme in any case (R6750-2.a).
func cutScheme(value, scheme string) (rest string, ok bool) {
	if len(value) < len(scheme) {
		return "", false
	}
	if prefix := value[:len(scheme)]; prefix != scheme && !strings.EqualFold(prefix, scheme) {
		return "", false
	}
	return value[len(scheme):], true
}
