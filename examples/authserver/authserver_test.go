package authserver_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/examples/authserver"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	server := start(t)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		var metadata struct {
			Issuer    string   `json:"issuer"`
			Authorize string   `json:"authorization_endpoint"`
			Token     string   `json:"token_endpoint"`
			Keys      string   `json:"jwks_uri"`
			Register  string   `json:"registration_endpoint"`
			Scopes    []string `json:"scopes_supported"`
			PKCE      []string `json:"code_challenge_methods_supported"`
		}
		getJSON(t, server, path, &metadata)
		if metadata.Issuer != server.URL {
			t.Errorf("%s: issuer is %q, want %q", path, metadata.Issuer, server.URL)
		}
		for _, endpoint := range []string{metadata.Authorize, metadata.Token, metadata.Keys, metadata.Register} {
			if !strings.HasPrefix(endpoint, server.URL+"/") {
				t.Errorf("%s: endpoint %q is not at the issuer", path, endpoint)
			}
		}
		if want := []string{"read", "write"}; !slices.Equal(metadata.Scopes, want) {
			t.Errorf("%s: scopes are %q, want %q", path, metadata.Scopes, want)
		}
		if want := []string{"S256"}; !slices.Equal(metadata.PKCE, want) {
			t.Errorf("%s: PKCE methods are %q, want %q", path, metadata.PKCE, want)
		}
	}
}

func TestBrowserMayAsk(t *testing.T) {
	t.Parallel()
	server := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, server.URL+"/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "http://localhost:6274")
	req.Header.Set("Access-Control-Request-Method", http.MethodPost)
	req.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin is %q, want *", got)
	}
	if got := resp.Header.Get("Access-Control-Allow-Credentials"); got != "" {
		t.Errorf("Access-Control-Allow-Credentials is %q, want none", got)
	}
}

// All faults of a configuration are reported together.
func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := authserver.New(authserver.Config{
		Issuer: "http://127.0.0.1:1/path",
		Clients: []authserver.Client{
			{ID: "a", GrantTypes: []string{"password"}},
			{ID: "b", GrantTypes: []string{"client_credentials"}},
			{ID: "c", RedirectURIs: []string{"https://example.com/"}},
		},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Issuer", "Resources", "Scopes", "Subject", `"a"`, `"b"`, `"c"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s:\n%v", want, err)
		}
	}
}
