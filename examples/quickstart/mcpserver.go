package main

import (
	"log/slog"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/mcptools"
)

// mcpPath is the path of the MCP endpoint below the origin. Together they are a
// resource identifier, so it is exactly the path that clients use.
const mcpPath = "/mcp"

// newMCPEndpoint serves the services as tools, a resource template and a prompt.
// Every request has to meet the rule of the endpoint, and the use of each of them
// also that of the RPC that it stands for. What has no RPC here is denied.
//
// The endpoint is stateless, as revision 2026-07-28 of MCP requires and clients of
// older revisions accept.
func newMCPEndpoint(bridge *httpbridge.Bridge, s *services, logger *slog.Logger) (http.Handler, error) {
	guard, err := mcpbridge.New(mcpbridge.Config{
		Bridge:    bridge,
		Service:   mcpService,
		Tools:     mcptools.Tools(),
		Resources: mcptools.Resources(),
		Prompts:   mcptools.Prompts(),
	})
	if err != nil {
		return nil, err
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "drawbridge-quickstart", Version: "1.0.0"}, nil)
	mcptools.Add(server, s.inventory, s.billing)
	getServer := func(*http.Request) *mcp.Server { return server }
	return guard.Handler(getServer, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, Logger: logger}), nil
}
