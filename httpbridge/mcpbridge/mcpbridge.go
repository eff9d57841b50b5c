// Package mcpbridge guards MCP servers that are built with the official go-sdk.
//
// A [Guard] lets callers in by the rule of a service, and decides about each tool
// call, resource, prompt and further method by the rule of the procedure that it
// stands for. The decision is about the message as the MCP server parsed it, not
// as a second parser might read it, and a denial is a real HTTP 401 or 403, which
// makes an MCP client step up:
//
//	guard, err := mcpbridge.New(mcpbridge.Config{
//		Bridge:    bridge,
//		Service:   "inventory.v1.InventoryService",
//		Tools:     map[string]string{"list_items": "/inventory.v1.InventoryService/ListItems"},
//		Resources: map[string]string{"inventory://items/{sku}": "/inventory.v1.InventoryService/ListItems"},
//	})
//	mux.Handle("/mcp", guard.Handler(func(*http.Request) *mcp.Server { return server }, nil))
package mcpbridge

import (
	"maps"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
)

// Config configures a [Guard]. [New] checks all of it, copies what it needs, and
// reports every fault at once.
//
// Tools, Resources, Prompts and Methods are entries: each names a procedure,
// "/pkg.Service/Method", whose rule decides. The policy has a rule for it, and
// names the method if the service has no descriptor. What has no entry is denied,
// as if it did not exist. At least one entry is required.
type Config struct {
	// Bridge writes the denials. Required.
	Bridge *httpbridge.Bridge
	// Service is the service whose rule every request to the endpoint has to
	// meet, whatever it asks for. Required, with a rule in the policy. It alone
	// decides about initialize, ping, server/discover, the lists of tools,
	// resources, resource templates and prompts, and the notifications of go-sdk.
	// It may be public: the entries then decide which messages need a token, and
	// requests are served without sessions.
	Service string
	// Tools holds the entry of each tool, by its name.
	Tools map[string]string
	// Resources holds the entry of each resource, by its URI, and of each
	// resource template, by its URI template, as they are registered with go-sdk.
	// It decides about resources/read, resources/subscribe and
	// resources/unsubscribe, about each resource that subscriptions/listen names,
	// and about completion/complete for a resource template. Where a URI matches
	// several entries, all their rules have to be met. A resource or template
	// without an entry is denied also if an entry of another one matches its URI.
	Resources map[string]string
	// Prompts holds the entry of each prompt, by its name. It decides about
	// prompts/get and about completion/complete for a prompt.
	Prompts map[string]string
	// Methods holds the entry of each further JSON-RPC method, such as
	// "logging/setLevel", a method of mcp.AddReceivingCustomMethod, or one of a
	// later revision of MCP.
	Methods map[string]string
	// OnlyCallable makes the lists of tools, resources, resource templates and
	// prompts show what the caller may use with its present token. Otherwise they
	// also show what it could use with more scopes, or after authenticating in
	// another way, so that it finds what to step up for. Either way an anonymous
	// caller sees what is public.
	OnlyCallable bool
}

// Guard guards an MCP server. It is safe for concurrent use, and may guard
// several servers that share their entries.
type Guard struct {
	bridge  *httpbridge.Bridge
	adapter drawbridge.Adapter
	service string
	entries entries
	calls   calls

	onlyCallable bool
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
	known := newEntries(&cfg, &faults)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return &Guard{
		bridge:  cfg.Bridge,
		adapter: cfg.Bridge.Authorizer().Adapter(),
		service: cfg.Service,
		entries: known,

		onlyCallable: cfg.OnlyCallable,
	}, nil
}

// checkRules adds a fault for everything that has no rule in the policy.
func (cfg *Config) checkRules(faults *fault.List) {
	adapter := cfg.Bridge.Authorizer().Adapter()
	if !adapter.HasServiceRule(cfg.Service) {
		faults.Add("Service", cfg.Service, "has no rule in the policy, so every request would be denied", "")
	}
	for place, procedure := range cfg.all() {
		switch {
		case !adapter.HasRule(procedure):
			faults.Add(place, procedure, "is a procedure without a rule in the policy, so every call would be denied", "")
		case !adapter.HasMethodRule(procedure):
			faults.Add(place, procedure, "is a method that the policy does not name, of a service without a descriptor, so it may be misspelled",
				"name it in the Methods of the service")
		case adapter.NeedsMessage(procedure):
			faults.Add(place, procedure, "is a procedure whose rule reads its message, which a call over MCP does not have, so every call would be denied",
				"let the handler ask Authorizer.CheckMessage, and map this to a procedure of its own")
		}
	}
}

// newEntries returns the entries of a Config, and adds a fault for each that could
// not decide about anything.
func newEntries(cfg *Config, faults *fault.List) entries {
	known := entries{tools: maps.Clone(cfg.Tools), prompts: maps.Clone(cfg.Prompts), methods: maps.Clone(cfg.Methods)}
	if len(cfg.Tools)+len(cfg.Resources)+len(cfg.Prompts)+len(cfg.Methods) == 0 {
		faults.Add("Tools", "", "is empty, and so are Resources, Prompts and Methods, so nothing could be called", "")
	}
	for key, procedure := range sorted(cfg.Resources) {
		entry, err := newResource(key, procedure)
		if err != nil {
			faults.Add(placeOf("Resources", key), key, "is neither a URI nor a URI template: "+err.Error(), "")
			continue
		}
		known.resources = append(known.resources, entry)
	}
	for method := range sorted(cfg.Methods) {
		if kindOf(method) != byMethod {
			faults.Add(placeOf("Methods", method), method, "is decided by the rule of Service or by the other entries, so this one would never be", "")
		}
	}
	return known
}
