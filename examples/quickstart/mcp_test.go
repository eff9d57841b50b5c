package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// A client that is not registered and dials another name of the host registers
// itself and requests a token for the name that it dialed.
func TestMCPClientRegistersItself(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	w := &walker{narrator: newNarrator(io.Discard), target: target, mcp: mcpClient{wire: newTap(false)}}
	t.Cleanup(w.mcp.wire.close)
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{
			Metadata: &oauthex.ClientRegistrationMetadata{RedirectURIs: []string{redirectURL}, ClientName: "test"},
		},
		AuthorizationCodeFetcher: w.browse,
		Client:                   &http.Client{Transport: w.mcp.wire},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint:     strings.Replace(target.MCP, "127.0.0.1", "localhost", 1),
		HTTPClient:   &http.Client{Transport: w.mcp.wire},
		OAuthHandler: handler,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for tool, args := range map[string]map[string]any{
		"list_items":   {},
		"adjust_stock": {"sku": "NUT-M8", "delta": 1},
		"get_invoice":  {"id": "INV-1001"},
	} {
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
		if err != nil || result.IsError {
			t.Errorf("%s: %+v, %v", tool, result, err)
		}
	}
}

// A page of the MCP Inspector may call and read the challenge. A page of another
// origin may not.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	for origin, want := range map[string]int{
		"http://localhost:6274": http.StatusUnauthorized,
		"http://evil.example":   http.StatusForbidden,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target.MCP, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", origin, resp.Status, want)
		}
		exposed := strings.ToLower(strings.Join(resp.Header.Values("Access-Control-Expose-Headers"), ","))
		if readable := strings.Contains(exposed, "www-authenticate"); readable != (want == http.StatusUnauthorized) {
			t.Errorf("%s: exposed headers are %q", origin, exposed)
		}
	}
}

// Without a token, a service that does not exist looks like one that is guarded.
// With one, it is unimplemented (RPC-8).
func TestUnknownService(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	unknown := target.Connect + "/nothing.v1.NothingService/Get"
	refused := post(t, unknown, "")
	if refused.status != http.StatusUnauthorized || !strings.HasPrefix(refused.challenge, "Bearer ") {
		t.Errorf("without a token: %+v", refused)
	}
	token := clientToken(t, target, readStock, target.Connect)
	if missing := post(t, unknown, token); missing.status != http.StatusNotImplemented {
		t.Errorf("with a token: %+v", missing)
	}
}
