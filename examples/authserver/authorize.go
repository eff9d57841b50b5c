package authserver

import (
	"context"
	"fmt"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// VerifyAuthRequest finds the client of an authorization request. op compares the
// redirect URI next. It implements [op.Server].
func (s *Server) VerifyAuthRequest(_ context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	client, ok := s.clients.find(r.Data.ClientID)
	if !ok {
		return nil, oidc.ErrInvalidClient().WithDescription("the client is unknown")
	}
	return &op.ClientRequest[oidc.AuthRequest]{Request: r, Client: opClient{client, s.config.Scopes}}, nil
}

// Authorize checks the request and redirects the user to the login. An error is
// redirected to the client, whose redirect URI has been checked. It implements
// [op.Server].
func (s *Server) Authorize(_ context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	switch {
	case r.Data.RequestParam != "":
		return nil, oidc.ErrRequestNotSupported()
	case r.Data.ResponseMode != "" && r.Data.ResponseMode != oidc.ResponseModeQuery:
		return nil, oidc.ErrInvalidRequest().WithDescription("the only response_mode is query")
	case r.Data.CodeChallenge == "" || r.Data.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return nil, oidc.ErrInvalidRequest().WithDescription("PKCE is required: send a code_challenge with the method S256")
	}
	resource, err := s.resource(r.Form)
	if err != nil {
		return nil, err
	}
	scopes, err := s.scopes(r.Form)
	if err != nil {
		return nil, err
	}
	id, ok := s.grants.put(forLogin, grant{
		clientID:    r.Client.GetID(),
		subject:     s.config.Subject,
		resource:    resource,
		scopes:      scopes,
		redirectURI: r.Data.RedirectURI,
		state:       r.Data.State,
		challenge:   oidc.CodeChallenge{Challenge: r.Data.CodeChallenge, Method: r.Data.CodeChallengeMethod},
	})
	if !ok {
		return nil, oidc.ErrServerError().WithDescription("too many logins at once")
	}
	return op.NewRedirect(r.Client.LoginURL(id)), nil
}

// login redirects the browser to the client with a code. A real authorization
// server authenticates the user here and asks for consent; this one has a single
// user, who consents to everything.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	g, ok := s.grants.take(forLogin, r.URL.Query().Get("request"))
	if !ok {
		http.Error(w, "This login is unknown, used up or too old. Start again at the client.", http.StatusBadRequest)
		return
	}
	code, ok := s.grants.put(forToken, g)
	if !ok {
		http.Error(w, "Too many logins at once.", http.StatusServiceUnavailable)
		return
	}
	target, err := op.AuthResponseURL(g.redirectURI, oidc.ResponseTypeCode, oidc.ResponseModeQuery,
		&op.CodeResponseType{Code: code, State: g.state}, oidc.NewEncoder())
	if err != nil {
		http.Error(w, "The redirect URI is not a URL.", http.StatusBadRequest)
		return
	}
	s.config.Logger.InfoContext(r.Context(), "authorization server: approved without asking, this is a demonstration",
		"user", g.subject, "client", g.clientID, "scopes", g.scopes, "resource", g.resource)
	w.Header().Set("Location", target)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusFound)
	fmt.Fprintf(w, "A real authorization server would ask %s to sign in and to consent.\n", g.subject)
	fmt.Fprintln(w, "This demonstration approves for its only user and goes on to the client.")
}
