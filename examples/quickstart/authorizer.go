package main

import (
	"log/slog"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/otel"
	"github.com/drawbridge-rpc/drawbridge/policyfile"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// newAuthorizer combines the policy, the verifier and two resources: the origin
// for every RPC, and the MCP endpoint below it. A token for one of them is not
// accepted for the other.
//
// The issuer has tokens of two formats: JWTs are verified by its keys, and it is
// asked about any other token, for which the services have a secret. Clients may bind
// their tokens to a key (RFC 9449).
//
// The policy follows the file at a path.
func newAuthorizer(origin, mcpURL, issuer, secret, path string, logger *slog.Logger) (*drawbridge.Authorizer, *policyfile.Watcher, error) {
	tokens, err := verifier.New(verifier.Config{
		JWT:           []verifier.JWTConfig{{Issuer: issuer, AcceptTypeJWT: true}},
		Introspection: []verifier.IntrospectionConfig{{Issuer: issuer, ClientID: introspectionClient, ClientSecret: secret}},
		Logger:        logger,
	})
	if err != nil {
		return nil, nil, err
	}
	dpop, err := proof.NewDPoP(proof.DPoPConfig{})
	if err != nil {
		return nil, nil, err
	}
	// Metrics and traces go to the providers of the process. This one has none.
	observer, err := otel.New(otel.Config{Verifiers: []func() token.Stats{tokens.Stats}})
	if err != nil {
		return nil, nil, err
	}
	cfg := drawbridge.Config{
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
		Verifier:  tokens,
		Bindings:  map[string]token.Binding{"jkt": dpop},
		Observers: []drawbridge.Observer{observer},
		Logger:    logger,
	}
	return newReloading(cfg, path, logger)
}
