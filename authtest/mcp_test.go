package authtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// The tool, the resource and the prompt of newMCPServer.
var mcpEntries = authtest.MCPEndpoint{
	Path: "/mcp", Tools: []string{"look"}, Resources: []string{"shelf://1"}, Prompts: []string{"restock"},
}

func newMCPServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "shelves", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "look"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "three anchors"}}}, nil, nil
	})
	server.AddResource(&mcp.Resource{Name: "shelf", URI: "shelf://1"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "shelf://1", Text: "a chain"}}}, nil
	})
	server.AddPrompt(&mcp.Prompt{Name: "restock"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{}, nil
	})
	return server
}

// guardedMCP serves newMCPServer behind a guard, under a rule for the endpoint and
// one for all of its entries.
func guardedMCP(t *testing.T, endpoint, entry policy.Rule) http.Handler {
	t.Helper()
	world := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Policy = policy.Policy{Services: map[string]policy.Service{
			"shelves": {Rule: endpoint, Methods: map[string]policy.Rule{"Look": entry}, NoDescriptor: true},
		}}
		cfg.Logger = slog.New(slog.DiscardHandler)
	})
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: world.Authorizer})
	if err != nil {
		t.Fatal(err)
	}
	const look = "/shelves/Look"
	guard, err := mcpbridge.New(mcpbridge.Config{
		Bridge:    bridge,
		Service:   "shelves",
		Tools:     map[string]string{"look": look},
		Resources: map[string]string{"shelf://1": look},
		Prompts:   map[string]string{"restock": look},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := newMCPServer()
	mux := http.NewServeMux()
	mux.Handle("/mcp", guard.Handler(func(*http.Request) *mcp.Server { return server }, nil))
	return mux
}

// openMCP serves newMCPServer without a guard, with sessions.
func openMCP() http.Handler {
	server := newMCPServer()
	mux := http.NewServeMux()
	mux.Handle("/mcp", mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	return mux
}

// TestMCP: every message to an endpoint that requires a token is refused, and of a
// public one those of the entries (MCP-2, MCP-12).
func TestMCP(t *testing.T) {
	t.Parallel()
	var (
		public        = policy.Rule{Public: true}
		authenticated = policy.Rule{Authenticated: true}
	)
	const not = "MCP endpoint /mcp does not refuse an anonymous call: "
	openEntries := []string{
		not + `tools/call of look answered 200 OK with event: message data: {"jsonrpc":"2.0"`,
		not + `resources/read of shelf://1 answered 200 OK with `,
		not + `prompts/get of restock answered 200 OK with `,
	}
	for _, tt := range []struct {
		name     string
		handler  http.Handler
		isPublic bool
		want     []string
	}{
		{"MCP-2 all of it is guarded", guardedMCP(t, authenticated, authenticated), false, nil},
		{"MCP-12 the entries are guarded", guardedMCP(t, public, authenticated), true, nil},
		{"without a guard", openMCP(), false, append([]string{
			not + "initialize answered 200 OK with event: message", not + "tools/list answered 200 OK with ",
		}, openEntries...)},
		{"without a guard, as a public one", openMCP(), true, openEntries},
		{
			"public by mistake", guardedMCP(t, public, authenticated), false,
			[]string{not + "initialize answered 200 OK with ", not + "tools/list answered 200 OK"},
		},
		{
			"not public", guardedMCP(t, authenticated, authenticated), true,
			[]string{"MCP endpoint /mcp is listed as public, and refuses an anonymous call: initialize answered 401 Unauthorized"},
		},
		{"not served", http.NotFoundHandler(), false, []string{"MCP endpoint /mcp is not served: initialize answered 404 Not Found"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check := serveHTTP1(t, tt.handler)
			endpoint := mcpEntries
			endpoint.Public = tt.isPublic
			check.MCP = []authtest.MCPEndpoint{endpoint}
			expect(t, errorsOf(t, check), tt.want...)
		})
	}
}

// TestMCPAnswers: what an endpoint answers is reported.
func TestMCPAnswers(t *testing.T) {
	t.Parallel()
	const not = "MCP endpoint /mcp does not refuse an anonymous call: initialize answered "
	for _, tt := range []struct {
		name     string
		response response
		want     string
	}{
		{"no challenge", response{status: 401}, not + "401 Unauthorized without a challenge that has resource_metadata"},
		{"another page", response{status: 403, body: " Forbidden\n by a proxy "}, not + "403 Forbidden with Forbidden by a proxy"},
		{"empty", response{status: 202}, not + "202 Accepted"},
		{"no response", response{err: context.DeadlineExceeded}, not + "nothing in time, so it waits for something"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check := madeUpServer{"/mcp", "application/json", tt.response}.check()
			check.MCP = []authtest.MCPEndpoint{{Path: "/mcp"}}
			got := errorsOf(t, check)
			expect(t, got, tt.want, "MCP endpoint /mcp does not refuse an anonymous call: tools/list answered ")
			if got[0] != "authtest: "+tt.want {
				t.Errorf("got %q", got[0])
			}
		})
	}
}

// TestMCPSession: messages of a public endpoint that requires a session come in
// one, opened as MCP asks (2025-11-25, lifecycle), so that their own refusal is
// what counts.
func TestMCPSession(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var messages []string
	check := serveHTTP1(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/mcp" {
			http.NotFound(w, r)
			return
		}
		var message struct {
			ID     any    `json:"id"`
			Method string `json:"method"`
		}
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		session, version := r.Header.Get("Mcp-Session-Id"), r.Header.Get("Mcp-Protocol-Version")
		mu.Lock()
		defer mu.Unlock()
		messages = append(messages, fmt.Sprintf("%v %s %s %s", message.ID, message.Method, session, version))
		switch {
		case message.Method == "initialize":
			w.Header().Set("Mcp-Session-Id", "s-1")
		case session != "s-1":
			http.Error(w, "no session", http.StatusBadRequest)
		case message.Method == "notifications/initialized":
			w.WriteHeader(http.StatusAccepted)
		default:
			w.Header().Set("WWW-Authenticate", refusal.header.Get("Www-Authenticate"))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	endpoint := mcpEntries
	endpoint.Public = true
	check.MCP = []authtest.MCPEndpoint{endpoint}
	check.Run(t)
	want := []string{
		"1 initialize  ",
		"<nil> notifications/initialized s-1 2025-11-25",
		"2 tools/call s-1 2025-11-25",
		"3 resources/read s-1 2025-11-25",
		"4 prompts/get s-1 2025-11-25",
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(messages, want) {
		t.Errorf("got %q, want %q", messages, want)
	}
}
