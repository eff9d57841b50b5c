package main

import (
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// The scopes of the example.
const (
	readStock   = "inventory:read"
	writeStock  = "inventory:write"
	readBilling = "billing:read"
)

// The services that the policy speaks of.
const (
	healthService            = "grpc.health.v1.Health"
	reflectionService        = "grpc.reflection.v1.ServerReflection"
	reflectionServiceV1Alpha = "grpc.reflection.v1alpha.ServerReflection"

	inventoryService = "inventory.v1.InventoryService"
	billingService   = "billing.v1.BillingService"

	// mcpService is no RPC service: it stands for the MCP endpoint.
	mcpService = "quickstart.MCP"
)

// rules is what each RPC asks of its caller. What it does not mention is
// denied, and a name that no descriptor knows is an error at the start.
func rules() policy.Policy {
	public := policy.Rule{Public: true}
	write := policy.Rule{Scopes: []string{writeStock}}
	return policy.Policy{
		Services: map[string]policy.Service{
			inventoryService: {
				Rule: policy.Rule{Scopes: []string{readStock}},
				Methods: map[string]policy.Rule{
					"AdjustStock": write,
					"ImportItems": write,
					"Reconcile":   write,
				},
			},
			billingService: {Rule: policy.Rule{Scopes: []string{readBilling}}},

			// To come in takes a scope that some tool asks for, no matter which:
			// not every client keeps the scopes it had when it steps up. Whoever
			// has no token is told to ask for the first.
			mcpService: {Rule: policy.Rule{AnyScopes: []string{readStock, readBilling}}, Undescribed: true},

			healthService:            {Rule: public},
			reflectionService:        {Rule: public}, // so that grpcurl needs no files
			reflectionServiceV1Alpha: {Rule: public},
		},
		// Who may change the stock may look at it.
		Implies: map[string][]string{writeStock: {readStock}},
	}
}
