package mcpbridge_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// authority acts as the user and the authorization server: it grants every scope
// that a challenge asks for.
type authority struct {
	e *endpoint

	mu      sync.Mutex
	granted []string
	raw     string   // the token
	asked   []string // status, error and scopes of each challenge
}

func (a *authority) TokenSource(context.Context) (oauth2.TokenSource, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.raw == "" {
		return nil, nil //nolint:nilnil // go-sdk's way to say that there is no token yet.
	}
	return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: a.raw}), nil
}

func (a *authority) Authorize(_ context.Context, _ *http.Request, res *http.Response) error {
	defer res.Body.Close()
	challenges, err := oauthex.ParseWWWAuthenticate(res.Header.Values("Www-Authenticate"))
	if err != nil || len(challenges) != 1 {
		return fmt.Errorf("challenges %v: %w", challenges, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	scopes := strings.Fields(challenges[0].Params["scope"])
	a.asked = append(a.asked, fmt.Sprintf("%d %s %v", res.StatusCode, challenges[0].Params["error"], scopes))
	for _, scope := range scopes {
		if !slices.Contains(a.granted, scope) {
			a.granted = append(a.granted, scope)
		}
	}
	a.raw = a.e.mint(strings.Join(a.granted, " "))
	return nil
}

// TestClientStepsUp: the client of go-sdk reaches each tool by following challenges
// alone (MCP-2, MCP-3).
func TestClientStepsUp(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newEndpoint(t, m, policy.Rule{Authenticated: true})
		granting := &authority{e: e}
		client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
		session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: e.url, OAuthHandler: granting}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		for _, tool := range []string{"look", "alter", "look"} {
			if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: map[string]any{}}); err != nil {
				t.Fatalf("%s: %v", tool, err)
			}
		}
		want := []string{"401  []", "403 insufficient_scope [read]", "403 insufficient_scope [read write]"}
		if !slices.Equal(granting.asked, want) {
			t.Errorf("asked %q, want %q", granting.asked, want)
		}
		if called, want := e.calls(), "look by ada of acme with read, alter by ada of acme with read write who may alter, look by ada of acme with read write who may alter"; called != want {
			t.Errorf("called %q, want %q", called, want)
		}
	})
}

// TestConcurrentCallers: each message of a session is decided by the token that
// it came with.
func TestConcurrentCallers(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newEndpoint(t, m, policy.Rule{Authenticated: true})
		session := e.open(t, m, e.mint("read"))
		weak, strong := e.mint("read"), e.mint("read write")
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				raw, status := weak, http.StatusForbidden
				if i%2 == 0 {
					raw, status = strong, http.StatusOK
				}
				message := strings.Replace(callTool("alter"), `"id":7`, fmt.Sprintf(`"id":%d`, 100+i), 1)
				if got := e.post(t, e.url, raw, session, message); got.status != status {
					t.Errorf("%d: %+v, want %d", i, got, status)
				}
			})
		}
		group.Wait()
		if called := strings.Count(e.calls(), "alter by ada of acme with read write"); called != 20 {
			t.Errorf("called %d times, want 20", called)
		}
	})
}

// TestBackendDenial: the client of the MCP server gets the challenge of a backend
// of the tool, also in a session, where the tool gets the context of another
// request from go-sdk. The challenge includes the scopes of the tool and of the
// endpoint, because some clients request the scopes of the last challenge alone
// (MCP-4).
func TestBackendDenial(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		issuer := authtest.NewIssuer(t)
		authorizer := newAuthorizer(t, issuer, policy.Rule{Scopes: []string{"enter"}})
		bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
		if err != nil {
			t.Fatal(err)
		}
		backend := rpctest.DialGRPC(t,
			rpctest.ServeGRPC(t, new(rpctest.Handlers).GRPCServer(grpcauth.ServerOptions(authorizer)...)),
			grpcauth.RelayDialOptions(grpcauth.RelayConfig{DangerouslyEveryReason: true})...)
		guard, err := mcpbridge.New(mcpbridge.Config{Bridge: bridge, Service: service, Tools: map[string]string{
			"relay": rpctest.Procedure(rpctest.GuardedService, rpctest.Server),
		}})
		if err != nil {
			t.Fatal(err)
		}
		server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
		mcp.AddTool(server, &mcp.Tool{Name: "relay"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			message, err := rpctest.CallGRPC(ctx, backend, rpctest.GuardedService, rpctest.Client)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: message}}}, nil, err
		})
		e := &endpoint{issuer: issuer}
		e.url = rpctest.ServeHTTP(t, guard.Handler(only(server), m.options())) + "/mcp"

		session := e.open(t, m, e.mint("enter tool"))
		got := e.post(t, e.url, e.mint("enter tool"), session, callTool("relay"))
		if m.events {
			// The response began when the tool call was let through, so the
			// denial is the error of the tool.
			if got.status != http.StatusOK || !strings.Contains(got.body, "an access token is required") {
				t.Errorf("%+v, want the denial in the result", got)
			}
			return
		}
		if want := realm + `, scope="read write tool enter"`; got.status != http.StatusUnauthorized || got.header.Get("Www-Authenticate") != want {
			t.Errorf("%+v, want 401 %q", got, want)
		}
	})
}
