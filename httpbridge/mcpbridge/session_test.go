package mcpbridge_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// newGuard returns a guard with one tool.
func newGuard(t *testing.T, authorizer *interceptor.Authorizer) *mcpbridge.Guard {
	t.Helper()
	bridge, err := httpbridge.New(authorizer, httpbridge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := mcpbridge.New(mcpbridge.Config{Bridge: bridge, Service: door, Tools: map[string]string{
		"look": rpctest.Procedure(door, rpctest.Unary),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

// TestNotifications: a notification never runs as whoever opened the session
// (MCP-10). Its request is over before it is handled, so it may run as nobody.
func TestNotifications(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	guard := newGuard(t, newAuthorizer(t, issuer, policy.Rule{Authenticated: true}))
	scopes := make(chan string)
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ServerOptions{
		ProgressNotificationHandler: func(ctx context.Context, _ *mcp.ProgressNotificationServerRequest) {
			info, ok := interceptor.TokenInfoFromContext(ctx)
			if !ok {
				scopes <- ""
				return
			}
			scopes <- strings.Join(info.Scopes, " ")
		},
	})
	e := &endpoint{issuer: issuer}
	e.url = rpctest.ServeHTTP(t, guard.Handler(server, nil)) + "/mcp"
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

// TestHalfAGuard: without the middleware nothing decides about tools, so nothing
// is let in.
func TestHalfAGuard(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, newAuthorizer(t, authtest.NewIssuer(t), policy.Rule{Public: true}))
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	e := &endpoint{issuer: authtest.NewIssuer(t)}
	e.url = rpctest.ServeHTTP(t, guard.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))) + "/mcp"
	if got := e.post(t, e.url, "", "", callTool("look")); got.status != http.StatusInternalServerError {
		t.Errorf("%+v, want 500", got)
	}
}

// TestPublicSessions: nobody owns a session that was opened without a token, so
// nobody gets its streams (MCP-10).
func TestPublicSessions(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, modes[4], policy.Rule{Public: true})
	session := e.open(t, modes[4], "")
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut} {
		for _, token := range []string{"", e.mint("read write")} {
			res := e.send(t, t.Context(), method, token, session)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != http.MethodPost {
				t.Errorf("MCP-10: %s: %d", method, res.StatusCode)
			}
		}
	}
}

// send sends a request without a body, and leaves that of the answer open.
func (e *endpoint) send(t *testing.T, ctx context.Context, method, token, session string) *http.Response { //nolint:revive // The context is one more thing to vary.
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, e.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Mcp-Session-Id", session)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// fading verifies any token for a short while.
type fading struct{ lifetime time.Duration }

func (f fading) VerifyToken(context.Context, string) (*interceptor.TokenInfo, error) {
	return &interceptor.TokenInfo{
		Issuer:   "https://issuer.example.com",
		Subject:  "ada",
		Audience: []string{resource},
		Expiry:   time.Now().Add(f.lifetime),
	}, nil
}

// TestListeningEnds: a stream that listens ends when its token expires.
func TestListeningEnds(t *testing.T) {
	t.Parallel()
	authorizer, err := interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: resource, AuthorizationServers: []string{"https://issuer.example.com"}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			rpctest.GuardedService: {Rule: policy.Rule{Authenticated: true}},
		}},
		Verifier: fading{lifetime: 500 * time.Millisecond},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	e := &endpoint{}
	e.url = rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(server, nil)) + "/mcp"
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

// TestBatch: a batch has one HTTP answer. What ran is not answered with a 403,
// after which the client would run it again.
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
				got := e.postAs(t, "2025-03-26", e.url, e.mint("read"), "", batch)
				ran := e.calls() != ""
				if denied := got.status == http.StatusForbidden; denied == ran {
					t.Errorf("status %d, and a tool ran: %v (%s)", got.status, ran, got.body)
				}
			})
		}
	}
}

// TestMiddlewareBeforeTheGuard: what runs before the guard may ask the client
// something, whose answer cannot come before the question is sent.
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
			options := new(mcp.StreamableHTTPOptions)
			if m.events {
				options.EventStore = mcp.NewMemoryEventStore(nil)
			}
			handler := newGuard(t, newAuthorizer(t, issuer, policy.Rule{Authenticated: true})).Handler(server, options)
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
			session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: e.url, OAuthHandler: &authority{e: e, token: e.mint("read")}}, nil)
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

// TestSameIDAgain: a client that steps up sends its call again under the same id,
// at once, and the server is done with the first one when it has answered.
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

// TestUnlistedToolIsLogged: a tool that was forgotten shows in the log, whatever
// length of name a caller makes up (SEED-1).
func TestUnlistedToolIsLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	authorizer, err := interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: resource, AuthorizationServers: []string{"https://issuer.example.com"}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			rpctest.GuardedService: {Rule: policy.Rule{Authenticated: true}},
		}},
		Verifier: fading{lifetime: time.Hour},
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	e := &endpoint{}
	e.url = rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(server, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})) + "/mcp"
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

// TestExpiresAtTheDoor: a token that expires just after it was verified is no
// reason for go-sdk to answer a 401 without a challenge (R9110-11.d).
func TestExpiresAtTheDoor(t *testing.T) {
	t.Parallel()
	authorizer, err := interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: resource, AuthorizationServers: []string{"https://issuer.example.com"}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			rpctest.GuardedService: {Rule: policy.Rule{Authenticated: true}},
		}},
		Verifier: fading{lifetime: -time.Minute},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	e := &endpoint{}
	e.url = rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(server, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})) + "/mcp"
	got := e.post(t, e.url, "any", "", callTool("look"))
	if got.status == http.StatusUnauthorized && got.header.Get("Www-Authenticate") == "" {
		t.Errorf("R9110-11.d: %+v", got)
	}
}

// TestAnsweredWhenDone: the answer to a denied call is not sent while the server
// still has the call in flight, also where it had begun to write.
func TestAnsweredWhenDone(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	handler := newGuard(t, newAuthorizer(t, issuer, policy.Rule{Authenticated: true})).
		Handler(server, &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)})
	answered := make(chan struct{})
	server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			result, err := next(ctx, method, req)
			if method == "tools/call" {
				select {
				case <-answered:
					t.Error("the client was answered while its call was in flight")
				case <-time.After(200 * time.Millisecond): // long enough for an answer on loopback
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
