package mcpbridge_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// The procedures behind the entries, and what each asks for.
var (
	forAnyone = rpctest.Procedure(rpctest.PublicService, rpctest.Unary)
	asksRead  = rpctest.Procedure(service, rpctest.Unary)
	asksWrite = rpctest.Procedure(service, rpctest.Client) // and read
	asksTool  = rpctest.Procedure(service, rpctest.Server)
)

// libraryConfig has an entry of every kind. Of what [newLibrary] registers,
// everything that is called "forgotten" has none.
func libraryConfig(bridge *httpbridge.Bridge) mcpbridge.Config {
	return mcpbridge.Config{
		Bridge:  bridge,
		Service: service,
		Tools:   map[string]string{"look": asksRead, "alter": asksWrite, "open": forAnyone},
		Resources: map[string]string{
			"stock://list":                     asksRead,
			"stock://welcome":                  forAnyone,
			"stock://items/secret":             asksTool,
			"stock://items/{sku}":              asksRead,
			"stock://items/{+path}":            asksRead,
			"stock://items/{sku}/history{?to}": asksWrite,
			"stock://{+any}":                   forAnyone,
		},
		Prompts: map[string]string{"restock": asksWrite, "greet": forAnyone},
		Methods: map[string]string{"acme/search": asksWrite},
	}
}

// newLibrary returns an endpoint whose server has tools, resources, templates,
// prompts and a method of its own.
func newLibrary(t *testing.T, m mode, rule policy.Rule, configure func(*mcpbridge.Config)) *endpoint {
	t.Helper()
	e, _ := newLibraryServer(t, m, rule, configure)
	return e
}

// newLibraryServer is newLibrary for tests that do more with the server.
func newLibraryServer(t *testing.T, m mode, rule policy.Rule, configure func(*mcpbridge.Config)) (*endpoint, *mcp.Server) {
	t.Helper()
	e := &endpoint{issuer: authtest.NewIssuer(t)}
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: newObservedAuthorizer(t, e, rule)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := libraryConfig(bridge)
	if configure != nil {
		configure(&cfg)
	}
	guard, err := mcpbridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := e.newServer(t)
	e.url = rpctest.ServeHTTP(t, guard.Handler(only(server), m.options())) + "/mcp"
	return e, server
}

func (e *endpoint) newServer(t *testing.T) *mcp.Server {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "library", Version: "1"}, &mcp.ServerOptions{
		PageSize: 2,
		SubscribeHandler: func(_ context.Context, req *mcp.SubscribeRequest) error {
			e.record("subscribe " + req.Params.URI)
			return nil
		},
		UnsubscribeHandler: func(_ context.Context, req *mcp.UnsubscribeRequest) error {
			e.record("unsubscribe " + req.Params.URI)
			return nil
		},
		CompletionHandler: func(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			e.record("complete " + req.Params.Ref.Name + req.Params.Ref.URI)
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{"done"}}}, nil
		},
	})
	for _, name := range []string{"look", "alter", "open", "forgotten"} {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			e.record(name)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
		})
	}
	read := func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		e.record("read " + req.Params.URI)
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "done"}}}, nil
	}
	for _, uri := range []string{"stock://list", "stock://welcome", "stock://items/secret", "stock://items/forgotten"} {
		server.AddResource(&mcp.Resource{Name: uri, URI: uri}, read)
	}
	for _, template := range []string{"stock://items/{sku}", "stock://items/{sku}/history{?to}", "stock://forgotten/{id}", "stock://{+any}"} {
		server.AddResourceTemplate(&mcp.ResourceTemplate{Name: template, URITemplate: template}, read)
	}
	for _, name := range []string{"restock", "greet", "forgotten"} {
		server.AddPrompt(&mcp.Prompt{Name: name}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			e.record("prompt " + name)
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "done"}}}}, nil
		})
	}
	for _, method := range []string{"acme/search", "acme/forgotten"} {
		if err := mcp.AddReceivingCustomMethod(server, method, e.custom(method)); err != nil {
			t.Fatal(err)
		}
	}
	return server
}

// customParams and customResult are those of a method of our own.
type (
	customParams struct {
		mcp.ParamsBase
	}
	customResult struct {
		mcp.ResultBase

		Done string `json:"done"`
	}
)

func (e *endpoint) custom(method string) func(context.Context, *mcp.ServerSession, *customParams) (*customResult, error) {
	return func(context.Context, *mcp.ServerSession, *customParams) (*customResult, error) {
		e.record(method)
		return &customResult{Done: "done"}, nil
	}
}

func (e *endpoint) record(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.called = append(e.called, what)
}

// message returns a JSON-RPC call.
func message(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":%s}`, method, params)
}

func about(method, uri string) string { return message(method, fmt.Sprintf(`{"uri":%q}`, uri)) }

func complete(ref string) string {
	return message("completion/complete", `{"ref":`+ref+`,"argument":{"name":"sku","value":"B"}}`)
}

// TestEveryMethodIsDecided: what is not a tool is decided as a tool is: denied
// without an entry, and with 403 and all scopes where the token lacks some
// (MCP-2, MCP-3, MCP-4, MCP-12).
func TestEveryMethodIsDecided(t *testing.T) {
	t.Parallel()
	const lacking = `, error="insufficient_scope", error_description=` + lacksScope
	const unknownResource, unknownPrompt, unknownMethod = `"message":"Resource not found","data":{"uri":`, "unknown prompt", "method not found"
	rows := []struct {
		name, scope, message string
		asks                 string // the scopes of a 403, or "" for 200
		body, ran            string
	}{
		{"a resource", "read", about("resources/read", "stock://list"), "", "done", "read stock://list"},
		{"a resource, without its scope", "none", about("resources/read", "stock://list"), "read", "", ""},
		{"a template", "read", about("resources/read", "stock://items/bolt"), "", "done", "read stock://items/bolt"},
		{"a template, without its scope", "none", about("resources/read", "stock://items/bolt"), "read", "", ""},
		{"another template", "read", about("resources/read", "stock://items/bolt/history?to=1"), "read write", "", ""},
		{"a resource that a template matches", "read", about("resources/read", "stock://items/secret"), "tool read", "", ""},
		{"the same, with the scope of one entry", "tool", about("resources/read", "stock://items/secret"), "read tool", "", ""},
		{"the same, with both", "read tool", about("resources/read", "stock://items/secret"), "", "done", "read stock://items/secret"},
		{"the same, encoded", "read", about("resources/read", "stock://items/%73ecret"), "tool read", "", ""},
		{"the same, encoded, with both", "read tool", about("resources/read", "stock://items/%73ecret"), "", "done", "read stock://items/%73ecret"},
		{"only the widest template", "none", about("resources/read", "stock://elsewhere"), "", "done", "read stock://elsewhere"},
		{"a resource without an entry that templates match", "read write tool", about("resources/read", "stock://items/forgotten"), "", unknownResource, ""},
		{"a template without an entry, before one that matches", "read write tool", about("resources/read", "stock://forgotten/1"), "", unknownResource, ""},
		{"a resource that no entry matches", "read write tool", about("resources/read", "other://x"), "", unknownResource, ""},
		{"no resource", "read write tool", about("resources/read", ""), "", unknownResource, ""},
		{"subscribe", "read", about("resources/subscribe", "stock://items/bolt"), "", "result", "subscribe stock://items/bolt"},
		{"subscribe, without the scope", "none", about("resources/subscribe", "stock://items/bolt"), "read", "", ""},
		{"subscribe, without an entry", "read write tool", about("resources/subscribe", "stock://items/forgotten"), "", unknownResource, ""},
		{"unsubscribe", "read", about("resources/unsubscribe", "stock://items/bolt"), "", "result", "unsubscribe stock://items/bolt"},
		{"unsubscribe, without the scope", "none", about("resources/unsubscribe", "stock://items/bolt"), "read", "", ""},
		{"a prompt", "read write", message("prompts/get", `{"name":"restock"}`), "", "done", "prompt restock"},
		{"a prompt, without its scope", "read", message("prompts/get", `{"name":"restock"}`), "read write", "", ""},
		{"a prompt without an entry", "read write tool", message("prompts/get", `{"name":"forgotten"}`), "", unknownPrompt, ""},
		{"completion for a prompt", "read write", complete(`{"type":"ref/prompt","name":"restock"}`), "", "done", "complete restock"},
		{"completion for a prompt, without its scope", "read", complete(`{"type":"ref/prompt","name":"restock"}`), "read write", "", ""},
		{"completion for a prompt without an entry", "read write tool", complete(`{"type":"ref/prompt","name":"forgotten"}`), "", unknownPrompt, ""},
		{"completion for a template", "read", complete(`{"type":"ref/resource","uri":"stock://items/{sku}"}`), "", "done", "complete stock://items/{sku}"},
		{"completion for a template, without its scope", "none", complete(`{"type":"ref/resource","uri":"stock://items/{sku}"}`), "read", "", ""},
		{"completion for a template without an entry", "read write tool", complete(`{"type":"ref/resource","uri":"stock://forgotten/{id}"}`), "", unknownResource, ""},
		{"completion for a resource", "read", complete(`{"type":"ref/resource","uri":"stock://list"}`), "", "done", "complete stock://list"},
		{"completion for nothing", "read write tool", message("completion/complete", `{"argument":{"name":"sku","value":"B"}}`), "", "malformed params", ""},
		{"a method with an entry", "read write", message("acme/search", `{}`), "", "done", "acme/search"},
		{"a method, without its scope", "read", message("acme/search", `{}`), "read write", "", ""},
		{"a method without an entry", "read write tool", message("acme/forgotten", `{}`), "", unknownMethod, ""},
		{"a method of MCP without an entry", "read write tool", message("logging/setLevel", `{"level":"info"}`), "", unknownMethod, ""},
		{"ping", "none", message("ping", `{}`), "", "result", ""},
		{"a list", "none", message("tools/list", `{}`), "", "result", ""},
	}
	eachMode(t, func(t *testing.T, m mode) {
		e := newLibrary(t, m, policy.Rule{Authenticated: true}, nil)
		session := e.open(t, m, e.mint("none"))
		for _, row := range rows {
			got := e.post(t, e.url, e.mint(row.scope), session, row.message)
			status, want := http.StatusOK, ""
			if row.asks != "" {
				status, want = http.StatusForbidden, realm+`, scope="`+row.asks+`"`+lacking
			}
			if got.status != status || got.header.Get("Www-Authenticate") != want {
				t.Errorf("MCP-12: %s: %d %q, want %d %q (%s)", row.name, got.status, got.header["Www-Authenticate"], status, want, got.body)
			}
			if row.body != "" && !strings.Contains(got.body, row.body) {
				t.Errorf("%s: %q, want %q in it", row.name, got.body, row.body)
			}
			if ran := e.calls(); ran != row.ran {
				t.Errorf("MCP-12: %s: ran %q, want %q", row.name, ran, row.ran)
			}
			denied := row.asks != "" || strings.HasPrefix(row.body, "unknown") || row.body == unknownResource || row.body == unknownMethod
			if log := e.logged(); denied != (strings.Count(log, "\n") == 1) {
				t.Errorf("SEED-1: %s: logged %q", row.name, log)
			}
		}
	})
}

// TestRulesDecideOnce: each rule decides once about a message, however many entries
// name it, in the order of the entries.
func TestRulesDecideOnce(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newLibrary(t, m, policy.Rule{Authenticated: true}, nil)
		session := e.open(t, m, e.mint("read"))
		for _, row := range []struct {
			message string
			want    []string
		}{
			{about("resources/read", "stock://items/bolt"), []string{service, asksRead, forAnyone}},
			{about("resources/read", "stock://items/secret"), []string{service, asksTool}},
			{callTool("look"), []string{service, asksRead}},
			{message("ping", `{}`), []string{service}},
		} {
			e.decided()
			e.post(t, e.url, e.mint("read"), session, row.message)
			if decided := e.decided(); !slices.Equal(decided, row.want) {
				t.Errorf("%s: %q decided, want %q", row.message, decided, row.want)
			}
		}
	})
}
