package authserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// resource returns the resource for which a request asks for a token (RFC 8707 §2).
// The request must name exactly one: a resource that receives a token for several
// could use it at another one.
func (s *Server) resource(form url.Values) (string, error) {
	named := form["resource"]
	if len(named) != 1 {
		return "", oidc.ErrInvalidTarget().WithDescription("the parameter resource must name exactly one resource")
	}
	if !slices.Contains(s.config.Resources, named[0]) {
		return "", oidc.ErrInvalidTarget().WithDescription("the parameter resource names a resource that this server does not know")
	}
	return named[0], nil
}

// scopes returns the scopes that a request asks for, which are all if it names none.
// op drops unknown scopes; here they are an error, so that a client does not get a
// token with fewer scopes than it requested (RFC 6749 §3.3).
func (s *Server) scopes(form url.Values) ([]string, error) {
	asked := strings.Fields(form.Get("scope"))
	if len(asked) == 0 {
		return slices.Clone(s.config.Scopes), nil
	}
	var scopes []string
	for _, scope := range asked {
		if !slices.Contains(s.config.Scopes, scope) {
			return nil, oidc.ErrInvalidScope().WithDescription("the parameter scope holds a scope that this server does not know")
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// defaultScope adds the default to an authorization request without a scope, which
// op refuses.
func (s *Server) defaultScope(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil && strings.TrimSpace(r.Form.Get("scope")) == "" {
			r.Form.Set("scope", strings.Join(s.config.Scopes, " "))
		}
		next.ServeHTTP(w, r)
	})
}
