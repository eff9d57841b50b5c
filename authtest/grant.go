package authtest

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // RFC 6749 §5.1
	granted, refused := i.grant(w, r)
	if refused != nil {
		i.refuse(w, refused)
		return
	}
	body := map[string]any{
		"access_token": i.Mint(granted), "token_type": "Bearer",
		"expires_in": int(cmp.Or(granted.Lifetime, defaultLifetime).Seconds()),
	}
	if len(r.Header.Values("DPoP")) > 0 {
		body["token_type"] = "DPoP" // RFC 9449 §5
	}
	if granted.Scope != "" {
		body["scope"] = granted.Scope
	}
	writeJSON(w, i.marshal(body))
}

// grant returns the token that a request is granted.
func (i *Issuer) grant(w http.ResponseWriter, r *http.Request) (Token, *refusal) {
	if refused := readForm(w, r, "resource"); refused != nil {
		return Token{}, refused
	}
	known, refused := i.authenticate(r)
	if refused != nil {
		return Token{}, refused
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		return Token{}, badRequest("unsupported_grant_type", "only client_credentials is supported")
	}
	for _, resource := range r.PostForm["resource"] {
		if u, err := url.Parse(resource); err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			return Token{}, badRequest("invalid_target", "a resource is not an absolute URI without fragment")
		}
	}
	scopes := strings.Fields(r.PostForm.Get("scope"))
	for _, scope := range scopes {
		if len(known.Scopes) > 0 && !slices.Contains(known.Scopes, scope) {
			return Token{}, badRequest("invalid_scope", "the client may not have one of the scopes")
		}
	}
	if len(scopes) == 0 {
		scopes = known.Scopes
	}
	granted := known.Token
	granted.ClientID, granted.Scope, granted.ForClient = known.ID, strings.Join(scopes, " "), true
	if resources := r.PostForm["resource"]; len(resources) > 0 {
		granted.Audience = resources
	}
	granted.Confirmation, refused = i.confirmation(r, known)
	return granted, refused
}
