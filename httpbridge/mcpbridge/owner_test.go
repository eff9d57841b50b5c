package mcpbridge_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestOwner: subjects and clients of different issuers are different owners, and
// no two owners share an id (MCP-10).
func TestOwner(t *testing.T) {
	t.Parallel()
	seen := make(map[string]token.Info)
	for _, info := range []token.Info{
		{Issuer: "https://a.example.com", ClientID: "c", Subject: "s"},
		{Issuer: "https://b.example.com", ClientID: "c", Subject: "s"},
		{Issuer: "https://a.example.com", ClientID: "d", Subject: "s"},
		{Issuer: "https://a.example.com", ClientID: "c", Subject: "t"},
		{Issuer: "https://a.example.com", ClientID: "c", Subject: ""},
		{Issuer: "https://b.example.com", ClientID: "c", Subject: ""},
		{Issuer: "https://a.example.com", ClientID: "", Subject: "c"},
		{Issuer: "https://a.example.com", ClientID: `c" s`, Subject: ""},
		{Issuer: "https://a.example.com", ClientID: "", Subject: `"c" s`},
	} {
		id := mcpbridge.UserID(&info)
		if other, taken := seen[id]; taken || id == "" {
			t.Errorf("%+v and %+v are both %q", info, other, id)
		}
		seen[id] = info
	}
	if id := mcpbridge.UserID(&token.Info{Issuer: "https://a.example.com"}); id != "" {
		t.Errorf("a token without a subject and a client is of the owner %q", id)
	}
}

// directory verifies the tokens that it holds.
type directory map[string]token.Info

func (d directory) VerifyToken(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
	info, ok := d[raw]
	if !ok {
		return nil, token.ErrInvalid
	}
	info.Audience = []string{resource}
	return &info, nil
}

// TestSessionsOfOwners: a session is open to its owner alone, whatever else agrees:
// issuer, subject and client, or issuer and client of a token without a subject.
// A token without both gets no session, but its requests are served (MCP-10).
func TestSessionsOfOwners(t *testing.T) {
	t.Parallel()
	tokens := directory{
		"ada":              {Issuer: fadingIssuer, Subject: "ada", ClientID: "c"},
		"ada-elsewhere":    {Issuer: otherIssuer, Subject: "ada", ClientID: "c"},
		"ada-other":        {Issuer: fadingIssuer, Subject: "ada", ClientID: "d"},
		"eve":              {Issuer: fadingIssuer, Subject: "eve", ClientID: "c"},
		"client":           {Issuer: fadingIssuer, ClientID: "c"},
		"client-elsewhere": {Issuer: otherIssuer, ClientID: "c"},
		"other-client":     {Issuer: fadingIssuer, ClientID: "d"},
		"neither":          {Issuer: fadingIssuer},
	}
	for _, m := range modes[2:] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			authorizer := newSimpleAuthorizer(t, tokens, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
			e := &endpoint{url: rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(newNamedServer("one")), m.options())) + "/mcp"}
			for _, owner := range []string{"ada", "client"} {
				session := e.open(t, m, owner)
				for caller := range tokens {
					want := http.StatusForbidden
					if caller == owner || caller == "neither" { // which is served without the session
						want = http.StatusOK
					}
					if got := e.post(t, e.url, caller, session, callTool("look")); got.status != want {
						t.Errorf("MCP-10: %q in the session of %q: %+v, want %d", caller, owner, got, want)
					}
				}
			}
			if got := e.post(t, e.url, "neither", "", initialize); got.status != http.StatusOK || got.session != "" {
				t.Errorf("MCP-10: a token without subject and client: %+v, want no session", got)
			}
		})
	}
}

// TestSessionsWithoutOwner: callers without a token get no session, so nothing is
// left of 3,000 of them, and no stream is open to them (MCP-10).
func TestSessionsWithoutOwner(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, m := range modes {
		e := newEndpoint(t, m, policy.Rule{Public: true})
		for range 600 {
			if got := e.post(t, e.url, "", "", initialize); got.status != http.StatusOK || got.session != "" {
				t.Fatalf("MCP-10: %s: %+v, want no session", m.name, got)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut} {
			for _, raw := range []string{"", e.mint("read write")} {
				res := e.send(t, t.Context(), method, raw, "any")
				_ = res.Body.Close()
				if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != http.MethodPost {
					t.Errorf("MCP-10: %s: %s: %d", m.name, method, res.StatusCode)
				}
			}
		}
	}
	// Servers and idle connections are a few of each.
	settle(t, "goroutines are left", func() int { return runtime.NumGoroutine() - before - 60 })
}

// TestIdleSessions: a session ends when it has had no request for a day, or for the
// time that the options name.
func TestIdleSessions(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		options *mcp.StreamableHTTPOptions
		after   time.Duration
	}{
		"the default":    {nil, 24 * time.Hour},
		"without a time": {new(mcp.StreamableHTTPOptions), 24 * time.Hour},
		"of the options": {&mcp.StreamableHTTPOptions{SessionTimeout: time.Minute}, time.Minute},
		"a longer time":  {&mcp.StreamableHTTPOptions{SessionTimeout: 48 * time.Hour}, 48 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issuer := directory{"ada": {Issuer: fadingIssuer, Subject: "ada"}}
				authorizer := newSimpleAuthorizer(t, issuer, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
				server := newNamedServer("one")
				handler := newGuard(t, authorizer).Handler(only(server), row.options)
				request := httptest.NewRequest(http.MethodPost, resource, strings.NewReader(initialize))
				request.Header.Set("Authorization", "Bearer ada")
				request.Header.Set("Content-Type", "application/json")
				request.Header.Set("Accept", "application/json, text/event-stream")
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, request)
				if response.Header().Get("Mcp-Session-Id") == "" {
					t.Fatalf("%+v, want a session", response)
				}
				open := func() int { return len(slices.Collect(server.Sessions())) }
				time.Sleep(row.after - time.Second)
				synctest.Wait()
				if open() != 1 {
					t.Errorf("%d sessions before their end", open())
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if open() != 0 {
					t.Errorf("%d sessions after their end", open())
				}
			})
		})
	}
}

// openings counts what is opened in an event store.
type openings struct {
	mcp.EventStore

	opened atomic.Int64
}

func (o *openings) Open(ctx context.Context, session, stream string) error {
	o.opened.Add(1)
	return o.EventStore.Open(ctx, session, stream)
}

// TestOwnerlessEvents: nothing is stored for callers without a session, whose
// streams have no id of a session.
func TestOwnerlessEvents(t *testing.T) {
	t.Parallel()
	store := &openings{EventStore: mcp.NewMemoryEventStore(nil)}
	tokens := directory{"ada": {Issuer: fadingIssuer, Subject: "ada"}, "neither": {Issuer: fadingIssuer}}
	authorizer := newSimpleAuthorizer(t, tokens, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
	e := &endpoint{url: rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(newNamedServer("one")),
		&mcp.StreamableHTTPOptions{EventStore: store})) + "/mcp"}
	e.post(t, e.url, "neither", "", callTool("look"))
	if opened := store.opened.Load(); opened != 0 {
		t.Errorf("%d streams are stored", opened)
	}
	e.post(t, e.url, "ada", "", initialize)
	if store.opened.Load() == 0 {
		t.Error("the stream of a session is not stored")
	}
}

// TestHeaderStays: the mark of a request is not in the header that handlers further
// out hold.
func TestHeaderStays(t *testing.T) {
	t.Parallel()
	tokens := directory{"ada": {Issuer: fadingIssuer, Subject: "ada"}}
	guarded := newGuard(t, newSimpleAuthorizer(t, tokens, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))).
		Handler(only(newNamedServer("one")), nil)
	marks := make(chan string, 1)
	e := &endpoint{url: rpctest.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guarded.ServeHTTP(w, r)
		marks <- r.Header.Get("Drawbridge-Call")
	})) + "/mcp"}
	e.post(t, e.url, "ada", "", initialize)
	if got := <-marks; got != "guess" {
		t.Errorf("the header became %q", got)
	}
}

// settle waits until count returns no more than zero.
func settle(t *testing.T, what string, count func() int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for count() > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d %s", count(), what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestOwnerlessNames: a caller without an owner is named to the server all the
// same.
func TestOwnerlessNames(t *testing.T) {
	t.Parallel()
	tokens := directory{"neither": {Issuer: fadingIssuer, Claims: map[string]any{"tenant": "acme"}}}
	authorizer := newSimpleAuthorizer(t, tokens, policy.Rule{Authenticated: true}, slog.New(slog.DiscardHandler))
	server := mcp.NewServer(&mcp.Implementation{Name: "one", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "look"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		tenant, _ := req.Extra.TokenInfo.Extra["tenant"].(string)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "of " + tenant}}}, nil, nil
	})
	e := &endpoint{url: rpctest.ServeHTTP(t, newGuard(t, authorizer).Handler(only(server), nil)) + "/mcp"}
	if got := e.post(t, e.url, "neither", "", callTool("look")); !strings.Contains(got.body, "of acme") {
		t.Errorf("%+v", got)
	}
}
