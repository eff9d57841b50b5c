package authtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// serveTokenInfo answers about the tokens with ShapeGoogle.
func (i *Issuer) serveTokenInfo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	refused := readForm(w, r, "")
	if refused == nil && !r.PostForm.Has("access_token") {
		refused = badRequest("invalid_request", "there is no access_token")
	}
	var document []byte
	if refused == nil {
		if document = i.tokenInfoOf(r.PostForm.Get("access_token")); document == nil {
			refused = badRequest("invalid_token", "Invalid Value")
		}
	}
	if refused != nil {
		i.refuse(w, refused)
		return
	}
	writeJSON(w, document)
}

// tokenInfoOf returns the document about a token, and nil about one that is not valid.
func (i *Issuer) tokenInfoOf(raw string) []byte {
	i.mu.Lock()
	_, isRevoked := i.revoked.get(raw)
	known, _ := i.opaque.get(raw)
	i.mu.Unlock()
	var claims map[string]any
	if isRevoked || !known.isInfo || json.Unmarshal(known.document, &claims) != nil {
		return nil
	}
	text, _ := claims["exp"].(string)
	if exp, err := strconv.ParseInt(text, 10, 64); err == nil {
		left := exp - time.Now().Unix()
		if left <= 0 {
			return nil
		}
		claims["expires_in"] = strconv.FormatInt(left, 10)
	}
	return i.marshal(claims)
}
