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
	jwt, err := verifier.New(verifier.Config{Logger: logger, JWT: []verifier.JWTConfig{{Issuer: issuer, AcceptTypeJWT: true}}})
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
