package main

import (
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// The scopes of the example.
const (
	readStock   = "inventory:read"
	writeStock  = "inventory:write"
	readBilling = "billing:read"
	useMCP      = "mcp:use"
)

// The services of the policy.
const (
	healthService            = "grpc.health.v1.Health"
	reflectionService        = "grpc.reflection.v1.ServerReflection"
	reflectionServiceV1Alpha = "grpc.reflection.v1alpha.ServerReflection"

	inventoryService = "inventory.v1.InventoryService"
	billingService   = "billing.v1.BillingService"

	// mcpService is the name of the MCP endpoint in the policy. It is not an RPC
	// service.
	mcpService = "quickstart.MCP"
)

// rules is the policy: what each RPC requires of its caller. The rules of the
// warehouse and of the invoices stand in their protobuf files; those of the rest are
// here. A procedure without a rule is denied, and a name without a descriptor is an
// error at startup.
func rules() policy.Policy {
	public := policy.Rule{Public: true, Reason: "clients ask before they have a token"}
	return policy.Policy{
		Services: map[string]policy.Service{
			// Every request to the endpoint needs this scope. The challenge for a tool
			// asks for it besides those of the tool, because not every client keeps
			// the scopes it had when it steps up.
			mcpService: {Rule: policy.Rule{Scopes: []string{useMCP}}, NoDescriptor: true},

			healthService:            {Rule: public},
			reflectionService:        {Rule: public}, // so that grpcurl needs no files
			reflectionServiceV1Alpha: {Rule: public},
		},
	}.Override(policy.FromOptions(inventoryService, billingService))
}
