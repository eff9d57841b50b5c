package authtest

import "net/http"

// maxForm is the size of the largest form, in bytes.
const maxForm = 1 << 16

// A refusal is an error response of an endpoint (RFC 6749 §5.2).
type refusal struct {
	status int
	code   string
	reason string // error_description, which is ASCII without quotes
}

func badRequest(code, reason string) *refusal {
	return &refusal{http.StatusBadRequest, code, reason}
}

func invalidClient(reason string) *refusal {
	return &refusal{http.StatusUnauthorized, "invalid_client", reason}
}

// readForm parses the form of a POST. Only the parameter repeatable may occur more
// than once (RFC 6749 §3.2).
func readForm(w http.ResponseWriter, r *http.Request, repeatable string) *refusal {
	if r.Method != http.MethodPost {
		return &refusal{http.StatusMethodNotAllowed, "invalid_request", "the request is not a POST"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return badRequest("invalid_request", "the form cannot be read")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 && name != repeatable {
			return badRequest("invalid_request", "a parameter is repeated")
		}
	}
	return nil
}

// refuse sends a refusal.
func (i *Issuer) refuse(w http.ResponseWriter, refused *refusal) {
	if refused.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="authtest"`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refused.status)
	_, _ = w.Write(i.marshal(map[string]string{"error": refused.code, "error_description": refused.reason}))
}
