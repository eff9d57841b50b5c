// Package mcpbridge guards MCP servers that are built with the official go-sdk.
//
// A [Guard] lets callers in by the rule of a service, and decides about each
// tool call by the rule of the procedure that the tool stands for. The decision
// is about the call as the MCP server parsed it, not as a second parser might
// read it, and a denial is a real HTTP 401 or 403, which is what makes an MCP
// client step up:
//
//	guard, err := mcpbridge.New(mcpbridge.Config{
//		Bridge:  bridge,
//		Service: "inventory.v1.InventoryService",
//		Tools:   map[string]string{"list_items": "/inventory.v1.InventoryService/ListItems"},
//	})
//	mux.Handle("/mcp", guard.Handler(server, nil))
package mcpbridge

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
)

// Config says what a [Guard] guards. [New] checks it, copies it, and reports
// every fault at once.
type Config struct {
	// Bridge tells the denials. Required.
	Bridge *httpbridge.Bridge
	// Service is the service whose rule every request to the endpoint has to
	// meet, whatever it asks. Required, with a rule in the policy. It may be
	// public: tool calls are then the only requests that need a token, sessions
	// belong to nobody, and there are no streams to listen on.
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
	service string
	tools   map[string]string
	calls   calls

	// middle is whether the middleware was asked for. Without it the guard would
	// let callers in and decide about no tool call.
	middle atomic.Bool
}

// New makes a Guard, or returns every fault of the configuration, joined.
func New(cfg Config) (*Guard, error) {
	if cfg.Bridge == nil {
		return nil, errors.New("mcpbridge: Bridge: is required")
	}
	authorizer := cfg.Bridge.Authorizer()
	var faults []error
	if !authorizer.HasServiceRule(cfg.Service) {
		faults = append(faults, fmt.Errorf("mcpbridge: Service: %q has no rule in the policy, so nobody could come in", cfg.Service))
	}
	if len(cfg.Tools) == 0 {
		faults = append(faults, errors.New("mcpbridge: Tools: is empty, so no tool could be called"))
	}
	for _, tool := range slices.Sorted(maps.Keys(cfg.Tools)) {
		if !authorizer.HasRule(cfg.Tools[tool]) {
			faults = append(faults, fmt.Errorf("mcpbridge: Tools[%q]: procedure %q has no rule in the policy, so nobody could call it", tool, cfg.Tools[tool]))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Guard{bridge: cfg.Bridge, service: cfg.Service, tools: maps.Clone(cfg.Tools)}, nil
}
