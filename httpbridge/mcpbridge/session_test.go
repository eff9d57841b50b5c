package mcpbridge_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// newGuard returns a guard with one tool.
func newGuard(t *testing.T, authorizer *drawbridge.Authorizer) *mcpbridge.Guard {
	t.Helper()
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := mcpbridge.New(mcpbridge.Config{Bridge: bridge, Service: service, Tools: map[string]string{
		"look": rpctest.Procedure(service, rpctest.Unary),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

// TestNotifications: a notification never runs as the caller who opened the
// session (MCP-10). Its request may be over before it is handled; then it runs
// without a caller.
func TestNotifications(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	guard := newGuard(t, newAuthorizer(t, issuer, policy.Rule{Authenticated: true}))
	scopes := make(chan string)
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ServerOptions{
		ProgressNotificationHandler: func(ctx context.Context, _ *mcp.ProgressNotificationServerRequest) {
			info, ok := token.FromContext(ctx)
			if !ok {
				scopes <- ""
				return
			}
			scopes <- strings.Join(info.Scopes, " ")
		},
	})
	e := &endpoint{issuer: issuer}
	e.url = rpctest.ServeHTTP(t, guard.Handler(only(server), nil)) + "/mcp"
	session := e.open(t, modes[2], e.mint("admin"))
	for range 200 {
		if got := e.post(t, e.url, e.mint("read"), session, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`); got.status != http.StatusAccepted {
			t.Fatalf("%+v", got)
		}
		if got := <-scopes; got != "" && got != "read" {
			t.Fatalf("MCP-10: a notification ran with %q", got)
		}
	}
}

// send sends a request without a body, and leaves the body of the response open.
func (e *endpoint) send(t *testing.T, ctx context.Context, method, raw, session string) *http.Response { //nolint:revive // The context varies from test to test.
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, e.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Mcp-Session-Id", session)
	if raw != "" {
		req.Header.Set("Authorization", "Bearer "+raw)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// The issuers of the tokens of fake verifiers.
const (
	fadingIssuer = "https://issuer.example.com"
	otherIssuer  = "https://other.example.com"
)

// fading verifies any token for a short while.
type fading struct{ lifetime time.Duration }

// ChecksExpiry lets a token in that expires just after it was verified.
func (f fading) ChecksExpiry() any { return f }

func (f fading) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return &token.Info{
		Issuer:   fadingIssuer,
		Subject:  "ada",
		Audience: []string{resource},
		Expiry:   time.Now().Add(f.lifetime),
	}, nil
}

// TestListeningEnds: the stream of a session ends when its token expires.
func TestListeningEnds(t *testing.T) {
	t.Parallel()
	authorizer := newSimpleAuthorizer(t, fading{lifetime: 500 * time.Millisecond}, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	e := &endpoint{}
	e.url = rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(server), nil)) + "/mcp"
	session := e.open(t, modes[3], "any")
	began := time.Now()
	res := e.send(t, t.Context(), http.MethodGet, "any", session)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("got %d", res.StatusCode)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil { // until the server ends it
		t.Error(err)
	}
	_ = res.Body.Close()
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("it ended after %v, before the token did", took)
	}
}

// TestBatch: a batch has one HTTP response. If one of its calls has run, the
// response is not 403, because the client would run it again.
func TestBatch(t *testing.T) {
	t.Parallel()
	look := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","arguments":{}}}`
	alter := `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"alter","arguments":{}}}`
	for _, m := range []mode{modes[0], modes[1]} {
		for name, batch := range map[string]string{
			"the denied one first": "[" + alter + "," + look + "]",
			"the denied one last":  "[" + look + "," + alter + "]",
		} {
			t.Run(m.name+", "+name, func(t *testing.T) {
				t.Parallel()
				e := newEndpoint(t, m, policy.Rule{Authenticated: true})
				got := e.postAs(t, "2025-03-26", e.url, e.mint("read"), "", batch, nil)
				ran := e.calls() != ""
				if denied := got.status == http.StatusForbidden; denied == ran {
					t.Errorf("status %d, and a tool ran: %v (%s)", got.status, ran, got.body)
				}
			})
		}
	}
}

// TestMiddlewareBeforeTheGuard: middleware that runs before the guard may send a
// request to the client, which has to go out before the decision.
func TestMiddlewareBeforeTheGuard(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{modes[3], modes[4]} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			issuer := authtest.NewIssuer(t)
			server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
			mcp.AddTool(server, &mcp.Tool{Name: "look"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
			})
			handler := newGuard(t, newAuthorizer(t, issuer, policy.Rule{Authenticated: true})).Handler(only(server), m.options())
			server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
				return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
					if session, ok := req.GetSession().(*mcp.ServerSession); ok && method == "tools/call" {
						if err := session.Ping(ctx, nil); err != nil {
							return nil, err
						}
					}
					return next(ctx, method, req)
				}
			})
			e := &endpoint{issuer: issuer, url: rpctest.ServeHTTP(t, handler) + "/mcp"}
			client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
			session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: e.url, OAuthHandler: &authority{e: e, raw: e.mint("read")}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "look", Arguments: map[string]any{}}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSameIDAgain: a client that steps up sends its call again at once, under the
// same id. The server has finished the first call when it responds.
func TestSameIDAgain(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newEndpoint(t, m, policy.Rule{Authenticated: true})
		weak, strong := e.mint("read"), e.mint("read write")
		session := e.open(t, m, weak)
		for range 150 {
			if got := e.post(t, e.url, weak, session, callTool("alter")); got.status != http.StatusForbidden {
				t.Fatalf("%+v, want 403", got)
			}
			if got := e.post(t, e.url, strong, session, callTool("alter")); got.status != http.StatusOK {
				t.Fatalf("%+v, want 200", got)
			}
		}
	})
}

// TestUnlistedToolIsLogged: a call of a tool without an entry is logged, with a
// bounded length of its name (SEED-1).
func TestUnlistedToolIsLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	authorizer := newSimpleAuthorizer(t, fading{lifetime: time.Hour}, policy.Rule{Authenticated: true}, slog.New(slog.NewTextHandler(&log, nil)))
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	e := &endpoint{}
	e.url = rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(server), statelessJSON())) + "/mcp"
	e.post(t, e.url, "any", "", callTool("forgotten"))
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `no entry for the tool \"forgotten\"`) || !strings.Contains(got, "status=404") {
		t.Errorf("SEED-1: logged %q", got)
	}
	log.Reset()
	e.post(t, e.url, "any", "", callTool(strings.Repeat("x", 1<<20)))
	if got := log.String(); strings.Count(got, "\n") != 1 || len(got) > 2048 {
		t.Errorf("SEED-1: logged %d bytes", len(got))
	}
}

// TestExpiredInfo: go-sdk does not respond with a 401 without a challenge for a
// token that expires just after it was verified (R9110-11.d).
func TestExpiredInfo(t *testing.T) {
	t.Parallel()
	authorizer := newSimpleAuthorizer(t, fading{lifetime: -time.Minute}, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	e := &endpoint{}
	e.url = rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(server), statelessJSON())) + "/mcp"
	got := e.post(t, e.url, "any", "", callTool("look"))
	if got.status == http.StatusUnauthorized && got.header.Get("Www-Authenticate") == "" {
		t.Errorf("R9110-11.d: %+v", got)
	}
}

// TestAnsweredWhenDone: the response to a denied call is not sent while the server
// still has the call in flight, even if it had begun to write.
func TestAnsweredWhenDone(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	handler := newGuard(t, newAuthorizer(t, issuer, policy.Rule{Authenticated: true})).
		Handler(only(server), &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)})
	answered := make(chan struct{})
	server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			result, err := next(ctx, method, req)
			if method == "tools/call" {
				select {
				case <-answered:
					t.Error("the client got the response while its call was in flight")
				case <-time.After(200 * time.Millisecond): // long enough for a response on loopback
				}
			}
			return result, err
		}
	})
	e := &endpoint{issuer: issuer, url: rpctest.ServeHTTP(t, handler) + "/mcp"}
	session := e.open(t, modes[4], e.mint("none"))
	if got := e.post(t, e.url, e.mint("none"), session, callTool("look")); got.status != http.StatusForbidden {
		t.Errorf("%+v, want 403", got)
	}
	close(answered)
}

// revocable is a verifier whose tokens can be revoked.
type revocable struct {
	fading

	revoked atomic.Bool
}

func (r *revocable) Revoked(*token.Info) bool { return r.revoked.Load() }

// TestListeningEndsWithRevocation: the streams that wait end soon after the token was
// revoked.
func TestListeningEndsWithRevocation(t *testing.T) {
	t.Parallel()
	for name, listen := range map[string]func(e *endpoint) int{
		"GET": func(e *endpoint) int {
			res := e.send(t, t.Context(), http.MethodGet, "any", e.open(t, modes[3], "any"))
			defer func() { _ = res.Body.Close() }()
			_, _ = io.Copy(io.Discard, res.Body)
			return res.StatusCode
		},
		"subscriptions/listen": func(e *endpoint) int {
			return e.post2026(t, "any", "subscriptions/listen", `{"notifications":{"toolsListChanged":true}}`, "subscriptions/listen", "").status
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verifier := &revocable{fading: fading{lifetime: time.Hour}}
			authorizer := newSimpleAuthorizer(t, verifier, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
			server := newNamedServer("one")
			mode := map[string]mode{"GET": modes[3], "subscriptions/listen": modes[1]}[name]
			e := &endpoint{url: rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(server), mode.options())) + "/mcp"}
			time.AfterFunc(200*time.Millisecond, func() { verifier.revoked.Store(true) })
			began := time.Now()
			if got := listen(e); got != http.StatusOK {
				t.Errorf("got %d", got)
			}
			if took := time.Since(began); took < 100*time.Millisecond || took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
