package mcpbridge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// newChecker returns a server whose handlers check whether their caller may alter,
// and return the error in every way there is.
func newChecker(authorizer *drawbridge.Authorizer) *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "checker", Version: "1"}, nil)
	check := func(ctx context.Context) error { return authorizer.Check(ctx, asksWrite) }
	typed := func(name string, handle func(context.Context) (*mcp.CallToolResult, error)) {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			result, err := handle(ctx)
			return result, nil, err
		})
	}
	typed("typed", func(ctx context.Context) (*mcp.CallToolResult, error) { return nil, check(ctx) })
	typed("typed, wrapped", func(ctx context.Context) (*mcp.CallToolResult, error) {
		if err := check(ctx); err != nil {
			return nil, fmt.Errorf("alter the stock: %w", err)
		}
		return nil, nil //nolint:nilnil // go-sdk makes a result of it.
	})
	typed("typed, after a call within", func(ctx context.Context) (*mcp.CallToolResult, error) {
		exchange.FromContext(ctx).Native.Claim("/mcp", nil) // as an RPC handler in this process
		return nil, check(ctx)
	})
	typed("typed, in the result", func(ctx context.Context) (*mcp.CallToolResult, error) {
		result := new(mcp.CallToolResult)
		if err := check(ctx); err != nil {
			result.SetError(err)
		}
		return result, nil
	})
	typed("typed, another reason", func(context.Context) (*mcp.CallToolResult, error) {
		return nil, challenge.NewDenial(challenge.ReasonForbidden, nil)
	})
	typed("typed, no such thing", func(context.Context) (*mcp.CallToolResult, error) {
		return nil, challenge.NewDenial(challenge.ReasonNotFound, nil)
	})
	typed("typed, no such backend", func(ctx context.Context) (*mcp.CallToolResult, error) {
		denial := challenge.NewDenial(challenge.ReasonNotFound, nil)
		denial.Remote = true
		interceptor.Relay(ctx, denial, denial)
		return nil, denial
	})
	typed("typed, no denial", func(context.Context) (*mcp.CallToolResult, error) { return nil, errors.New("broken") })
	server.AddTool(&mcp.Tool{Name: "raw", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return new(mcp.CallToolResult), check(ctx)
	})
	server.AddResource(&mcp.Resource{Name: "r", URI: "stock://list"}, func(ctx context.Context, _ *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{}}, check(ctx)
	})
	server.AddPrompt(&mcp.Prompt{Name: "restock"}, func(ctx context.Context, _ *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return new(mcp.GetPromptResult), check(ctx)
	})
	return server
}

// TestReturnedDenial: the error of Check that a handler returns is the response,
// with the scopes of the operation besides those that it lacks (RPC-10, MCP-4).
func TestReturnedDenial(t *testing.T) {
	t.Parallel()
	const asks = realm + `, scope="read write enter tool", error="insufficient_scope", error_description=` + lacksScope
	rows := []struct {
		name, message string
		status        int
		asks, body    string
	}{
		{"RPC-10 a typed tool", callTool("typed"), http.StatusForbidden, asks, "insufficient_scope"},
		{"RPC-10 a typed tool, wrapped", callTool("typed, wrapped"), http.StatusForbidden, asks, "insufficient_scope"},
		{"RPC-10 a typed tool, after a call within", callTool("typed, after a call within"), http.StatusForbidden, asks, "insufficient_scope"},
		{"RPC-10 a typed tool, in the result", callTool("typed, in the result"), http.StatusForbidden, asks, "insufficient_scope"},
		{"RPC-10 a tool", callTool("raw"), http.StatusForbidden, asks, "insufficient_scope"},
		{"RPC-10 a resource", about("resources/read", "stock://list"), http.StatusForbidden, asks, "insufficient_scope"},
		{"RPC-10 a prompt", message("prompts/get", `{"name":"restock"}`), http.StatusForbidden, asks, "insufficient_scope"},
		{"RPC-10 a reason without a challenge", callTool("typed, another reason"), http.StatusForbidden, "", "not allowed"},
		{"a reason that would end the session", callTool("typed, no such thing"), http.StatusOK, "", "no such"},
		{"a reason of a backend that would end the session", callTool("typed, no such backend"), http.StatusOK, "", "no such"},
		{"no denial", callTool("typed, no denial"), http.StatusOK, "", "broken"},
	}
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e := &endpoint{issuer: authtest.NewIssuer(t)}
			authorizer := newAuthorizer(t, e.issuer, policy.Rule{Scopes: []string{"enter"}})
			bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
			if err != nil {
				t.Fatal(err)
			}
			tools := make(map[string]string)
			for _, name := range []string{
				"typed", "typed, wrapped", "typed, after a call within", "typed, in the result", "raw", "typed, another reason", "typed, no such thing", "typed, no such backend", "typed, no denial",
			} {
				tools[name] = asksTool
			}
			guard, err := mcpbridge.New(mcpbridge.Config{
				Bridge: bridge, Service: service, Tools: tools,
				Resources: map[string]string{"stock://list": asksTool},
				Prompts:   map[string]string{"restock": asksTool},
			})
			if err != nil {
				t.Fatal(err)
			}
			e.url = rpctest.ServeHTTP(t, guard.Handler(only(newChecker(authorizer)), m.options())) + "/mcp"
			session := e.open(t, m, e.mint("enter tool"))
			for _, row := range rows {
				got := e.post(t, e.url, e.mint("enter tool"), session, row.message)
				if m.events {
					// The header was sent when the operation was let through, so the
					// denial is in the result.
					row.status, row.asks, row.body = http.StatusOK, "", `"jsonrpc"`
				}
				if got.status != row.status || got.header.Get("Www-Authenticate") != row.asks || !strings.Contains(got.body, row.body) {
					t.Errorf("%s: %d %q %s, want %d %q %s", row.name, got.status, got.header["Www-Authenticate"], got.body, row.status, row.asks, row.body)
				}
			}
			for _, row := range rows[:7] {
				if got := e.post(t, e.url, e.mint("enter tool read write"), session, row.message); got.status != http.StatusOK {
					t.Errorf("%s, with all scopes: %+v", row.name, got)
				}
			}
		})
	}
}

// TestReturnedInBatch: of a batch, whose other operations have run, a returned
// denial is in its own JSON-RPC response.
func TestReturnedInBatch(t *testing.T) {
	t.Parallel()
	e := &endpoint{issuer: authtest.NewIssuer(t)}
	authorizer := newAuthorizer(t, e.issuer, policy.Rule{Authenticated: true})
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		t.Fatal(err)
	}
	both := make(chan struct{}, 2)
	server := mcp.NewServer(&mcp.Implementation{Name: "batch", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "typed"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		both <- struct{}{}
		for len(both) < cap(both) { // until the other one runs, too
			select {
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			default:
			}
		}
		return nil, nil, authorizer.Check(ctx, asksWrite)
	})
	guard, err := mcpbridge.New(mcpbridge.Config{Bridge: bridge, Service: service, Tools: map[string]string{"typed": asksRead}})
	if err != nil {
		t.Fatal(err)
	}
	e.url = rpctest.ServeHTTP(t, guard.Handler(only(server), statelessJSON())) + "/mcp"
	call := callTool("typed")
	got := e.postAs(t, "2025-03-26", e.url, e.mint("read"), "", "["+call+","+strings.Replace(call, `"id":7`, `"id":8`, 1)+"]", nil)
	if got.status != http.StatusOK || strings.Count(got.body, "lacks a scope") != 2 {
		t.Errorf("%+v, want two denials in a result", got)
	}
}
