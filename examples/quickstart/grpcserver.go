package main

import (
	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	billingv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// newGRPCServer serves the same services with grpc-go, under the same rules.
// ServerOptions installs both interceptors: with the unary one alone, streams would
// be unguarded.
func newGRPCServer(authorizer *drawbridge.Authorizer, s *services) *grpc.Server {
	server := grpc.NewServer(grpcauth.ServerOptions(authorizer)...)
	inventoryv1.RegisterInventoryServiceServer(server, inventory.GRPCServer{Service: s.inventory})
	billingv1.RegisterBillingServiceServer(server, s.billing)
	healthv1.RegisterHealthServer(server, s.health)
	reflection.Register(server) // v1 and v1alpha
	return server
}
