package authserver

import (
	"context"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Discovery serves the metadata of the server. The document is the same at the path
// of OpenID Connect Discovery and at that of RFC 8414, which MCP clients try first.
// It implements [op.Server].
func (s *Server) Discovery(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	issuer := s.config.Issuer
	return op.NewResponse(&oidc.DiscoveryConfiguration{
		Issuer:                            issuer,
		AuthorizationEndpoint:             issuer + authorizePath,
		TokenEndpoint:                     issuer + tokenPath,
		JwksURI:                           issuer + keysPath,
		RegistrationEndpoint:              issuer + registerPath,
		ScopesSupported:                   s.config.Scopes,
		ResponseTypesSupported:            []string{string(oidc.ResponseTypeCode)},
		ResponseModesSupported:            []string{string(oidc.ResponseModeQuery)},
		GrantTypesSupported:               []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeClientCredentials},
		SubjectTypesSupported:             []string{"public"},
		IDTokenSigningAlgValuesSupported:  []string{string(s.key.SignatureAlgorithm())},
		TokenEndpointAuthMethodsSupported: []oidc.AuthMethod{oidc.AuthMethodNone, oidc.AuthMethodBasic, oidc.AuthMethodPost},
		CodeChallengeMethodsSupported:     []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
	}), nil
}
