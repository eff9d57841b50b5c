package main

import (
	"net/http"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/health"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1/billingv1connect"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1/inventoryv1connect"
)

// newBridge returns the bridge. It allows the origins of the MCP Inspector, which
// is a web page.
func newBridge(authorizer *drawbridge.Authorizer) (*httpbridge.Bridge, error) {
	return httpbridge.New(httpbridge.Config{
		Authorizer:     authorizer,
		AllowedOrigins: []string{"http://localhost:6274", "http://127.0.0.1:6274"},
	})
}

// newConnectHandler serves the RPC services, the metadata documents and the MCP
// endpoint. The guard around the mux decides about every RPC before a message is
// read, and the bridge around the guard turns denials into HTTP responses.
func newConnectHandler(bridge *httpbridge.Bridge, s *services, mcpEndpoint http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(inventoryv1connect.NewInventoryServiceHandler(inventory.ConnectHandler{Service: s.inventory}))
	mux.Handle(billingv1connect.NewBillingServiceHandler(s.billing))
	mux.Handle(health.NewHandler(s.health))
	mux.Handle(mcpPath, mcpEndpoint)
	mux.Handle("/.well-known/", bridge.Metadata())
	mux.Handle("/", connectauth.NotFoundHandler(bridge.Authorizer()))
	return bridge.Handler(connectauth.Guard(bridge.Authorizer(), mux))
}
