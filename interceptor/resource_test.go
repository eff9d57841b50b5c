package interceptor_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestResourceOfPath: the longest identifier that covers the path by whole
// segments is the resource.
func TestResourceOfPath(t *testing.T) {
	t.Parallel()
	house := []string{"", "/mcp", "/mcp/admin", "/" + rpctest.GuardedService}
	for _, tt := range []struct {
		name  string
		paths []string // of the resources
		path  string   // of the request
		want  string   // path of the resource, "none" if there is none
	}{
		{"the root", house, "/", ""},
		{"without a path the procedure counts", house, "", "/" + rpctest.GuardedService},
		{"an RPC", house, "/other.v1.Other/Get", ""},
		{"a resource", house, "/mcp", "/mcp"},
		{"a resource and a slash", house, "/mcp/", "/mcp"},
		{"below a resource", house, "/mcp/x/y", "/mcp"},
		{"the longer one", house, "/mcp/admin/x", "/mcp/admin"},
		{"a segment that begins like the longer one", house, "/mcp/administrator", "/mcp"},
		{"a segment that begins like it", house, "/mcpx", ""},
		{"in capitals", house, "/MCP", ""},
		{"CVE-2021-29492 an escaped slash ends no segment", house, "/mcp%2fadmin", ""},
		{"CVE-2021-29492 an escaped slash below", house, "/mcp/admin%2Fx", "/mcp"},
		{"a service", house, guarded, "/" + rpctest.GuardedService},
		{"a service that begins like it", house, "/" + rpctest.GuardedService + "2/Unary", ""},
		{"one resource owns what it covers", []string{"/mcp"}, "/mcp/x", "/mcp"},
		{"one resource owns every path", []string{"/mcp"}, "/other", "/mcp"},
		{"one resource owns RPCs", []string{"/mcp"}, guarded, "/mcp"},
		{"several, and none covers it", []string{"/a", "/b"}, "/c", "none"},
		{"several, and none covers the root", []string{"/a", "/b"}, "/", "none"},
		{"several, and none covers what has no slash", []string{"", "/b"}, "*", "none"},
		{"in the other order", []string{"/mcp/admin", "", "/mcp"}, "/mcp/admin", "/mcp/admin"},
		{"a slash at the end of the identifier", []string{"", "/mcp/"}, "/mcp", "/mcp/"},
		{"an identifier with an escape", []string{"", "/caf%C3%A9"}, "/caf%C3%A9/x", "/caf%C3%A9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthorizer(t, func(cfg *interceptor.Config) {
				cfg.Resources = nil
				for _, path := range tt.paths {
					cfg.Resources = append(cfg.Resources, resource(base+path))
				}
			})
			req := interceptor.Request{Procedure: guarded, Path: tt.path}
			_, err := a.Authorize(t.Context(), req)
			if tt.want == "none" {
				denialOf(t, err, interceptor.KindNotFound)
				if got := a.MetadataURL(req); got != "" {
					t.Errorf("MetadataURL: got %q", got)
				}
				return
			}
			want := base + wellKnown + tt.want
			if got := denialOf(t, err, interceptor.KindNoCredentials).Challenge.ResourceMetadata; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := a.MetadataURL(req); got != want {
				t.Errorf("MetadataURL: got %s, want %s", got, want)
			}
		})
	}
}

// TestNoResource: not even a public rule or a good token helps where no resource
// is.
func TestNoResource(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources = resources(base+"/a", base+"/b") })
	for _, procedure := range []string{guarded, public, nowhere} {
		_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: procedure, Authorization: bearer("t-admin")})
		if denial := denialOf(t, err, interceptor.KindNotFound); denial.Challenge.ResourceMetadata != "" {
			t.Errorf("got %+v", denial.Challenge)
		}
	}
}

// TestDotSegments: a path that routers disagree about belongs to no resource for
// sure (oathkeeper GHSA-p224-6x5r-fjpm).
func TestDotSegments(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources = resources(base, base+"/mcp") })
	for path, want := range map[string]interceptor.Kind{
		"/mcp/../admin": interceptor.KindInvalidRequest,
		"/mcp/..":       interceptor.KindInvalidRequest,
		"/mcp/./x":      interceptor.KindInvalidRequest,
		"/..":           interceptor.KindInvalidRequest,
		"/.":            interceptor.KindInvalidRequest,
		"/.hidden":      interceptor.KindNoCredentials,
		"/a/...":        interceptor.KindNoCredentials,
		"/a/..b":        interceptor.KindNoCredentials,
		"/a.b":          interceptor.KindNoCredentials,
	} {
		_, err := a.Authorize(t.Context(), interceptor.Request{Service: rpctest.GuardedService, Path: path})
		denialOf(t, err, want)
	}
}

// TestAudience: a token is good at the resource that it was minted for, under
// each of its names, and nowhere else (R8707-2, R8725-3.9, MCP-7).
func TestAudience(t *testing.T) {
	t.Parallel()
	const alias = "https://alias.example.com"
	house := []interceptor.Resource{
		{Identifier: base, AuthorizationServers: []string{issuer}, Aliases: []string{alias}, Audiences: []string{"api-client-id"}},
		{Identifier: base + "/mcp", AuthorizationServers: []string{issuer}, Aliases: []string{alias + "/"}},
		{Identifier: "http://localhost:8080/dev/", AuthorizationServers: []string{issuer}},
	}
	for _, tt := range []struct {
		name     string
		path     string
		audience []string
		want     bool
	}{
		{"the identifier", "/x", []string{base}, true},
		{"the identifier and a slash (RFC 3986 §6.2.3)", "/x", []string{base + "/"}, true},
		{"one of several", "/x", []string{"https://other.example.com", base}, true},
		{"an alias", "/x", []string{alias}, true},
		{"an alias and a slash", "/x", []string{alias + "/"}, true},
		{"Audiences", "/x", []string{"api-client-id"}, true},
		{"R8725-3.9 none", "/x", nil, false},
		{"R8725-3.9 an empty one", "/x", []string{""}, false},
		{"R8707-2 a foreign one", "/x", []string{"https://other.example.com"}, false},
		{"R8707-2 another resource of ours", "/x", []string{base + "/mcp"}, false},
		{"R8707-2 in capitals", "/x", []string{"https://API.example.com"}, false},
		{"R8707-2 the default port", "/x", []string{base + ":443"}, false},
		{"R8707-2 the scheme", "/x", []string{"http://api.example.com"}, false},
		{"R8707-2 the host alone", "/x", []string{"api.example.com"}, false},
		{"R8707-2 Audiences are compared as they are", "/x", []string{"API-client-id"}, false},
		{"a path", "/mcp", []string{base + "/mcp"}, true},
		{"a path under an alias", "/mcp", []string{alias + "/mcp"}, true},
		{"R8707-2 a path and a slash", "/mcp", []string{base + "/mcp/"}, false},
		{"R8707-2 the resource above", "/mcp", []string{base}, false},
		{"R8707-2 the Audiences of the resource above", "/mcp", []string{"api-client-id"}, false},
		{"loopback", "/dev", []string{"http://localhost:8080/dev/"}, true},
		{"loopback by another name", "/dev", []string{"http://[::1]:8080/dev/"}, true},
		{"R8707-2 loopback on another port", "/dev", []string{"http://127.0.0.1:9090/dev/"}, false},
		{"R8707-2 loopback without its slash", "/dev", []string{"http://localhost:8080/dev"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			verifier := people()
			verifier.tokens["t-admin"].Audience = tt.audience
			a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources, cfg.Verifier = house, verifier })
			_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Path: tt.path, Authorization: bearer("t-admin")})
			if tt.want {
				wantOutcome(t, err, letIn)
				return
			}
			denialOf(t, err, interceptor.KindInvalidToken)
		})
	}
}

// TestAudienceOfLoneSlash: an identifier that ends with the slash of the root
// is the same URL without it.
func TestAudienceOfLoneSlash(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources = resources(base + "/") })
	_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")})
	wantOutcome(t, err, letIn)
	if got, want := a.MetadataURL(interceptor.Request{}), base+wellKnown; got != want {
		t.Errorf("R9728-3.a: got %s, want %s", got, want)
	}
}

func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "https://api.example.com/mcp%2fx?a=b", nil)
	r.RemoteAddr = "192.0.2.1:1"
	for _, name := range []string{"Authorization", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		r.Header[name] = []string{name + " 1", name + " 2"}
	}
	got := interceptor.HTTPRequest("a.v1.A", r)
	if got.Procedure != "" || got.Service != "a.v1.A" || got.Path != "/mcp%2fx" || got.Host != "api.example.com" || got.TLS != r.TLS || got.TLS == nil || got.RemoteAddr != r.RemoteAddr {
		t.Errorf("got %+v", got)
	}
	for _, values := range [][]string{got.Authorization, got.Forwarded, got.ForwardedHost, got.ForwardedProto} {
		if len(values) != 2 {
			t.Errorf("CVE-2026-26308: got %q of two values", values)
		}
	}
	for query, want := range map[string]bool{
		"":                          false,
		"?access_token=x":           true,
		"?access_token=":            true,
		"?a=b&access_token=x":       true,
		"?xaccess_token=x":          false,
		"?a=access_token=x":         false,
		"?refresh_access_token=x&b": false,
		"?access_token_type=x":      false,
	} {
		if got := interceptor.HTTPRequest("a.v1.A", httptest.NewRequest(http.MethodGet, "/"+query, nil)).QueryToken; got != want {
			t.Errorf("R6750-2.b: QueryToken of %q: got %t, want %t", query, got, want)
		}
	}
}
