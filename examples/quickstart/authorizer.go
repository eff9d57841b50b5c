package main

import (
	"log/slog"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/otel"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// newAuthorizer combines the policy, the verifier and two resources: the origin
// for every RPC, and the MCP endpoint below it. A token for one of them is not
// accepted for the other.
func newAuthorizer(origin, mcpURL, issuer string, logger *slog.Logger) (*drawbridge.Authorizer, error) {
	jwt, err := verifier.NewJWT(verifier.JWTConfig{
		Issuer: issuer,
		// An access token should have the type at+jwt (RFC 9068 §2.1), and
		// without this option no other type is accepted. Package op of
		// zitadel/oidc, which the authorization server of the example uses, gives
		// every token the type JWT. With the option, only the audience of an
		// access token, which is a resource and never a client, distinguishes it
		// from other tokens. Leave the option out if your issuer sets at+jwt.
		AcceptTypeJWT: true,
		Logger:        logger,
	})
	if err != nil {
		return nil, err
	}
	// Metrics and traces go to the providers of the process. This one has none.
	observer, err := otel.New(otel.Config{Verifiers: []func() token.Stats{jwt.Stats}})
	if err != nil {
		return nil, err
	}
	return drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{
			{
				Identifier:           origin,
				Services:             []string{inventoryService, billingService},
				AuthorizationServers: []string{issuer},
				Name:                 "Quickstart RPC services",
			},
			{
				Identifier:           mcpURL,
				Services:             []string{mcpService, inventoryService, billingService}, // the last two behind its tools
				AuthorizationServers: []string{issuer},
				Name:                 "Quickstart MCP server",
			},
		},
		Policy:    rules(),
		Verifier:  jwt,
		Observers: []drawbridge.Observer{observer},
		Logger:    logger,
	})
}
