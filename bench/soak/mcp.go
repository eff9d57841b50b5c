package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The MCP endpoints. The second has sessions. They are one resource.
const (
	mcpPath     = "/mcp"
	sessionPath = "/mcp/session"
	uriPrefix   = "soak://items/"
	revision    = "2025-06-18"
	sessionID   = "Mcp-Session-Id"
)

// sessionTimeout ends the sessions that their owner may not end, such as after a
// reload.
const sessionTimeout = 10 * time.Second

// mountMCP mounts an MCP server whose tools and resources stand for the methods of
// the unary service.
func (w *world) mountMCP(mux *http.ServeMux) error {
	tools, resources := make(map[string]string), make(map[string]string)
	w.mcp = mcp.NewServer(&mcp.Implementation{Name: "soak", Version: "1"}, nil)
	for _, method := range methods {
		procedure := "/" + unaryService + "/" + method
		tools[method], resources[uriPrefix+method] = procedure, procedure
		w.mcp.AddTool(&mcp.Tool{Name: method, InputSchema: json.RawMessage(`{"type":"object"}`)}, w.tool)
		w.mcp.AddResource(&mcp.Resource{Name: method, URI: uriPrefix + method}, w.read)
	}
	guard, err := mcpbridge.New(mcpbridge.Config{Bridge: w.bridge, Service: toolsService, Tools: tools, Resources: resources})
	if err != nil {
		return err
	}
	get := func(*http.Request) *mcp.Server { return w.mcp }
	mux.Handle(mcpPath, guard.Handler(get, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, Logger: w.logger}))
	mux.Handle(sessionPath, guard.Handler(get, &mcp.StreamableHTTPOptions{JSONResponse: true, SessionTimeout: sessionTimeout, Logger: w.logger}))
	return nil
}

func (w *world) tool(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	w.handlers.enter(req.Extra.Header.Get)
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: subject(ctx)}}}, nil
}

func (w *world) read(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	w.handlers.enter(req.Extra.Header.Get)
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: subject(ctx)}}}, nil
}

// mcpAnswer is a JSON-RPC response, as far as it matters.
type mcpAnswer struct {
	Result struct {
		Content  []mcpText `json:"content"`
		Contents []mcpText `json:"contents"`
		Tools    []struct {
			Name string `json:"name"`
		} `json:"tools"`
	} `json:"result"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

type mcpText struct {
	Text string `json:"text"`
}

// messages are what is posted, by method of JSON-RPC.
func callTool(method string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, method)
}

func readResource(method string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":%q}}`, uriPrefix+method)
}

const (
	listTools   = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`
	initialize  = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + revision + `","capabilities":{},"clientInfo":{"name":"soak","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// operate asks the endpoint without sessions for what the surface stands for.
func (w *world) operate(ctx context.Context, r *request) verdict {
	message := listTools
	switch r.surface {
	case mcpCall:
		message = callTool(r.method)
	case mcpRead:
		message = readResource(r.method)
	default:
	}
	answer, err := w.post(ctx, r, mcpPath, message, "")
	if err != nil {
		return verdict{failed, err.Error()}
	}
	return answer.verdict()
}

func (w *world) post(ctx context.Context, r *request, path, message, session string) (*answer, error) {
	further := http.Header{
		"Content-Type":         {"application/json"},
		"Accept":               {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {revision},
	}
	if session != "" {
		further[sessionID] = []string{session}
	}
	return w.send(ctx, r, http.MethodPost, w.origin+path, further, strings.NewReader(message))
}

// verdict reads the answer of an MCP endpoint.
func (a *answer) verdict() verdict {
	switch {
	case a.status == http.StatusAccepted:
		return verdict{class: allowed}
	case a.status == http.StatusForbidden && a.header.Get("Www-Authenticate") == "":
		return verdict{class: foreign}
	case a.status != http.StatusOK:
		return classifyHTTP(a.status, a.header, a.body)
	}
	var read mcpAnswer
	if err := json.Unmarshal([]byte(a.body), &read); err != nil {
		return verdict{failed, err.Error() + ": " + a.body}
	}
	var names []string
	for _, tool := range read.Result.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	switch {
	case read.Error != nil && (strings.HasPrefix(read.Error.Message, "unknown tool") || read.Error.Message == "Resource not found"):
		return verdict{class: unknown}
	case read.Error != nil:
		return verdict{failed, a.body}
	case len(read.Result.Content) > 0:
		return verdict{allowed, read.Result.Content[0].Text}
	case len(read.Result.Contents) > 0:
		return verdict{allowed, read.Result.Contents[0].Text}
	default:
		return verdict{allowed, strings.Join(names, " ")}
	}
}
