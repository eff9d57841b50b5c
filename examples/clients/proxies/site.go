package main

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/billing"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/health"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/mcptools"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1/billingv1connect"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1/inventoryv1connect"
)

const mcpService = "proxies.MCP"

// A site is an HTTP server behind a proxy: the same services each time, in another
// place.
type site struct {
	name string
	// origin and path are the resource identifier of the services. The MCP endpoint
	// is below it.
	origin, path string
	aliases      []string
	// mount is the path at which requests for the resource arrive, without a slash
	// at its end.
	mount string
	// trusted are the proxies, and forwarded is the field that they set.
	trusted   []netip.Prefix
	forwarded string
}

func sites(origins []string) []site {
	const example = "https://api.example.com"
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return []site{
		{name: "kept", origin: origins[0], aliases: origins[1:], path: "/api", mount: "/api"},
		{name: "stripped", origin: origins[0], aliases: origins[1:], path: "/stripped"},
		{name: "untrusted", origin: example, aliases: origins},
		{name: "trusted", origin: example, aliases: origins, trusted: loopback},
		{name: "forwarded", origin: example, aliases: origins, trusted: loopback, forwarded: "Forwarded"},
	}
}

// services are those that clients call by name.
var services = []string{
	inventoryv1connect.InventoryServiceName,
	billingv1connect.BillingServiceName,
	healthv1.Health_ServiceDesc.ServiceName,
}

// newServers returns a server for each site, and one that speaks gRPC alone, where
// every path is that of a procedure: only a resource at the root covers it, or a
// single one.
func newServers(origins []string, issuer string) (map[string]server, error) {
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer}}})
	if err != nil {
		return nil, err
	}
	config := func(resources ...drawbridge.Resource) drawbridge.Config {
		for i := range resources {
			resources[i].AuthorizationServers = []string{issuer}
		}
		return drawbridge.Config{Resources: resources, Policy: rules(), Verifier: jwt, Logger: slog.New(slog.DiscardHandler)}
	}
	overGRPC, err := drawbridge.New(config(drawbridge.Resource{Identifier: origins[0] + "/api"}))
	if err != nil {
		return nil, err
	}
	servers := map[string]server{"grpc": newGRPCServer(overGRPC)}
	for _, s := range sites(origins) {
		cfg := config(s.resources()...)
		cfg.TrustedProxies, cfg.ForwardedField = s.trusted, s.forwarded
		authorizer, err := drawbridge.New(cfg)
		if err != nil {
			return nil, err
		}
		handler, err := s.handler(authorizer)
		if err != nil {
			return nil, err
		}
		servers[s.name] = newHTTPServer(handler)
	}
	return servers, nil
}

func (s site) resources() []drawbridge.Resource {
	return []drawbridge.Resource{
		{
			Identifier: s.origin + s.path,
			MountPath:  s.mount + "/",
			Aliases:    s.aliases,
			Services:   services,
		},
		{
			Identifier: s.origin + s.path + "/mcp",
			MountPath:  s.mount + "/mcp",
			Aliases:    s.aliases,
			Services:   slices.Concat(services, []string{mcpService}),
		},
	}
}

func rules() policy.Policy {
	public := policy.Service{Rule: policy.Rule{Public: true}}
	return policy.Policy{
		Services: map[string]policy.Service{
			inventoryv1connect.InventoryServiceName: {
				Rule:    policy.Rule{Scopes: []string{"inventory:read"}},
				Methods: map[string]policy.Rule{"AdjustStock": {Scopes: []string{"inventory:write"}}},
			},
			billingv1connect.BillingServiceName:        {Rule: policy.Rule{Scopes: []string{"billing:read"}}},
			mcpService:                                 {Rule: policy.Rule{Scopes: []string{"mcp:use"}}, NoDescriptor: true},
			healthv1.Health_ServiceDesc.ServiceName:    public,
			"grpc.reflection.v1.ServerReflection":      public,
			"grpc.reflection.v1alpha.ServerReflection": public,
		},
	}
}

func newStock() *inventory.Service {
	return inventory.NewService(inventory.NewStock(inventory.Item{SKU: "BOLT-M8", Name: "Hex bolt M8x40", Quantity: 420}))
}

func (s site) handler(authorizer *drawbridge.Authorizer) (http.Handler, error) {
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		return nil, err
	}
	guard, err := mcpbridge.New(mcpbridge.Config{
		Bridge: bridge, Service: mcpService,
		Tools: mcptools.Tools(), Resources: mcptools.Resources(), Prompts: mcptools.Prompts(),
	})
	if err != nil {
		return nil, err
	}
	stock, bills := newStock(), billing.NewService()
	endpoint := mcp.NewServer(&mcp.Implementation{Name: "proxies", Version: "1.0.0"}, nil)
	mcptools.Add(endpoint, stock, bills)

	mux := http.NewServeMux()
	mux.Handle(inventoryv1connect.NewInventoryServiceHandler(inventory.ConnectHandler{Service: stock}))
	mux.Handle(billingv1connect.NewBillingServiceHandler(bills))
	mux.Handle(health.NewHandler(grpchealth.NewServer()))
	// The path selects the resource, so the prefix is there until each guard has run:
	// that of the RPC services, and that of the endpoint.
	outer := http.NewServeMux()
	outer.Handle(s.mount+"/mcp", guard.Handler(func(*http.Request) *mcp.Server { return endpoint },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true}))
	outer.Handle("/", http.StripPrefix(s.mount, mux))
	return bridge.Handler(connectauth.Guard(authorizer, outer)), nil
}

// newHTTPServer returns a server that speaks HTTP/1.1, and HTTP/2 without TLS.
func newHTTPServer(handler http.Handler) *http.Server {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

func newGRPCServer(authorizer *drawbridge.Authorizer) *grpc.Server {
	s := grpc.NewServer(grpcauth.ServerOptions(authorizer)...)
	inventoryv1.RegisterInventoryServiceServer(s, inventory.GRPCServer{Service: newStock()})
	reflection.Register(s)
	return s
}
