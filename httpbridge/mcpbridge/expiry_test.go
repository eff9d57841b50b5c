package mcpbridge_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// newSlowEndpoint returns an endpoint whose tokens live for a moment, and whose
// server takes longer for a method.
func newSlowEndpoint(t *testing.T, m mode, method string) *endpoint {
	t.Helper()
	const lifetime = 300 * time.Millisecond
	authorizer := newSimpleAuthorizer(t, fading{lifetime: lifetime}, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
	server := newNamedServer("one")
	server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, asked string, req mcp.Request) (mcp.Result, error) {
			if asked == method {
				select {
				case <-ctx.Done():
				case <-time.After(lifetime + 50*time.Millisecond):
				}
			}
			return next(ctx, asked, req)
		}
	})
	return &endpoint{url: rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(server), m.options())) + "/mcp"}
}

// TestServedToItsEnd: a message that was let in is served, even if the token
// expires meanwhile, and its result reaches the client: what has run, has run.
func TestServedToItsEnd(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e := newSlowEndpoint(t, m, "tools/call")
			session := ""
			if !m.stateless {
				session = e.open(t, m, "any")
			}
			if got := e.post(t, e.url, "any", session, callTool("look")); got.status != http.StatusOK || !strings.Contains(got.body, "by one") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestListAfterExpiry: a list whose token expires before it is filtered is a 401,
// and not one without items (MCP-2, MCP-13).
func TestListAfterExpiry(t *testing.T) {
	t.Parallel()
	for _, m := range modes[:4] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e := newSlowEndpoint(t, m, "tools/list")
			session := ""
			if !m.stateless {
				session = e.open(t, m, "any")
			}
			got := e.post(t, e.url, "any", session, message("tools/list", "{}"))
			if got.status != http.StatusUnauthorized || !strings.Contains(got.header.Get("Www-Authenticate"), "invalid_token") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestSubscriptionEnds: a subscription of revision 2026-07-28, which is a POST, ends
// when its token expires.
func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	e := newSlowEndpoint(t, modes[1], "")
	began := time.Now()
	got := e.post2026(t, "any", "subscriptions/listen", `{"notifications":{"toolsListChanged":true}}`, "subscriptions/listen", "")
	if took := time.Since(began); got.status != http.StatusOK || took < 200*time.Millisecond || took > 20*time.Second {
		t.Errorf("after %v: got %+v", took, got)
	}
}
