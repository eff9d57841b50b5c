package mcpbridge

import (
	"context"
	"fmt"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// kind is what decides about a JSON-RPC method.
type kind uint8

const (
	byMethod  kind = iota // an entry of Config.Methods
	byService             // the rule of the endpoint alone
	byList                // the same, and the result is filtered
	byTool
	byPrompt
	byResource
	byReference // what the message refers to
	byListening // each resource that the message names
)

// kinds holds every method that needs no entry in Config.Methods. A notification
// of a later revision is none of them: its name does not prove that it asks for
// nothing.
var kinds = map[string]kind{
	"initialize":      byService,
	"ping":            byService,
	"server/discover": byService,

	"notifications/cancelled":          byService,
	"notifications/initialized":        byService,
	"notifications/progress":           byService,
	"notifications/roots/list_changed": byService,

	"tools/list":               byList,
	"resources/list":           byList,
	"resources/templates/list": byList,
	"prompts/list":             byList,

	"tools/call":            byTool,
	"prompts/get":           byPrompt,
	"resources/read":        byResource,
	"resources/subscribe":   byResource,
	"resources/unsubscribe": byResource,
	"completion/complete":   byReference,
	"subscriptions/listen":  byListening,
}

func kindOf(method string) kind { return kinds[method] }

// operation is what a message asks for.
type operation struct {
	name string // for the log
	// procedures are those whose rules have to be met, all of them. Without any,
	// there is no entry.
	procedures []string
	// unknown is the response of a server that has no such thing.
	unknown error
}

var (
	errUnknownTool   = rpcError(jsonrpc.CodeInvalidParams, "unknown tool")
	errUnknownPrompt = rpcError(jsonrpc.CodeInvalidParams, "unknown prompt")
	errUnknownMethod = rpcError(jsonrpc.CodeMethodNotFound, "method not found")
	errMalformed     = rpcError(jsonrpc.CodeInvalidParams, "malformed params")
)

func rpcError(code int64, message string) error {
	return &jsonrpc.Error{Code: code, Message: message}
}

// operation returns what a message asks for, as go-sdk parsed it, or nil if the
// rule of the endpoint suffices.
func (g *Guard) operation(ctx context.Context, next mcp.MethodHandler, method string, req mcp.Request) (*operation, error) {
	switch kindOf(method) {
	case byService, byList:
		return nil, nil //nolint:nilnil // See above.
	case byTool:
		if params, ok := req.GetParams().(*mcp.CallToolParamsRaw); ok && params != nil {
			return named(g.entries.tools, "tool", params.Name, errUnknownTool), nil
		}
	case byPrompt:
		if params, ok := req.GetParams().(*mcp.GetPromptParams); ok && params != nil {
			return named(g.entries.prompts, "prompt", params.Name, errUnknownPrompt), nil
		}
	case byResource:
		if uri, ok := uriOf(req.GetParams()); ok {
			return g.reading(ctx, next, req, uri)
		}
	case byReference:
		if params, ok := req.GetParams().(*mcp.CompleteParams); ok && params != nil && params.Ref != nil {
			if params.Ref.Type == "ref/prompt" {
				return named(g.entries.prompts, "prompt", params.Ref.Name, errUnknownPrompt), nil
			}
			return g.reading(ctx, next, req, params.Ref.URI)
		}
	case byListening:
		if params, ok := req.GetParams().(*mcp.SubscriptionsListenParams); ok && params != nil && params.Notifications != nil {
			return g.reading(ctx, next, req, params.Notifications.ResourceSubscriptions...)
		}
	case byMethod:
		return named(g.entries.methods, "method", method, errUnknownMethod), nil
	}
	return nil, errMalformed
}

func uriOf(params mcp.Params) (string, bool) {
	switch params := params.(type) {
	case *mcp.ReadResourceParams:
		return params.URI, true
	case *mcp.SubscribeParams:
		return params.URI, true
	case *mcp.UnsubscribeParams:
		return params.URI, true
	}
	return "", false
}

// named returns the operation that one entry decides about.
func named(entries map[string]string, what, name string, unknown error) *operation {
	return &operation{name: fmt.Sprintf("%s %q", what, name), procedures: entry(entries, name), unknown: unknown}
}

// reading returns the operation of a message that is about resources.
func (g *Guard) reading(ctx context.Context, next mcp.MethodHandler, req mcp.Request, uris ...string) (*operation, error) {
	if len(uris) == 0 {
		return nil, nil //nolint:nilnil // The message names no resource.
	}
	op := &operation{name: fmt.Sprintf("resources %q", uris), unknown: mcp.ResourceNotFoundError(uris[0])}
	var byTemplate []string
	for _, uri := range uris {
		procedures, named := g.entries.matching(uri)
		if len(procedures) == 0 {
			return &operation{name: fmt.Sprintf("resource %q", uri), unknown: mcp.ResourceNotFoundError(uri)}, nil
		}
		if !named {
			byTemplate = append(byTemplate, uri)
		}
		for _, procedure := range procedures {
			if !slices.Contains(op.procedures, procedure) {
				op.procedures = append(op.procedures, procedure)
			}
		}
	}
	if len(byTemplate) == 0 {
		return op, nil
	}
	registered, err := lookUp(ctx, next, req, byTemplate)
	if err != nil {
		return nil, err
	}
	for uri, key := range registered {
		if g.entries.registered(key) == nil {
			return &operation{name: fmt.Sprintf("resource or template %q, which serves %q", key, uri), unknown: mcp.ResourceNotFoundError(uri)}, nil
		}
	}
	return op, nil
}
