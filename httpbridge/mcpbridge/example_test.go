package mcpbridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// An MCP server whose only tool requires a scope, and the challenge for a client
// without a token.
func Example() {
	issuer := authtest.Start()
	defer issuer.Close()
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{
			Identifier:           "https://api.example.com/mcp",
			AuthorizationServers: []string{issuer.URL},
		}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			"inventory.v1.InventoryService": {
				Rule:         policy.Rule{Scopes: []string{"inventory:read"}},
				Methods:      map[string]policy.Rule{"ListItems": {Scopes: []string{"inventory:read"}}},
				NoDescriptor: true, // no generated code is linked
			},
		}},
		Verifier: jwt,
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		fmt.Println(err)
		return
	}
	guard, err := mcpbridge.New(mcpbridge.Config{
		Bridge:  bridge,
		Service: "inventory.v1.InventoryService",
		Tools:   map[string]string{"list_items": "/inventory.v1.InventoryService/ListItems"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	server := mcp.NewServer(&mcp.Implementation{Name: "inventory", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "list_items", Description: "Lists what is in stock."}, listItems)
	mux := http.NewServeMux()
	mux.Handle("/.well-known/", bridge.Metadata())
	mux.Handle("/mcp", guard.Handler(func(*http.Request) *mcp.Server { return server }, nil))

	req := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_items"}}`))
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, req)
	fmt.Println(answer.Code)
	fmt.Println(answer.Header().Get("WWW-Authenticate"))
	// Output:
	// 401
	// Bearer realm="inventory.v1.InventoryService", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp", scope="inventory:read"
}

func listItems(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	greeting := fmt.Sprintf("Hello, %v: three anchors and a chain.", req.Extra.TokenInfo.Extra["sub"])
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: greeting}}}, nil, nil
}
