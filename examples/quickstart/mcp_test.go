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

// A client that nobody registered, which dials another name of the host, finds
// its way: it registers itself and asks for a token for the name it dialled.
func TestMCPClientRegistersItself(t *testing.T) {
	t.Parallel()
	house := openHouse(t).announcement()
	w := &walker{narrator: newNarrator(io.Discard), house: house, mcp: mcpClient{wire: newTap(false)}}
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
		Endpoint:     strings.Replace(house.MCP, "127.0.0.1", "localhost", 1),
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

// A page of the MCP Inspector may call and read the challenge; any other page
// may not.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	house := openHouse(t).announcement()
	for origin, want := range map[string]int{
		"http://localhost:6274": http.StatusUnauthorized,
		"http://evil.example":   http.StatusForbidden,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, house.MCP, strings.NewReader("{}"))
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

// A service that does not exist looks like one that is guarded, to whoever has
// no token.
func TestUnknownService(t *testing.T) {
	t.Parallel()
	house := openHouse(t).announcement()
	unknown := house.Connect + "/nothing.v1.NothingService/Get"
	refused := post(t, unknown, "")
	if refused.status != http.StatusUnauthorized || !strings.HasPrefix(refused.challenge, "Bearer ") {
		t.Errorf("without a token: %+v", refused)
	}
	token := clientToken(t, house, readStock, house.Connect)
	if missing := post(t, unknown, token); missing.status != http.StatusNotFound {
		t.Errorf("with a token: %+v", missing)
	}
}
