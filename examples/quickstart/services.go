package main

import (
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/billing"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
)

// services are the implementations behind the Connect server, the grpc-go server
// and the MCP tools.
type services struct {
	inventory *inventory.Service
	billing   *billing.Service
	health    *health.Server
}

func newServices() *services {
	s := &services{
		inventory: inventory.NewService(inventory.NewStock(
			inventory.Item{SKU: "BOLT-M8", Name: "Hex bolt M8x40", Quantity: 420},
			inventory.Item{SKU: "NUT-M8", Name: "Hex nut M8", Quantity: 400},
			inventory.Item{SKU: "WASHER-M8", Name: "Washer M8", Quantity: 950},
		)),
		billing: billing.NewService(),
		health:  health.NewServer(),
	}
	for _, service := range []string{inventoryService, billingService} {
		s.health.SetServingStatus(service, healthv1.HealthCheckResponse_SERVING)
	}
	return s
}
