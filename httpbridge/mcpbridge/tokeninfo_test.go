package mcpbridge_test

import (
	"context"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestOwnTokenInfo: auth.TokenInfoFromContext of go-sdk names the caller of the
// message, also in a session that another token of the same owner opened (MCP-10).
func TestOwnTokenInfo(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		for name, rule := range map[string]policy.Rule{"guarded": {Authenticated: true}, "public": {Public: true}} {
			e := &endpoint{issuer: authtest.NewIssuer(t)}
			server := mcp.NewServer(&mcp.Implementation{Name: "names", Version: "1"}, nil)
			for _, tool := range []string{"look", "open"} {
				mcp.AddTool(server, &mcp.Tool{Name: tool}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
					var named []string
					for _, info := range []*auth.TokenInfo{auth.TokenInfoFromContext(ctx), req.Extra.TokenInfo} {
						if info != nil {
							named = append(named, strings.Join(info.Scopes, " "))
						}
					}
					if info, ok := token.FromContext(ctx); ok {
						named = append(named, strings.Join(info.Scopes, " "))
					}
					e.record(strings.Join(named, ", "))
					return nil, nil, nil
				})
			}
			bridge, err := httpbridge.New(httpbridge.Config{Authorizer: newAuthorizer(t, e.issuer, rule)})
			if err != nil {
				t.Fatal(err)
			}
			guard, err := mcpbridge.New(mcpbridge.Config{Bridge: bridge, Service: service, Tools: map[string]string{"look": asksRead, "open": forAnyone}})
			if err != nil {
				t.Fatal(err)
			}
			e.url = rpctest.ServeHTTP(t, guard.Handler(only(server), m.options())) + "/mcp"
			session := ""
			if !rule.Public {
				session = e.open(t, m, e.mint("admin"))
			}
			for _, scope := range []string{"read", "read write", "read tool"} {
				e.post(t, e.url, e.mint(scope), session, callTool("look"))
				if named, want := e.calls(), scope+", "+scope+", "+scope; named != want {
					t.Errorf("MCP-10: %s: named %q, want %q", name, named, want)
				}
			}
			if rule.Public {
				e.post(t, e.url, "", session, callTool("open"))
				if named := e.calls(); named != "" {
					t.Errorf("MCP-10: an anonymous caller is named %q", named)
				}
			}
		}
	})
}

// TestTokenInfoOfNotifications: a notification is never named after the caller who
// opened the session (MCP-10).
func TestTokenInfoOfNotifications(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	guard := newGuard(t, newAuthorizer(t, issuer, policy.Rule{Authenticated: true}))
	named := make(chan string)
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ServerOptions{
		ProgressNotificationHandler: func(ctx context.Context, _ *mcp.ProgressNotificationServerRequest) {
			info := auth.TokenInfoFromContext(ctx)
			if info == nil {
				named <- ""
				return
			}
			named <- strings.Join(info.Scopes, " ")
		},
	})
	e := &endpoint{issuer: issuer, url: rpctest.ServeHTTP(t, guard.Handler(only(server), nil)) + "/mcp"}
	session := e.open(t, modes[3], e.mint("admin"))
	for range 50 {
		e.post(t, e.url, e.mint("read"), session, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
		if got := <-named; got != "read" {
			t.Fatalf("MCP-10: a notification is named %q", got)
		}
	}
}
