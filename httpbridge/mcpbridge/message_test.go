package mcpbridge_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// readsMessage compiles every text into a condition that reads the message.
type readsMessage struct{}

func (readsMessage) CompileCondition(string, policy.Target) (policy.Condition, error) {
	return readsMessage{}, nil
}

func (readsMessage) NeedsMessage() bool                                { return true }
func (readsMessage) Holds(context.Context, policy.Input) (bool, error) { return true, nil }

// TestRuleThatReadsTheMessage: a call over MCP has no message of the RPC. A tool whose rule
// reads it is a fault, and after a reload it is denied and not listed (MCP-13).
func TestRuleThatReadsTheMessage(t *testing.T) {
	t.Parallel()
	procedure := rpctest.Procedure(service, rpctest.Unary)
	config := func(rule policy.Rule) drawbridge.Config {
		return drawbridge.Config{
			Resources: []drawbridge.Resource{{Identifier: resource, AuthorizationServers: []string{fadingIssuer}}},
			Policy: policy.Policy{Services: map[string]policy.Service{
				service: {Rule: policy.Rule{Authenticated: true}, Methods: map[string]policy.Rule{rpctest.Unary: rule}},
			}},
			Compiler: policy.Compiler{Conditions: readsMessage{}},
			Verifier: fading{lifetime: time.Hour},
			Logger:   slog.New(slog.DiscardHandler),
		}
	}
	authorizer, err := drawbridge.New(config(policy.Rule{Condition: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		t.Fatal(err)
	}
	_, err = mcpbridge.New(mcpbridge.Config{Bridge: bridge, Service: service, Tools: map[string]string{"look": procedure}})
	if err == nil || !strings.HasPrefix(err.Error(), `mcpbridge: Tools["look"]: "`+procedure+`" is a procedure whose rule reads its message`) {
		t.Errorf("got %v", err)
	}

	if err := authorizer.Reconfigure(config(policy.Rule{Authenticated: true})); err != nil {
		t.Fatal(err)
	}
	e := &endpoint{url: rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(newNamedServer("one")), statelessJSON())) + "/mcp"}
	if names, _ := e.list(t, "any", "", "tools/list"); len(names) != 1 {
		t.Errorf("before: the list shows %q", names)
	}
	if err := authorizer.Reconfigure(config(policy.Rule{Condition: "x"})); err != nil {
		t.Fatal(err)
	}
	if names, _ := e.list(t, "any", "", "tools/list"); len(names) != 0 {
		t.Errorf("after: the list shows %q", names)
	}
	if got := e.post(t, e.url, "any", "", callTool("look")); got.status != http.StatusInternalServerError || strings.Contains(got.body, "by one") {
		t.Errorf("after: got %+v", got)
	}
}
