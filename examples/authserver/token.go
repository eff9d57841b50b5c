package authserver

import (
	"context"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// VerifyClient finds the client of a token request and checks its secret, in the
// Authorization header or in the form. It implements [op.Server].
func (s *Server) VerifyClient(_ context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	client, ok := s.clients.find(r.Data.ClientID)
	if !ok || r.Data.ClientAssertion != "" || !client.hasSecret(r.Data.ClientSecret) {
		err := oidc.ErrInvalidClient().WithDescription("the client is unknown or its secret is wrong")
		return nil, op.NewStatusError(err, http.StatusUnauthorized)
	}
	return opClient{client, s.config.Scopes}, nil
}

// ClientCredentialsExchange issues a token for the client itself. It implements
// [op.Server].
func (s *Server) ClientCredentialsExchange(_ context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	resource, err := s.resource(r.Form)
	if err != nil {
		return nil, err
	}
	scopes, err := s.scopes(r.Form)
	if err != nil {
		return nil, err
	}
	id := r.Client.GetID()
	return s.tokenResponse(grant{clientID: id, subject: id, resource: resource, scopes: scopes})
}

// CodeExchange issues the token of an authorization code. It implements
// [op.Server].
func (s *Server) CodeExchange(_ context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	g, ok := s.grants.take(forToken, r.Data.Code)
	if !ok || g.clientID != r.Client.GetID() || g.redirectURI != r.Data.RedirectURI {
		return nil, oidc.ErrInvalidGrant().WithDescription("the code is unknown, used up, too old or not for this client and redirect_uri")
	}
	if err := op.AuthorizeCodeChallenge(r.Data.CodeVerifier, &g.challenge); err != nil {
		return nil, err
	}
	// The code is for one resource. The request may name that one again, and no
	// other one (RFC 8707 §2.2).
	if r.Form.Has("resource") {
		resource, err := s.resource(r.Form)
		if err != nil {
			return nil, err
		}
		if resource != g.resource {
			return nil, oidc.ErrInvalidTarget().WithDescription("the code was granted for another resource")
		}
	}
	return s.tokenResponse(g)
}

// tokenResponse is the response with a token. It has no ID token, because clients do
// not request one, and no refresh token, because a client can request another token.
func (s *Server) tokenResponse(g grant) (*op.Response, error) {
	token, err := s.mint(g)
	if err != nil {
		return nil, err
	}
	resp := op.NewResponse(&oidc.AccessTokenResponse{
		AccessToken: token,
		TokenType:   oidc.BearerToken,
		ExpiresIn:   uint64(s.config.TokenLifetime.Seconds()),
		Scope:       g.scopes,
	})
	resp.Header.Set("Cache-Control", "no-store")
	return resp, nil
}

// basicChallenge adds the challenge that every 401 needs (RFC 9110 §15.5.2) and that
// op omits.
func basicChallenge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(challengeWriter{w}, r)
	})
}

type challengeWriter struct{ http.ResponseWriter }

func (w challengeWriter) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
	}
	w.ResponseWriter.WriteHeader(status)
}
