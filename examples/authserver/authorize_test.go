package authserver_test

import (
	"io"
	"net/http"
	"testing"
)

// The port of a loopback redirect URI is ignored (RFC 8252 §7.3), and nothing else.
func TestRedirectURI(t *testing.T) {
	t.Parallel()
	server := start(t)
	tests := []struct {
		uri  string
		good bool
	}{
		{"http://127.0.0.1:1/callback", true},
		{"http://127.0.0.1:65535/callback", true},
		{"http://127.0.0.1/callback", true},
		{"http://[::1]:8080/callback", true},
		{"http://127.0.0.1:1/elsewhere", false},
		{"http://127.0.0.1:1/callback?more=1", false},
		{"http://example.com/callback", false},
		{"https://example.com/callback", false},
		{"http://127.0.0.1.example.com/callback", false},
		{"custom:/callback", false},
		{"", false},
	}
	for _, test := range tests {
		params, status := authorize(t, server, map[string]string{"redirect_uri": test.uri})
		if good := params.Get("code") != ""; good != test.good {
			t.Errorf("%q: code %t (%d), want %t", test.uri, good, status, test.good)
		}
	}
}

func TestAuthorizeRefused(t *testing.T) {
	t.Parallel()
	server := start(t)
	tests := []struct {
		name      string
		changes   map[string]string
		errorCode string // empty: no redirect to the client
	}{
		{"no PKCE", map[string]string{"code_challenge": "", "code_challenge_method": ""}, "invalid_request"},
		{"PKCE without a method", map[string]string{"code_challenge_method": ""}, "invalid_request"},
		{"PKCE in the clear", map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
		{"unknown scope", map[string]string{"scope": "read admin"}, "invalid_scope"},
		{"unknown resource", map[string]string{"resource": "https://example.com"}, "invalid_target"},
		{"no resource", map[string]string{"resource": ""}, "invalid_target"},
		{"implicit", map[string]string{"response_type": "token"}, "unauthorized_client"},
		{"form post", map[string]string{"response_mode": "form_post"}, "invalid_request"},
		{"request object", map[string]string{"request": "e30.e30."}, "request_not_supported"},
		{"unknown client", map[string]string{"client_id": "unknown"}, ""},
		{"client of another grant", map[string]string{"client_id": "service"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			params, status := authorize(t, server, test.changes)
			if params.Get("code") != "" {
				t.Fatal("got a code")
			}
			if test.errorCode == "" && params != nil {
				t.Errorf("the redirect URI got %q", params.Get("error"))
			}
			if params.Get("error") != test.errorCode {
				t.Errorf("got %q (%d), want %q", params.Get("error"), status, test.errorCode)
			}
		})
	}
}

// A login identifier is not a code, and neither is valid twice.
func TestLoginIsGoodOnce(t *testing.T) {
	t.Parallel()
	server := start(t)
	for _, path := range []string{"/login", "/login?request=guess"} {
		resp, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s %q, want 400", path, resp.Status, body)
		}
	}
}
