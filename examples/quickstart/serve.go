package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/drawbridge-rpc/drawbridge/examples/authserver"
)

// announcement says where everything is. It is what -serve prints.
type announcement struct {
	// Issuer is the authorization server, a URL.
	Issuer string `json:"issuer"`
	// TokenEndpoint is where it hands out tokens, a URL.
	TokenEndpoint string `json:"token_endpoint"`
	// Connect is the origin of the Connect server, and the resource identifier
	// of every RPC, also of those over grpc-go.
	Connect string `json:"connect"`
	// GRPC is the address of the grpc-go server, host:port.
	GRPC string `json:"grpc"`
	// MCP is the URL of the MCP endpoint, and its resource identifier.
	MCP string `json:"mcp"`
	// Clients may ask for tokens.
	Clients []authserver.Client `json:"clients"`
}

// serve announces the house and waits for the end of ctx, or of a server.
func serve(ctx context.Context, h *house, stdout io.Writer) error {
	if err := json.NewEncoder(stdout).Encode(h.announcement()); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-h.failed:
		return err
	}
}
