package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/drawbridge-rpc/drawbridge/examples/authserver"
)

// announcement holds the addresses of the servers. It is the line that -serve
// prints.
type announcement struct {
	// Issuer is the issuer identifier of the authorization server, a URL.
	Issuer string `json:"issuer"`
	// TokenEndpoint is the URL of its token endpoint.
	TokenEndpoint string `json:"token_endpoint"`
	// Connect is the origin of the Connect server, or of the proxy in front of it,
	// and the resource identifier of every RPC, including those over grpc-go.
	Connect string `json:"connect"`
	// GRPC is the address of the grpc-go server, host:port.
	GRPC string `json:"grpc"`
	// MCP is the URL of the MCP endpoint, and its resource identifier.
	MCP string `json:"mcp"`
	// Clients are the clients that may request tokens.
	Clients []client `json:"clients"`
}

// client is a client of the authorization server, and what its tokens are like.
type client struct {
	authserver.Client

	// AuthMethod is how the client authenticates (RFC 7591 §2), where there is one way.
	AuthMethod string `json:"token_endpoint_auth_method,omitempty"`
	// TokenFormat is opaque, or empty for a JWT.
	TokenFormat string `json:"token_format,omitempty"`
	// DPoP says that the tokens are bound to a key of the client: it must send a
	// proof with a token request (RFC 9449 §5), and with each call.
	DPoP bool `json:"dpop,omitempty"`
}

// opaque is the format of a token that only the authorization server can read.
const opaque = "opaque"

// serve announces the servers and waits for the end of ctx or the failure of a
// server.
func serve(ctx context.Context, s *servers, stdout io.Writer) error {
	// Before the announcement: from then on a SIGHUP may arrive, which otherwise ends the
	// process.
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	if err := json.NewEncoder(stdout).Encode(s.announcement()); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	for {
		select {
		case <-again:
			// The log has every fault, and the policy that was in force stays.
			_ = s.policy.Reload()
		case <-ctx.Done():
			return nil
		case err := <-s.failed:
			return err
		}
	}
}
