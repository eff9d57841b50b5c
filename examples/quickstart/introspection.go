package main

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// maxReferences is the number of opaque tokens that are valid at once.
const maxReferences = 10_000

// references are the opaque tokens, each with what introspection says about it.
type references struct {
	mu      sync.Mutex
	answers map[string]*oidc.IntrospectionResponse
}

func newReferences() *references {
	return &references{answers: make(map[string]*oidc.IntrospectionResponse)}
}

// put keeps the claims of a token and returns the opaque token that stands for them.
func (rs *references) put(claims *oidc.AccessTokenClaims, kind string) (string, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if len(rs.answers) >= maxReferences {
		maps.DeleteFunc(rs.answers, func(_ string, a *oidc.IntrospectionResponse) bool { return isExpired(a) })
	}
	if len(rs.answers) >= maxReferences {
		return "", oidc.ErrServerError().WithDescription("too many opaque tokens are valid at once")
	}
	token := rand.Text()
	rs.answers[token] = &oidc.IntrospectionResponse{
		Active:     true,
		Issuer:     claims.Issuer,
		Subject:    claims.Subject,
		Audience:   claims.Audience,
		ClientID:   claims.ClientID,
		Scope:      claims.Scopes,
		TokenType:  kind,
		Expiration: claims.Expiration,
		IssuedAt:   claims.IssuedAt,
		NotBefore:  claims.NotBefore,
		JWTID:      claims.JWTID,
		Claims:     claims.Claims,
	}
	return token, nil
}

// find returns what introspection says about a token.
func (rs *references) find(token string) *oidc.IntrospectionResponse {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	answer, ok := rs.answers[token]
	if !ok || isExpired(answer) {
		return &oidc.IntrospectionResponse{Active: false}
	}
	return answer
}

func isExpired(answer *oidc.IntrospectionResponse) bool {
	return !time.Now().Before(answer.Expiration.AsTime())
}

// Introspect says whether an opaque token is valid, and what it allows (RFC 7662 §2).
// It says so to the services alone. It implements [op.Server].
func (s *authServer) Introspect(ctx context.Context, r *op.Request[op.IntrospectionRequest]) (*op.Response, error) {
	asking := r.Data.ClientCredentials
	if asking.ClientID != introspectionClient {
		err := oidc.ErrInvalidClient().WithDescription("the client may not introspect tokens")
		return nil, op.NewStatusError(err, http.StatusUnauthorized)
	}
	if _, err := s.VerifyClient(ctx, &op.Request[op.ClientCredentials]{Data: asking}); err != nil {
		return nil, err
	}
	resp := op.NewResponse(s.references.find(r.Data.Token))
	resp.Header.Set("Cache-Control", "no-store")
	return resp, nil
}
