package mcpbridge_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const (
	resource = "https://api.example.com/mcp"
	service  = rpctest.GuardedService
	realm    = `Bearer realm="` + service + `", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"`

	lacksScope = `"the access token lacks a scope that this operation needs"`
)

// mode is a configuration of an MCP endpoint.
type mode struct {
	name      string
	stateless bool
	json      bool
	events    bool // with an event store, which writes the header early
}

var modes = []mode{
	{name: "stateless JSON", stateless: true, json: true},
	{name: "stateless SSE", stateless: true},
	{name: "session JSON", json: true},
	{name: "session SSE"},
	{name: "session SSE with an event store", events: true},
}

// options returns the options of an endpoint in this mode.
func (m mode) options() *mcp.StreamableHTTPOptions {
	options := &mcp.StreamableHTTPOptions{Stateless: m.stateless, JSONResponse: m.json}
	if m.events {
		options.EventStore = mcp.NewMemoryEventStore(nil)
	}
	return options
}

// endpoint is an MCP server behind a guard.
type endpoint struct {
	url    string
	issuer *authtest.Issuer

	mu     sync.Mutex
	called []string // the tools that ran, and their callers
	log    strings.Builder
	seen   []string // the rules that decided
}

// ObserveDecision implements drawbridge.Observer.
func (e *endpoint) ObserveDecision(_ context.Context, decision drawbridge.Decision) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, cmp.Or(decision.Procedure, decision.Service))
}

// decided returns the rules that decided since the last call.
func (e *endpoint) decided() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.seen = nil }()
	return e.seen
}

// Write implements io.Writer for the log.
func (e *endpoint) Write(record []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.Write(record)
}

// logged returns what was logged since the last call.
func (e *endpoint) logged() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.log.Reset()
	return e.log.String()
}

func (e *endpoint) calls() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	called := strings.Join(e.called, ", ")
	e.called = nil
	return called
}

func newAuthorizer(t *testing.T, issuer *authtest.Issuer, rule policy.Rule) *drawbridge.Authorizer {
	t.Helper()
	return newObservedAuthorizer(t, &endpoint{issuer: issuer}, rule)
}

// newObservedAuthorizer returns an Authorizer whose log and decisions e keeps.
func newObservedAuthorizer(t *testing.T, e *endpoint, rule policy.Rule) *drawbridge.Authorizer {
	t.Helper()
	issuer := e.issuer
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL, Mapping: verifier.Mapping{Claims: []string{"tenant"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: resource, AuthorizationServers: []string{issuer.URL}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			rpctest.GuardedService: {Rule: rule, Methods: map[string]policy.Rule{
				rpctest.Unary:  {Scopes: []string{"read"}},
				rpctest.Client: {Scopes: []string{"read", "write"}},
				rpctest.Server: {Scopes: []string{"tool"}},
			}},
			rpctest.PublicService: {Rule: policy.Rule{Public: true}},
			"x.Stock": {Rule: policy.Rule{Authenticated: true}, NoDescriptor: true, Methods: map[string]policy.Rule{
				"Alter": {Scopes: []string{"write"}},
			}},
		}},
		Verifier:  jwt,
		Logger:    slog.New(slog.NewTextHandler(e, nil)),
		Observers: []drawbridge.Observer{e},
	})
	if err != nil {
		t.Fatal(err)
	}
	return authorizer
}

// only returns a getServer that always returns server.
func only(server *mcp.Server) func(*http.Request) *mcp.Server {
	return func(*http.Request) *mcp.Server { return server }
}

func newEndpoint(t *testing.T, m mode, rule policy.Rule) *endpoint {
	t.Helper()
	e := &endpoint{issuer: authtest.NewIssuer(t)}
	authorizer := newAuthorizer(t, e.issuer, rule)
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := mcpbridge.New(mcpbridge.Config{Bridge: bridge, Service: rpctest.GuardedService, Tools: map[string]string{
		"look":  rpctest.Procedure(rpctest.GuardedService, rpctest.Unary),
		"alter": rpctest.Procedure(rpctest.GuardedService, rpctest.Client),
		"open":  rpctest.Procedure(rpctest.PublicService, rpctest.Unary),
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	for _, name := range []string{"look", "alter", "open", "unlisted"} {
		mcp.AddTool(server, &mcp.Tool{Name: name}, e.tool(name, authorizer))
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", guard.Handler(only(server), m.options()))
	mux.Handle("/unguarded", mcp.NewStreamableHTTPHandler(only(server), m.options()))
	e.url = rpctest.ServeHTTP(t, mux) + "/mcp"
	return e
}

// tool records its caller, as go-sdk and as the context name it, and whether the
// caller may call alter.
func (e *endpoint) tool(name string, authorizer *drawbridge.Authorizer) mcp.ToolHandlerFor[struct{}, any] {
	return func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		who := "anonymous"
		if info := req.Extra.TokenInfo; info != nil {
			who = fmt.Sprintf("%v of %v", info.Extra["sub"], info.Extra["tenant"])
		}
		if info, ok := token.FromContext(ctx); ok {
			who += " with " + strings.Join(info.Scopes, " ")
		}
		if authorizer.Check(ctx, rpctest.Procedure(rpctest.GuardedService, rpctest.Client)) == nil {
			who += " who may alter"
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.called = append(e.called, name+" by "+who)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
	}
}

func (e *endpoint) mint(scope string) string { return e.mintFor("ada", scope) }

func (e *endpoint) mintFor(subject, scope string) string {
	return e.issuer.Mint(authtest.Token{
		Subject:  subject,
		Audience: []string{resource},
		Scope:    scope,
		Claims:   map[string]any{"tenant": "acme"},
	})
}

// reply is an HTTP response.
type reply struct {
	status  int
	header  http.Header
	body    string
	session string
}

// post sends a JSON-RPC message as an MCP client would.
func (e *endpoint) post(t *testing.T, url, raw, session, message string) reply {
	t.Helper()
	return e.postAs(t, "2025-11-25", url, raw, session, message, nil)
}

func (e *endpoint) postAs(t *testing.T, revision, url, raw, session, message string, header http.Header) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Mcp-Protocol-Version", revision)
	// The guard replaces a value of the caller.
	req.Header.Set("Drawbridge-Call", "guess")
	maps.Copy(req.Header, header)
	if raw != "" {
		req.Header.Set("Authorization", "Bearer "+raw)
	}
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(body), res.Header.Get("Mcp-Session-Id")}
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

// open opens a session, or does nothing for a stateless server, and for a caller
// without a token, who gets none.
func (e *endpoint) open(t *testing.T, m mode, raw string) string {
	t.Helper()
	if m.stateless || raw == "" {
		return ""
	}
	got := e.post(t, e.url, raw, "", initialize)
	if got.status != http.StatusOK || got.session == "" {
		t.Fatalf("initialize: %+v", got)
	}
	if got := e.post(t, e.url, raw, got.session, `{"jsonrpc":"2.0","method":"notifications/initialized"}`); got.status != http.StatusAccepted {
		t.Fatalf("initialized: %+v", got)
	}
	return got.session
}

func callTool(name string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, name)
}

func eachMode(t *testing.T, test func(t *testing.T, m mode)) {
	t.Helper()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			test(t, m)
		})
	}
}

// TestToolCalls: a denial is an HTTP response with the scopes of the tool, in every
// mode, and a session continues after it (MCP-2, MCP-3, MCP-4).
func TestToolCalls(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newEndpoint(t, m, policy.Rule{Authenticated: true})
		session := e.open(t, m, e.mint("read"))
		for _, row := range []struct {
			name, tool, token string
			status            int
			challenge, body   string
			called            string
		}{
			{
				"MCP-2 no token", "look", "", http.StatusUnauthorized,
				realm, `{}`, "",
			},
			{
				"MCP-2 bad token", "look", "bad", http.StatusUnauthorized,
				realm + `, error="invalid_token", error_description="the access token is malformed, expired, revoked or not from a trusted issuer"`,
				`{"error":"invalid_token","error_description":"the access token is malformed, expired, revoked or not from a trusted issuer","server":"` + service + `"}`, "",
			},
			{
				"MCP-3 MCP-4 missing scopes", "alter", e.mint("read"), http.StatusForbidden,
				realm + `, scope="read write", error="insufficient_scope", error_description=` + lacksScope,
				`{"error":"insufficient_scope","error_description":` + lacksScope + `,"server":"` + service + `"}`, "",
			},
			{
				"sufficient", "look", e.mint("read"), http.StatusOK,
				"", "done", "look by ada of acme with read",
			},
			{
				"stepped up in the same session", "alter", e.mint("read write"), http.StatusOK,
				"", "done", "alter by ada of acme with read write who may alter",
			},
			{
				"a tool without an entry", "unlisted", e.mint("read write"), http.StatusOK,
				"", `unknown tool`, "",
			},
			{
				"a tool that does not exist", "nonsense", e.mint("read write"), http.StatusOK,
				"", `unknown tool`, "",
			},
		} {
			got := e.post(t, e.url, row.token, session, callTool(row.tool))
			if got.status != row.status || got.header.Get("Www-Authenticate") != row.challenge {
				t.Errorf("%s: %d %v, want %d %q", row.name, got.status, got.header, row.status, row.challenge)
			}
			if row.challenge != "" && (got.body != row.body || got.header.Get("Content-Type") != "application/json") {
				t.Errorf("%s: %q, want %q", row.name, got.body, row.body)
			}
			if !strings.Contains(got.body, row.body) {
				t.Errorf("%s: %q, want %q in it", row.name, got.body, row.body)
			}
			if called := e.calls(); called != row.called {
				t.Errorf("%s: called %q, want %q", row.name, called, row.called)
			}
		}
	})
}

// TestSessionOwner: a session id is not a credential, and a session belongs to the
// issuer, the subject and the client of the token that opened it (MCP-10).
func TestSessionOwner(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		if m.stateless {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, m, policy.Rule{Authenticated: true})
			session := e.open(t, m, e.mint("read"))
			for _, row := range []struct {
				name, token string
				status      int
			}{
				{"MCP-10 no token", "", http.StatusUnauthorized},
				{"MCP-10 another subject", e.mintFor("eve", "read write"), http.StatusForbidden},
				{"MCP-10 another client", e.issuer.Mint(authtest.Token{Subject: "ada", ClientID: "other", Audience: []string{resource}, Scope: "read write"}), http.StatusForbidden},
				{"the owner", e.mint("read"), http.StatusOK},
			} {
				if got := e.post(t, e.url, row.token, session, callTool("look")); got.status != row.status {
					t.Errorf("%s: %+v, want %d", row.name, got, row.status)
				}
			}
			if called := e.calls(); called != "look by ada of acme with read" {
				t.Errorf("called %q", called)
			}
		})
	}
}

// TestStandaloneStream: the stream of a session begins at once.
func TestStandaloneStream(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		if m.stateless {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, m, policy.Rule{Authenticated: true})
			session := e.open(t, m, e.mint("read"))
			for _, row := range []struct {
				name, token string
				status      int
			}{
				{"MCP-10 no token", "", http.StatusUnauthorized},
				{"MCP-10 another subject", e.mintFor("eve", "read"), http.StatusForbidden},
				{"the owner", e.mint("read"), http.StatusOK},
			} {
				ctx, cancel := context.WithCancel(t.Context())
				res := e.send(t, ctx, http.MethodGet, row.token, session)
				if res.StatusCode != row.status {
					t.Errorf("%s: %d, want %d", row.name, res.StatusCode, row.status)
				}
				cancel()
				_ = res.Body.Close()
			}
		})
	}
}

// TestAmbiguousJSON: the call that is decided is the call that runs, however the
// keys of a message are repeated or written (CVE-2026-27896).
func TestAmbiguousJSON(t *testing.T) {
	t.Parallel()
	messages := []string{
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"look","Name":"alter","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"Name":"alter","name":"look","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"look","name":"alter","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"alter","name":"look","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"look","arguments":{}},"Params":{"name":"alter","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"look","arguments":{}},"params":{"name":"alter","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/call","params":{"name":"alter","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call","params":{"name":"alter","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"na\u006de":"alter","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools\/call","params":{"name":"\u0061lter","arguments":{}}}`,
	}
	eachMode(t, func(t *testing.T, m mode) {
		e := newEndpoint(t, m, policy.Rule{Authenticated: true})
		session := e.open(t, m, e.mint("read"))
		for _, message := range messages {
			got := e.post(t, e.url, e.mint("read"), session, message)
			if called := e.calls(); strings.Contains(called, "alter by") {
				t.Errorf("%s\ncalled %q (%d %s)", message, called, got.status, got.body)
			}
		}
	})
}

// TestPublicEndpoint: the rule of the endpoint is public, and each tool has its own.
func TestPublicEndpoint(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newEndpoint(t, m, policy.Rule{Public: true})
		session := e.open(t, m, "")
		for _, row := range []struct {
			name, tool, token string
			status            int
			challenge         string
			called            string
		}{
			{"public tool", "open", "", http.StatusOK, "", "open by anonymous"},
			{"MCP-2 no token", "look", "", http.StatusUnauthorized, realm + `, scope="read"`, ""},
			{"sufficient", "look", e.mint("read"), http.StatusOK, "", "look by ada of acme with read"},
			{"MCP-3 missing scopes", "alter", e.mint("read"), http.StatusForbidden, realm + `, scope="read write", error="insufficient_scope", error_description=` + lacksScope, ""},
			{"anonymous again", "open", "", http.StatusOK, "", "open by anonymous"},
		} {
			got := e.post(t, e.url, row.token, session, callTool(row.tool))
			if got.status != row.status || got.header.Get("Www-Authenticate") != row.challenge {
				t.Errorf("%s: %d %v, want %d %q", row.name, got.status, got.header, row.status, row.challenge)
			}
			if called := e.calls(); called != row.called {
				t.Errorf("%s: called %q, want %q", row.name, called, row.called)
			}
		}
	})
}
