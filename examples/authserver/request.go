package authserver

import (
	"net/url"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// resource returns the resource that a request asks a token for (RFC 8707
// §2). One must be named, and one only: a token that opens several doors can
// be carried from one to another by whoever stands at the first.
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

// scopes returns the scopes that a request asks for. op drops those that it
// does not know; here they are refused, so that nobody mistakes a smaller
// token for the one that was asked for (RFC 6749 §3.3).
func (s *Server) scopes(form url.Values) ([]string, error) {
	asked := strings.Fields(form.Get("scope"))
	if len(asked) == 0 {
		return nil, oidc.ErrInvalidScope().WithDescription("the parameter scope is empty")
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
