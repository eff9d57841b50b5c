package authtest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A client is registered with [Issuer.AddClient].
type client struct {
	secret string
	scopes []string // empty for any
}

// AddClient registers a client at the token endpoint, which knows no others, and
// replaces one with the same id. The client may be granted the given scopes, or
// any if there are none. The secret authenticates it with HTTP Basic or in the
// form (RFC 6749 §2.3.1).
//
// The token endpoint is token_endpoint of the discovery document. It knows the
// grant client_credentials (RFC 6749 §4.4): the token is one of [Issuer.Mint],
// whose subject and client are the id, whose audience are the values of the
// parameter resource (RFC 8707 §2), and whose scopes are those of the parameter
// scope, or else all scopes of the client.
func (i *Issuer) AddClient(id, secret string, scopes ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.clients[id] = client{secret, slices.Clone(scopes)}
}

// TokenRequests returns the number of requests to the token endpoint, including
// failed ones.
func (i *Issuer) TokenRequests() int { return int(i.tokens.requests.Load()) }

// HandleToken makes h serve the token endpoint; nil restores the default.
func (i *Issuer) HandleToken(h http.Handler) { i.tokens.replace(h) }

// A grantError is an error response of the token endpoint (RFC 6749 §5.2).
type grantError struct {
	status int
	code   string
	reason string // error_description, which is ASCII without quotes
}

func badRequest(code, reason string) *grantError {
	return &grantError{http.StatusBadRequest, code, reason}
}

// maxForm is the size of the largest token request, in bytes.
const maxForm = 1 << 16

func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	w.Header().Set("Cache-Control", "no-store") // RFC 6749 §5.1
	granted, refusal := i.grant(r)
	if refusal != nil {
		if refusal.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="authtest"`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(refusal.status)
		_, _ = w.Write(i.marshal(map[string]string{"error": refusal.code, "error_description": refusal.reason}))
		return
	}
	body := map[string]any{"access_token": i.Mint(granted), "token_type": "Bearer", "expires_in": int(defaultLifetime.Seconds())}
	if granted.Scope != "" {
		body["scope"] = granted.Scope
	}
	writeJSON(w, i.marshal(body))
}

// grant returns the token that a request is granted.
func (i *Issuer) grant(r *http.Request) (Token, *grantError) {
	if r.Method != http.MethodPost {
		return Token{}, &grantError{http.StatusMethodNotAllowed, "invalid_request", "a token request is a POST"}
	}
	if err := r.ParseForm(); err != nil {
		return Token{}, badRequest("invalid_request", "the form cannot be read")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 && name != "resource" {
			return Token{}, badRequest("invalid_request", "a parameter is repeated") // RFC 6749 §3.2
		}
	}
	id, known, refusal := i.authenticate(r)
	if refusal != nil {
		return Token{}, refusal
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
		if len(known.scopes) > 0 && !slices.Contains(known.scopes, scope) {
			return Token{}, badRequest("invalid_scope", "the client may not have one of the scopes")
		}
	}
	if len(scopes) == 0 {
		scopes = known.scopes
	}
	return Token{Subject: id, ClientID: id, Audience: r.PostForm["resource"], Scope: strings.Join(scopes, " ")}, nil
}

// authenticate returns the client that a request comes from (RFC 6749 §2.3).
func (i *Issuer) authenticate(r *http.Request) (id string, known client, refusal *grantError) {
	id, secret, isBasic := basicCredentials(r)
	if isBasic && r.PostForm.Has("client_secret") {
		return "", client{}, badRequest("invalid_request", "the client authenticates in two ways")
	}
	if !isBasic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	i.mu.Lock()
	known, ok := i.clients[id]
	i.mu.Unlock()
	if !ok || subtle.ConstantTimeCompare([]byte(known.secret), []byte(secret)) != 1 {
		return "", client{}, &grantError{http.StatusUnauthorized, "invalid_client", "the client is unknown, or its secret is wrong"}
	}
	return id, known, nil
}

// basicCredentials returns the id and the secret in the Authorization field, where
// both are form-encoded.
func basicCredentials(r *http.Request) (id, secret string, ok bool) {
	id, secret, ok = r.BasicAuth()
	if !ok {
		return "", "", false
	}
	decodedID, idErr := url.QueryUnescape(id)
	decodedSecret, secretErr := url.QueryUnescape(secret)
	if idErr != nil || secretErr != nil {
		return id, secret, true
	}
	return decodedID, decodedSecret, true
}
