package mcpbridge_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestAroundTheGuard: the middleware denies every operation that did not come in
// through the guard, whatever its header fields, shows nothing in a list, and logs
// the fault.
func TestAroundTheGuard(t *testing.T) {
	t.Parallel()
	for _, m := range modes[:2] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e, server := newLibraryServer(t, m, policy.Rule{Public: true}, nil)
			e.post(t, e.url, "", "", callTool("open")) // The server is given the middleware.
			e.calls()
			e.logged()
			e.url = rpctest.ServeHTTP(t, mcp.NewStreamableHTTPHandler(only(server), m.options()))
			raw := e.mint("read write tool")
			for _, message := range []string{
				callTool("open"), callTool("look"), callTool("alter"), callTool("forgotten"),
				about("resources/read", "stock://welcome"), about("resources/subscribe", "stock://welcome"),
				message("prompts/get", `{"name":"greet"}`), message("acme/search", `{}`),
			} {
				for _, id := range []string{"", "guess"} {
					got := e.postAs(t, "2025-11-25", e.url, raw, "", message, http.Header{"Drawbridge-Call": {id}})
					if !strings.Contains(got.body, "did not come in through the guard") {
						t.Errorf("%s: %+v, want an error", message, got)
					}
					if called := e.calls(); called != "" {
						t.Errorf("called %q", called)
					}
					// A caller can make up an id, and fill the log with nothing.
					if log := e.logged(); (id == "") != (strings.Contains(log, "level=ERROR") && strings.Contains(log, "around Guard.Handler")) {
						t.Errorf("%s: with the id %q: logged %q", message, id, log)
					}
				}
			}
			if names, _ := e.list(t, raw, "", "tools/list"); len(names) > 0 {
				t.Errorf("the list shows %q", names)
			}
		})
	}
}

// TestBrokenLists: where the lists of the server fail, it is unknown what a URI is
// read from, so it is not read.
func TestBrokenLists(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"resources/list", "resources/templates/list"} {
		for name, answer := range map[string]mcp.MethodHandler{
			"an error": func(context.Context, string, mcp.Request) (mcp.Result, error) { return nil, errors.New("secret cause") },
			"an RPC error": func(context.Context, string, mcp.Request) (mcp.Result, error) {
				return nil, &jsonrpc.Error{Code: 1, Message: "secret"}
			},
			"another result": func(context.Context, string, mcp.Request) (mcp.Result, error) { return new(mcp.CallToolResult), nil },
		} {
			t.Run(broken+", "+name, func(t *testing.T) {
				t.Parallel()
				e, server := newLibraryServer(t, modes[0], policy.Rule{Authenticated: true}, nil)
				server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
					return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
						if method == broken {
							return answer(ctx, method, req)
						}
						return next(ctx, method, req)
					}
				})
				got := e.post(t, e.url, e.mint("read"), "", about("resources/read", "stock://items/bolt"))
				if ran := e.calls(); ran != "" || !strings.Contains(got.body, "internal error") || strings.Contains(got.body, "secret") {
					t.Errorf("RPC-7: %+v, ran %q", got, ran)
				}
				if log := e.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=ERROR") {
					t.Errorf("SEED-1: logged %q", log)
				}
				// One with an entry of its own needs no list.
				if got := e.post(t, e.url, e.mint("read"), "", about("resources/read", "stock://list")); !strings.Contains(got.body, "done") {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

// TestForeignHost: a page whose name was bound to the loopback address reaches no
// public endpoint, and a proxy on the same host reaches every one (CVE-2026-34742).
func TestForeignHost(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			public := newLibrary(t, m, policy.Rule{Public: true}, nil)
			guarded := newLibrary(t, m, policy.Rule{Authenticated: true}, nil)
			for _, row := range []struct {
				name, host string
				e          *endpoint
				raw        string
				status     int
			}{
				{"a foreign host", "evil.example.org", public, "", http.StatusForbidden},
				{"the host of the resource, through a proxy", "api.example.com", public, "", http.StatusOK},
				{"loopback", "localhost:1234", public, "", http.StatusOK},
				{"a token, the host of the resource, through a proxy", "api.example.com", guarded, guarded.mint("read"), http.StatusOK},
				{"no token, a foreign host", "evil.example.org", guarded, "", http.StatusUnauthorized},
			} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, row.e.url, strings.NewReader(initialize))
				if err != nil {
					t.Fatal(err)
				}
				req.Host = row.host
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Accept", "application/json, text/event-stream")
				if row.raw != "" {
					req.Header.Set("Authorization", "Bearer "+row.raw)
				}
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != row.status {
					t.Errorf("%s: %d, want %d", row.name, res.StatusCode, row.status)
				}
			}
		})
	}
}
