package mcpbridge_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestToolWithoutItsRule: a tool whose rule went with a reload is an unknown one.
// An HTTP 404 would mean to the client that its session is over (RPC-6).
func TestToolWithoutItsRule(t *testing.T) {
	t.Parallel()
	authorizer := newSimpleAuthorizer(t, fading{lifetime: time.Hour}, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
	guard := newGuard(t, authorizer)
	e := &endpoint{url: rpctest.ServeHTTP(t, guard.Handler(only(newNamedServer("one")), statelessJSON())) + "/mcp"}
	if got := e.post(t, e.url, "any", "", callTool("look")); got.status != http.StatusOK || !strings.Contains(got.body, "by one") {
		t.Fatalf("before: got %+v", got)
	}
	var log strings.Builder
	err := authorizer.Reconfigure(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: resource, AuthorizationServers: []string{fadingIssuer}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			service: {Rule: policy.Rule{Authenticated: true}, Methods: map[string]policy.Rule{rpctest.Unary: {}}},
		}},
		Verifier: fading{lifetime: time.Hour},
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := e.post(t, e.url, "any", "", callTool("look"))
	if got.status != http.StatusOK || !strings.Contains(got.body, "unknown tool") || strings.Contains(got.body, "by one") {
		t.Errorf("after: got %+v", got)
	}
	if names, _ := e.list(t, "any", "", "tools/list"); len(names) > 0 {
		t.Errorf("MCP-13: after: the list shows %q", names)
	}
	if strings.Count(log.String(), "reason=not_found") != 1 {
		t.Errorf("SEED-1: logged %q", log.String())
	}
	if open := guard.OpenCalls(); open != 0 {
		t.Errorf("%d requests are remembered after they ended", open)
	}
}
