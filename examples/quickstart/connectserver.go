package main

import (
	"net/http"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/health"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1/billingv1connect"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1/inventoryv1connect"
)

// newBridge makes the bridge. The origins are those of the MCP Inspector, which
// is a web page.
func newBridge(authorizer *interceptor.Authorizer) (*httpbridge.Bridge, error) {
	return httpbridge.New(authorizer, httpbridge.Options{
		AllowedOrigins: []string{"http://localhost:6274", "http://127.0.0.1:6274"},
	})
}

// newConnectHandler serves the RPC services, the metadata documents and the MCP
// endpoint. Each service is guarded before a message is read, also the public
// one: its rule says that it is public.
func newConnectHandler(bridge *httpbridge.Bridge, s *services, mcpEndpoint http.Handler) http.Handler {
	guard := connectauth.WithAuthorizer(bridge.Authorizer())
	mux := http.NewServeMux()
	mux.Handle(inventoryv1connect.NewInventoryServiceHandler(inventory.ConnectHandler{Service: s.inventory}, guard))
	mux.Handle(billingv1connect.NewBillingServiceHandler(s.billing, guard))
	mux.Handle(health.NewHandler(s.health, guard))
	mux.Handle(mcpPath, mcpEndpoint)
	mux.Handle("/.well-known/", bridge.Metadata())
	mux.Handle("/", connectauth.NotFoundHandler(bridge.Authorizer()))
	return bridge.Handler(mux)
}
