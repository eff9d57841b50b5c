package interceptor

import "strings"

// MaxTokenLength is the length in bytes above which an access token is refused
// before anything looks into it.
const MaxTokenLength = 16 << 10

// credential is the outcome of reading the Authorization field.
type credential uint8

const (
	credentialNone      credential = iota // none, or an unsupported scheme
	credentialBearer                      // one token
	credentialMalformed                   // not as RFC 6750 §2.1 wants it
	credentialRepeated                    // more than one
)

// readCredential returns the token that a request carries (RFC 6750 §2.1).
func readCredential(req *Request) (string, credential) {
	switch len(req.Authorization) {
	case 0:
		return "", credentialNone
	case 1:
	default:
		return "", credentialRepeated
	}
	value := req.Authorization[0]
	if len(value) < len(schemeBearer) || !strings.EqualFold(value[:len(schemeBearer)], schemeBearer) {
		return "", credentialNone
	}
	rest := value[len(schemeBearer):]
	if rest != "" && rest[0] != ' ' {
		return "", credentialNone // another scheme whose name begins like ours
	}
	token := strings.Trim(rest, " ")
	switch {
	case token == "" || strings.IndexByte(token, ' ') >= 0:
		return "", credentialMalformed
	case req.QueryToken:
		return "", credentialRepeated
	default:
		return token, credentialBearer
	}
}
