package mcpbridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// counting verifies any token, and counts.
type counting struct{ verified atomic.Int64 }

func (c *counting) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	c.verified.Add(1)
	return &token.Info{Issuer: fadingIssuer, Subject: "ada", Audience: []string{resource}}, nil
}

// newSimpleAuthorizer authorizes by the given rule and requires a token for every
// tool.
func newSimpleAuthorizer(t *testing.T, verifier token.Verifier, rule policy.Rule, logger *slog.Logger) *drawbridge.Authorizer {
	t.Helper()
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: resource, AuthorizationServers: []string{fadingIssuer, otherIssuer}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			service: {Rule: rule, Methods: map[string]policy.Rule{rpctest.Unary: {Authenticated: true}}},
		}},
		Verifier: verifier,
		Logger:   logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	return authorizer
}

// newNamedServer returns a server whose tools return a name: "look", and "hidden",
// which has no entry.
func newNamedServer(name string) *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	for _, tool := range []string{"look", "hidden"} {
		mcp.AddTool(server, &mcp.Tool{Name: tool}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "by " + name}}}, nil, nil
		})
	}
	return server
}

func statelessJSON() *mcp.StreamableHTTPOptions {
	return &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true}
}

// TestMiddlewareOnce: a server is given the middleware once, whatever the number
// of handlers and requests, so a tool call is decided once.
func TestMiddlewareOnce(t *testing.T) {
	t.Parallel()
	verifier := new(counting)
	guard := newGuard(t, newSimpleAuthorizer(t, verifier, policy.Rule{Public: true}, slog.New(slog.DiscardHandler)))
	server := newNamedServer("one")
	var urls []string
	for range 3 {
		urls = append(urls, rpctest.ServeHTTP(t, guard.Handler(only(server), statelessJSON()))+"/mcp")
	}
	const rounds = 10
	e := new(endpoint)
	var group sync.WaitGroup
	for range rounds {
		for _, url := range urls {
			group.Go(func() {
				if got := e.post(t, url, "any", "", callTool("look")); got.status != http.StatusOK || !strings.Contains(got.body, "by one") {
					t.Errorf("got %+v", got)
				}
			})
		}
	}
	group.Wait()
	if n := verifier.verified.Load(); n != int64(rounds*len(urls)) {
		t.Errorf("%d tool calls were decided %d times", rounds*len(urls), n)
	}
}

// TestSeveralServers: each server that getServer returns is guarded.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			guard := newGuard(t, newSimpleAuthorizer(t, new(counting), policy.Rule{Public: true}, slog.New(slog.DiscardHandler)))
			servers := map[string]*mcp.Server{"/a": newNamedServer("a"), "/b": newNamedServer("b"), "/c": newNamedServer("c")}
			url := rpctest.ServeHTTP(t, guard.Handler(func(r *http.Request) *mcp.Server { return servers[r.URL.Path] }, m.options()))
			for range 2 {
				for path := range servers {
					e := &endpoint{url: url + path}
					session := e.open(t, m, "")
					got := e.post(t, e.url, "", session, callTool("look"))
					if got.status != http.StatusUnauthorized || got.header.Get("Www-Authenticate") != realm {
						t.Errorf("%s: %+v, want 401", path, got)
					}
					if got := e.post(t, e.url, "any", session, callTool("look")); got.status != http.StatusOK || !strings.Contains(got.body, "by "+path[1:]) {
						t.Errorf("%s: %+v", path, got)
					}
				}
			}
		})
	}
}

// TestSeveralServersInSessions: the same in sessions, one on each server.
func TestSeveralServersInSessions(t *testing.T) {
	t.Parallel()
	for _, m := range modes[2:] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			guard := newGuard(t, newSimpleAuthorizer(t, new(counting), policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler)))
			servers := map[string]*mcp.Server{"/a": newNamedServer("a"), "/b": newNamedServer("b")}
			url := rpctest.ServeHTTP(t, guard.Handler(func(r *http.Request) *mcp.Server { return servers[r.URL.Path] }, m.options()))
			for path := range servers {
				e := &endpoint{url: url + path}
				session := e.open(t, m, "any")
				if got := e.post(t, e.url, "any", session, callTool("look")); !strings.Contains(got.body, "by "+path[1:]) {
					t.Errorf("%s: %+v", path, got)
				}
				if got := e.post(t, e.url, "any", session, callTool("hidden")); !strings.Contains(got.body, "unknown tool") {
					t.Errorf("%s: %+v, want an unknown tool", path, got)
				}
			}
		})
	}
}

// TestNoServer: where getServer returns nil, go-sdk responds as without a guard,
// to authorized callers alone.
func TestNoServer(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			guard := newGuard(t, newSimpleAuthorizer(t, new(counting), policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler)))
			getServer := func(*http.Request) *mcp.Server { return nil }
			bare := rpctest.ServeHTTP(t, mcp.NewStreamableHTTPHandler(getServer, m.options())) + "/mcp"
			guarded := rpctest.ServeHTTP(t, guard.Handler(getServer, m.options())) + "/mcp"
			e := new(endpoint)
			want := e.post(t, bare, "any", "", callTool("look"))
			if got := e.post(t, guarded, "any", "", callTool("look")); got.status != want.status || got.body != want.body || want.status != http.StatusBadRequest {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got := e.post(t, guarded, "", "", callTool("look")); got.status != http.StatusUnauthorized {
				t.Errorf("got %+v, want 401", got)
			}
		})
	}
}

// TestTwoGuards: a server that has the middleware of another guard is not served,
// and the log says why, once for each request.
func TestTwoGuards(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			authorizer := newSimpleAuthorizer(t, new(counting), policy.Rule{Authenticated: true}, slog.New(slog.NewTextHandler(&log, nil)))
			server := newNamedServer("one")
			first := &endpoint{url: rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(server), m.options())) + "/mcp"}
			session := first.open(t, m, "any")
			if got := first.post(t, first.url, "any", session, callTool("look")); got.status != http.StatusOK {
				t.Errorf("the first guard: %+v", got)
			}
			second := rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(server), m.options())) + "/mcp"
			for i := range 2 {
				got := first.post(t, second, "any", "", callTool("look"))
				want := fmt.Sprintf(`{"error":"server_error","error_description":"internal error","server":%q}`, service)
				if got.status != http.StatusInternalServerError || got.body != want || got.header.Get("Content-Type") != "application/json" {
					t.Errorf("got %+v, want 500 %s", got, want)
				}
				if lines := strings.Count(log.String(), "\n"); lines != i+1 {
					t.Errorf("%d records after %d requests: %s", lines, i+1, &log)
				}
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "another mcpbridge.Guard") {
				t.Errorf("logged %s", &log)
			}
			// The guard that came first still serves.
			if got := first.post(t, first.url, "any", session, callTool("look")); got.status != http.StatusOK {
				t.Errorf("the first guard: %+v", got)
			}
		})
	}
}

// TestServerPerRequest: a server that is made for one request is forgotten when
// it is collected.
func TestServerPerRequest(t *testing.T) {
	guard := newGuard(t, newSimpleAuthorizer(t, new(counting), policy.Rule{Public: true}, slog.New(slog.DiscardHandler)))
	var made atomic.Int64
	e := &endpoint{url: rpctest.ServeHTTP(t, guard.Handler(func(*http.Request) *mcp.Server {
		made.Add(1)
		return newNamedServer("new")
	}, statelessJSON())) + "/mcp"}
	before := mcpbridge.GuardedServers()
	for range 50 {
		if got := e.post(t, e.url, "", "", callTool("look")); got.status != http.StatusUnauthorized {
			t.Fatalf("%+v, want 401", got)
		}
		if got := e.post(t, e.url, "any", "", callTool("look")); got.status != http.StatusOK {
			t.Fatalf("%+v, want 200", got)
		}
	}
	if made.Load() < 100 {
		t.Fatalf("%d servers were made", made.Load())
	}
	deadline := time.Now().Add(10 * time.Second)
	// A few may be reachable from connections that are kept open.
	for mcpbridge.GuardedServers() > before+4 {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d servers are kept", mcpbridge.GuardedServers()-before, made.Load())
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

// TestHostileRequests: header fields and query of a tool call that claim another
// protocol do not change the response to a denial (MCP-2).
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newEndpoint(t, m, policy.Rule{Authenticated: true})
		session := e.open(t, m, e.mint("read"))
		for name, row := range map[string]struct {
			query  string
			header http.Header
		}{
			"a version of Connect":    {"", http.Header{"Connect-Protocol-Version": {"1"}}},
			"a timeout of Connect":    {"", http.Header{"Connect-Protocol-Version": {"1"}, "Connect-Timeout-Ms": {"1000"}}},
			"a query of Connect":      {"?connect=v1&encoding=json&message=%22%22", nil},
			"the headers of gRPC":     {"", http.Header{"Te": {"trailers"}, "Grpc-Timeout": {"1S"}}},
			"a procedure in the path": {"?/" + service + "/" + rpctest.Unary, nil},
		} {
			got := e.postAs(t, "2025-11-25", e.url+row.query, e.mint("read"), session, callTool("alter"), row.header)
			want := realm + `, scope="read write", error="insufficient_scope", error_description=` + lacksScope
			if got.status != http.StatusForbidden || got.header.Get("Www-Authenticate") != want {
				t.Errorf("%s: %+v, want 403 %q", name, got, want)
			}
			if called := e.calls(); called != "" {
				t.Errorf("%s: called %q", name, called)
			}
		}
	})
}
