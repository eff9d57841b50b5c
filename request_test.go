package drawbridge_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// TestHTTPRequest: what an Authorizer reads of an HTTP request.
func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPut, "https://api.example.com/mcp%2fx?a=b", nil)
	r.RemoteAddr = "192.0.2.1:1"
	for _, name := range []string{"Authorization", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "Dpop"} {
		r.Header[name] = []string{name + " 1", name + " 2"}
	}
	got := drawbridge.HTTPRequest(r)
	if got.Procedure != "" || got.Service != "" || got.Path != "/mcp/x" || got.RawPath != "/mcp%2fx" || got.Method != http.MethodPut || got.QueryToken || got.RemoteAddr != "" {
		t.Errorf("got %+v", got)
	}
	if host := got.Transport.Host(t.Context()); host != "api.example.com" {
		t.Errorf("got the host %q", host)
	}
	if remote, state := got.Transport.Connection(t.Context()); remote != r.RemoteAddr || state != r.TLS || state == nil {
		t.Errorf("got the connection %q, %v", remote, state)
	}
	for name, want := range r.Header {
		if values := got.Transport.Values(t.Context(), name); !slices.Equal(values, want) || len(want) != 2 {
			t.Errorf("CVE-2026-26308: %s: got %q, want %q", name, values, want)
		}
	}
	if values := got.Transport.Values(t.Context(), "X-Absent"); values != nil {
		t.Errorf("got %q", values)
	}
}

// TestQueryToken: a token in the query is noticed (R6750-2.b).
func TestQueryToken(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"":                          false,
		"?access_token=x":           true,
		"?access_token":             true,
		"?%61ccess_token=x":         true,
		"?access%5Ftoken=x":         true,
		"?a;access_token=x":         false, // url.Query drops it, and so do handlers
		"?access_token=x;a":         false,
		"?Access_token=x":           false,
		"?access_token=":            true,
		"?a=b&access_token=x":       true,
		"?xaccess_token=x":          false,
		"?a=access_token=x":         false,
		"?refresh_access_token=x&b": false,
		"?access_token_type=x":      false,
		"?a=%41":                    false,
	} {
		if got := drawbridge.HTTPRequest(httptest.NewRequest(http.MethodGet, "/"+query, nil)).QueryToken; got != want {
			t.Errorf("R6750-2.b: QueryToken of %q: got %t, want %t", query, got, want)
		}
	}
}

// TestNoTransport: a request without a transport has no credentials and no host.
func TestNoTransport(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = []drawbridge.Resource{resource(base, alias)} })
	for _, tt := range []struct {
		req  drawbridge.Request
		want challenge.Reason
	}{
		{drawbridge.Request{Procedure: guarded}, challenge.ReasonNoCredentials},
		{drawbridge.Request{Procedure: guarded, QueryToken: true}, challenge.ReasonNoCredentials},
		{drawbridge.Request{Procedure: public}, letIn},
		{drawbridge.Request{}, challenge.ReasonNoCredentials},
	} {
		_, err := a.Authorize(t.Context(), tt.req)
		wantOutcome(t, err, tt.want)
		// Nor does a decision further out stand for it.
		_, err = a.Authorize(enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-admin")}), tt.req)
		wantOutcome(t, err, tt.want)
	}
}
