// Package mcpbridge guards MCP servers that are built with the official go-sdk.
//
// A [Guard] lets callers in by the rule of a service, and decides about each
// tool call by the rule of the procedure that the tool stands for. The decision
// is about the call as the MCP server parsed it, not as a second parser might
// read it, and a denial is a real HTTP 401 or 403, which makes an MCP client step
// up:
//
//	guard, err := mcpbridge.New(mcpbridge.Config{
//		Bridge:  bridge,
//		Service: "inventory.v1.InventoryService",
//		Tools:   map[string]string{"list_items": "/inventory.v1.InventoryService/ListItems"},
//	})
//	mux.Handle("/mcp", guard.Handler(func(*http.Request) *mcp.Server { return server }, nil))
package mcpbridge

import (
	"fmt"
	"maps"
	"slices"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
)

// Config configures a [Guard]. [New] checks all of it, copies what it needs, and
// reports every fault at once.
type Config struct {
	// Bridge writes the denials. Required.
	Bridge *httpbridge.Bridge
	// Service is the service whose rule every request to the endpoint has to
	// meet, whatever it asks for. Required, with a rule in the policy. It may be
	// public: tool calls are then the only requests that need a token, sessions
	// have no owner, and there are no streams to listen on.
	Service string
	// Tools maps the name of each tool to the procedure,
	// "/pkg.Service/Method", whose rule decides about calling it. Each needs a
	// rule in the policy. A tool without an entry is denied.
	Tools map[string]string
}

// Guard guards an MCP server. It is safe for concurrent use, and may guard
// several servers that share their tools.
type Guard struct {
	bridge  *httpbridge.Bridge
	adapter drawbridge.Adapter
	service string
	tools   map[string]string
	calls   calls
}

// New returns a Guard, or every fault of the configuration: its error joins
// [*fault.Fault] values.
func New(cfg Config) (*Guard, error) {
	faults := fault.List{Within: "mcpbridge: "}
	if cfg.Bridge == nil {
		faults.Add("Bridge", "", "is required", "")
	} else {
		cfg.checkRules(&faults)
	}
	if len(cfg.Tools) == 0 {
		faults.Add("Tools", "", "is empty, so no tool could be called", "")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return &Guard{
		bridge:  cfg.Bridge,
		adapter: cfg.Bridge.Authorizer().Adapter(),
		service: cfg.Service,
		tools:   maps.Clone(cfg.Tools),
	}, nil
}

// checkRules adds a fault for everything that has no rule in the policy.
func (cfg *Config) checkRules(faults *fault.List) {
	adapter := cfg.Bridge.Authorizer().Adapter()
	if !adapter.HasServiceRule(cfg.Service) {
		faults.Add("Service", cfg.Service, "has no rule in the policy, so every request would be denied", "")
	}
	for _, tool := range slices.Sorted(maps.Keys(cfg.Tools)) {
		if !adapter.HasRule(cfg.Tools[tool]) {
			faults.Add(fmt.Sprintf("Tools[%q]", tool), cfg.Tools[tool], "is a procedure without a rule in the policy, so every call would be denied", "")
		}
	}
}
