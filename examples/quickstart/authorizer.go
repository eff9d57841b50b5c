package main

import (
	"log/slog"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// newAuthorizer joins the policy, the verifier and the two resources of the
// house: the origin for every RPC, and the MCP endpoint below it. A token for
// the one does not open the other.
func newAuthorizer(origin, mcpURL, issuer string, logger *slog.Logger) (*interceptor.Authorizer, error) {
	jwt, err := verifier.NewJWT(verifier.JWTConfig{
		Issuer: issuer,
		// An access token should say that it is one, with the type at+jwt
		// (RFC 9068 §2.1), and without this option nothing else is accepted.
		// The authorization server of the example cannot say it: package op of
		// zitadel/oidc types whatever it signs JWT. With the option, what tells
		// an access token from another one is its audience, which is a resource
		// here and never a client. Leave it out if your issuer allows.
		AcceptTypeJWT: true,
		Logger:        logger,
	})
	if err != nil {
		return nil, err
	}
	return interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{
			{Identifier: origin, AuthorizationServers: []string{issuer}, Name: "Quickstart RPC services"},
			{Identifier: mcpURL, AuthorizationServers: []string{issuer}, Name: "Quickstart MCP server"},
		},
		Policy:   rules(),
		Verifier: jwt,
		Logger:   logger,
	})
}
