package interceptor_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
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
		path  string   // of the request, as it was sent
		want  string   // path of the resource
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
		{"CVE-2021-29492 an escape that is decoded once", house, "/%256dcp", ""},
		{"CVE-2021-29492 an escaped slash where all belongs together", house, "/mcp/x%2Fy", "/mcp"},
		{"CVE-2021-29492 an escaped slash below the longest", house, "/mcp/admin/x%2fy", "/mcp/admin"},
		{"CVE-2021-29492 an escaped slash below none", house, "/x%2Fy", ""},
		{"CVE-2021-29492 an empty segment where all belongs together", house, "/mcp//x", "/mcp"},
		{"CVE-2021-29492 an empty segment below none", house, "//x", ""},
		{"CVE-2021-29492 an escaped question mark", house, "/mcp%3Fx", ""},
		{"a service", house, guarded, "/" + rpctest.GuardedService},
		{"a service that begins like it", house, "/" + rpctest.GuardedService + "2/Unary", ""},
		{"one resource owns what it covers", []string{"/mcp"}, "/mcp/x", "/mcp"},
		{"one resource owns every path", []string{"/mcp"}, "/other", "/mcp"},
		{"one resource owns RPCs", []string{"/mcp"}, guarded, "/mcp"},
		{"CVE-2021-29492 one resource is not bothered by an escaped slash", []string{"/mcp"}, "/mcp%2Fx", "/mcp"},
		{"CVE-2021-29492 one resource is not bothered by an empty segment", []string{"/mcp"}, "//mcp", "/mcp"},
		{"CVE-2021-29492 one resource is not bothered by an escaped backslash", []string{"/mcp"}, "/x%5cy", "/mcp"},
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
			req := at(t, tt.path)
			req.Procedure = guarded
			_, err := a.Authorize(t.Context(), req)
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

// at returns the request for a path as a client sends it.
func at(tb testing.TB, sent string) interceptor.Request {
	tb.Helper()
	if sent == "" {
		return interceptor.Request{}
	}
	u, err := url.ParseRequestURI(sent)
	if err != nil {
		tb.Fatal(err)
	}
	return interceptor.HTTPRequest(rpctest.GuardedService, &http.Request{URL: u})
}

// TestNoResource: where no resource is, a caller gets the challenge of the first
// one, and learns that there is nothing only by a token that is good somewhere
// (SEED-7).
func TestNoResource(t *testing.T) {
	t.Parallel()
	verifier := people()
	verifier.tokens["t-elsewhere"] = &interceptor.TokenInfo{Subject: "elsewhere", Audience: []string{"https://elsewhere.example.com"}}
	// The first is neither that with the longest path, nor the first by name.
	apart := []interceptor.Resource{resource(base + "/b"), resource(base + "/a"), resource(base + "/a/deeper")}
	whole := []interceptor.Resource{resource(base + "/b"), resource(base)}
	for _, tt := range []struct {
		name      string
		resources []interceptor.Resource
		req       interceptor.Request
		realm     string
	}{
		{"SEED-7 a rule", apart, interceptor.Request{Procedure: guarded}, rpctest.GuardedService},
		{"SEED-7 a public rule", apart, interceptor.Request{Procedure: public}, rpctest.PublicService},
		{"SEED-7 no rule", apart, interceptor.Request{Procedure: nowhere}, rpctest.NowhereService},
		{"SEED-7 plain HTTP", apart, interceptor.Request{Service: rpctest.GuardedService, Path: "/c"}, rpctest.GuardedService},
		{"SEED-7 plain HTTP, public", apart, interceptor.Request{Service: rpctest.PublicService, Path: "/c"}, rpctest.PublicService},
		{"SEED-7 the root", apart, interceptor.Request{Service: rpctest.GuardedService, Path: "/"}, rpctest.GuardedService},
		{"SEED-7 a segment that begins like it", apart, interceptor.Request{Service: rpctest.GuardedService, Path: "/ab"}, rpctest.GuardedService},
		{"SEED-7 no slash", whole, interceptor.Request{Service: rpctest.GuardedService, Path: "*"}, rpctest.GuardedService},
		{"SEED-7 RPC-5 a procedure without a slash", whole, interceptor.Request{Procedure: guarded[1:]}, ""},
		{"SEED-7 RPC-5 a procedure that is none", apart, interceptor.Request{Procedure: "/" + guarded}, ""},
		{"SEED-7 RPC-5 a procedure in quotes", whole, interceptor.Request{Procedure: `"` + guarded + `"`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources, cfg.Verifier = tt.resources, verifier })
			if got, want := a.MetadataURL(tt.req), base+"/.well-known/oauth-protected-resource/b"; got != want {
				t.Errorf("MetadataURL: got %q, want that of the first resource", got)
			}
			for token, want := range map[string]struct {
				kind  interceptor.Kind
				oauth string
			}{
				"":            {interceptor.KindNoCredentials, ""},
				"a b":         {interceptor.KindInvalidRequest, "invalid_request"},
				"t-stranger":  {interceptor.KindInvalidToken, "invalid_token"},
				"t-reader":    {interceptor.KindNotFound, ""},
				"t-admin":     {interceptor.KindNotFound, ""},
				"t-elsewhere": {interceptor.KindNotFound, ""},
			} {
				req := tt.req
				if token != "" {
					req.Authorization = bearer(token)
				}
				info, err := a.Authorize(t.Context(), req)
				challenge := denialOf(t, err, want.kind).Challenge
				if info != nil || challenge.ResourceMetadata != base+wellKnown+"/b" || challenge.Realm != tt.realm || challenge.Error != want.oauth || len(challenge.Scopes) != 0 {
					t.Errorf("%q: got %+v beside %+v", token, challenge, info)
				}
			}
		})
	}
}

// TestAmbiguousPath: a path that routers read in different ways is refused to
// everybody, where the readings belong to different resources (R8707-2, MCP-7,
// CVE-2021-29492, oathkeeper GHSA-p224-6x5r-fjpm).
func TestAmbiguousPath(t *testing.T) {
	t.Parallel()
	house := resources(base, base+"/mcp", base+"/mcp/admin", base+"/MCP")
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources = house })
	lone := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources = resources(base) })
	const refused, alone = interceptor.KindInvalidRequest, interceptor.KindNoCredentials
	for _, tt := range []struct {
		name, path string
		want       interceptor.Kind // where there are several resources
		alone      interceptor.Kind // where there is one
	}{
		{"R8707-2 two slashes", "//mcp", refused, alone},
		{"R8707-2 three slashes", "///mcp/x", refused, alone},
		{"R8707-2 two slashes before the longest", "/mcp//admin", refused, alone},
		{"R8707-2 two slashes after an escape", "//%6dcp", refused, alone},
		{"MCP-7 an escaped slash behind a resource", "/mcp%2Fx", refused, alone},
		{"MCP-7 an escaped slash in lower case", "/mcp%2fx", refused, alone},
		{"MCP-7 an escaped slash behind the longest", "/mcp/admin%2Fx", refused, alone},
		{"MCP-7 an escaped slash before the longest", "/mcp%2fadmin", refused, alone},
		{"MCP-7 an escaped slash at the beginning", "/%2Fmcp", refused, alone},
		{"MCP-7 an escaped backslash in lower case", "/mcp%5cx", refused, alone},
		{"MCP-7 an escaped backslash", "/mcp%5Cx", refused, alone},
		{"MCP-7 an escaped backslash at the beginning", "/%5Cmcp", refused, alone},
		{"MCP-7 a backslash", `/mcp\x`, refused, alone},
		{"GHSA-p224-6x5r-fjpm a way up behind an escaped backslash", "/x%5C..", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up between escaped backslashes", "/mcp%5c..%5cadmin", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up", "/mcp/../admin", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up at the end", "/mcp/..", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way nowhere", "/mcp/./x", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up from the root", "/..", refused, refused},
		{"GHSA-p224-6x5r-fjpm the root itself", "/.", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up, escaped", "/mcp/%2e%2e/admin", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up, half escaped", "/mcp/.%2E/admin", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up before an escaped slash", "/mcp/..%2fadmin", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up between escaped slashes", "/mcp%2F..%2Fadmin", refused, refused},
		{"GHSA-p224-6x5r-fjpm dots that are no segment", "/.hidden/.../..b/a.b", alone, alone},
		{"GHSA-p224-6x5r-fjpm escaped dots that are no segment", "/%2ehidden", alone, alone},
		{"CVE-2021-29492 an escaped letter, for routers that do not decode", "/%6dcp/x", refused, alone},
		{"CVE-2021-29492 MCP-7 escaped letters below", "/%6D%63%70/%61dmin", refused, alone},
		{"CVE-2021-29492 an escaped letter within a resource", "/MCP/%61dmin", alone, alone},
		{"an escaped slash within a resource", "/MCP/a%2Fb", alone, alone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, values := range [][]string{nil, bearer("t-admin")} {
				req := at(t, tt.path)
				req.Authorization = values
				_, err := a.Authorize(t.Context(), req)
				if tt.want == refused {
					if got := denialOf(t, err, refused); got.Challenge.Error != "invalid_request" || got.Challenge.Realm != rpctest.GuardedService {
						t.Errorf("R6750-3.1.b: got %+v", got.Challenge)
					}
				} else if values == nil {
					denialOf(t, err, tt.want)
				}
				_, err = lone.Authorize(t.Context(), req)
				switch {
				case tt.alone == refused:
					denialOf(t, err, refused)
				case values == nil:
					denialOf(t, err, alone)
				default:
					wantOutcome(t, err, letIn)
				}
			}
			// Not even a public rule opens it.
			req := at(t, tt.path)
			req.Service = rpctest.PublicService
			want := letIn
			if tt.want == refused {
				want = refused
			}
			_, err := a.Authorize(t.Context(), req)
			wantOutcome(t, err, want)
		})
	}
}

// TestEscapedPathNeedsItsOwnToken: a token for the resource above is none for
// the resource below, however the path is written (R8707-2, MCP-7,
// CVE-2021-29492).
func TestEscapedPathNeedsItsOwnToken(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources = resources(base, base+"/mcp") })
	for path, want := range map[string]interceptor.Kind{
		"/":                 letIn,
		"/x":                letIn,
		"/%78":              letIn,
		"/x%2Fmcp":          letIn,
		"/mcp":              interceptor.KindInvalidToken,
		"/%6dcp":            interceptor.KindInvalidRequest,
		"/m%63p/x":          interceptor.KindInvalidRequest,
		"/mcp/x%2Fy":        interceptor.KindInvalidToken,
		"//mcp":             interceptor.KindInvalidRequest,
		"/mcp%2Fx":          interceptor.KindInvalidRequest,
		"/x%5C..":           interceptor.KindInvalidRequest,
		"/mcp/%2e%2e/admin": interceptor.KindInvalidRequest,
		"/mcp/..%2fadmin":   interceptor.KindInvalidRequest,
	} {
		req := at(t, path)
		req.Authorization = bearer("t-admin")
		_, err := a.Authorize(t.Context(), req)
		got := letIn
		if err != nil {
			got = interceptor.DenialOf(err).Kind
		}
		if got != want {
			t.Errorf("R8707-2: %s: got %v, want %v", path, got, want)
		}
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
			host := "api.example.com"
			if tt.path == "/dev" {
				host = "localhost:8080"
			}
			_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Path: tt.path, Host: host, Authorization: bearer("t-admin")})
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
	if got.Procedure != "" || got.Service != "a.v1.A" || got.Path != "/mcp/x" || got.RawPath != "/mcp%2fx" || got.Host != "api.example.com" || got.TLS != r.TLS || got.TLS == nil || got.RemoteAddr != r.RemoteAddr {
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
		"?access_token":             true,
		"?%61ccess_token=x":         true,
		"?access%5Ftoken=x":         true,
		"?a;access_token=x":         false, // url.Query drops it, and so does every handler that asks it
		"?access_token=x;a":         false,
		"?Access_token=x":           false,
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

// TestHostChoosesResource: where resources are apart by host, a token for one does
// not open another, however the host is written. Routers ignore its port.
func TestHostChoosesResource(t *testing.T) {
	t.Parallel()
	verifier := people()
	verifier.tokens["t-writer"].Audience = []string{"https://a.test", "https://a.test/x"}
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Resources = resources("https://a.test", "https://b.test", "https://a.test/x")
		cfg.Verifier = verifier
	})
	for host, want := range map[string]interceptor.Kind{
		"a.test":      letIn,
		"A.test:443":  letIn,
		"a.test:8443": letIn,
		"b.test":      interceptor.KindInvalidToken,
		"b.test:443":  interceptor.KindInvalidToken,
		"b.test:8443": interceptor.KindInvalidToken,
		"b.test:80":   interceptor.KindInvalidToken,
		"B.TEST:1":    interceptor.KindInvalidToken,
		"b.test:":     interceptor.KindNotFound,
		"b.test:x":    interceptor.KindNotFound,
		"b.test.":     interceptor.KindNotFound,
		"c.test":      interceptor.KindNotFound,
		"":            interceptor.KindNotFound,
	} {
		for _, path := range []string{"/", "/x", "/x/y"} {
			_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Path: path, Host: host, Authorization: bearer("t-writer")})
			got := letIn
			if err != nil {
				got = interceptor.DenialOf(err).Kind
			}
			if got != want {
				t.Errorf("R8707-2: %q%s: got %v, want %v", host, path, got, want)
			}
		}
	}
}
