package drawbridge_test

import (
	"errors"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestResourceOfPath: the longest identifier that covers the path by whole
// segments is the resource.
func TestResourceOfPath(t *testing.T) {
	t.Parallel()
	paths := []string{"", "/mcp", "/mcp/admin", "/" + rpctest.GuardedService}
	for _, tt := range []struct {
		name  string
		paths []string // of the resources
		path  string   // of the request, as it was sent
		want  string   // path of the resource
	}{
		{"the root", paths, "/", ""},
		{"without a path the procedure counts", paths, "", "/" + rpctest.GuardedService},
		{"an RPC", paths, "/other.v1.Other/Get", ""},
		{"a resource", paths, "/mcp", "/mcp"},
		{"a resource and a slash", paths, "/mcp/", "/mcp"},
		{"below a resource", paths, "/mcp/x/y", "/mcp"},
		{"the longer one", paths, "/mcp/admin/x", "/mcp/admin"},
		{"a segment that begins like the longer one", paths, "/mcp/administrator", "/mcp"},
		{"a segment that begins like it", paths, "/mcpx", ""},
		{"CVE-2021-29492 an escaped slash where all belongs together", paths, "/mcp/x%2Fy", "/mcp"},
		{"CVE-2021-29492 an escaped slash below the longest", paths, "/mcp/admin/x%2fy", "/mcp/admin"},
		{"CVE-2021-29492 an escaped slash below none", paths, "/x%2Fy", ""},
		{"CVE-2021-29492 an empty segment where all belongs together", paths, "/mcp//x", "/mcp"},
		{"CVE-2021-29492 an empty segment below none", paths, "//x", ""},
		{"CVE-2021-29492 an escaped question mark", paths, "/mcp%3Fx", ""},
		{"a service", paths, guarded, "/" + rpctest.GuardedService},
		{"a service that begins like it", paths, "/" + rpctest.GuardedService + "2/Unary", ""},
		{"one resource owns what it covers", []string{"/mcp"}, "/mcp/x", "/mcp"},
		{"one resource owns every path", []string{"/mcp"}, "/other", "/mcp"},
		{"one resource owns RPCs", []string{"/mcp"}, guarded, "/mcp"},
		{"CVE-2021-29492 one resource, and an escaped slash", []string{"/mcp"}, "/mcp%2Fx", "/mcp"},
		{"CVE-2021-29492 one resource, and an empty segment", []string{"/mcp"}, "//mcp", "/mcp"},
		{"CVE-2021-29492 one resource, and an escaped backslash", []string{"/mcp"}, "/x%5cy", "/mcp"},
		{"in the other order", []string{"/mcp/admin", "", "/mcp"}, "/mcp/admin", "/mcp/admin"},
		{"a slash at the end of the identifier", []string{"", "/mcp/"}, "/mcp", "/mcp/"},
		{"an identifier with an escape", []string{"", "/caf%C3%A9"}, "/caf%C3%A9/x", "/caf%C3%A9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthorizer(t, func(cfg *drawbridge.Config) {
				cfg.Resources = nil
				for _, path := range tt.paths {
					cfg.Resources = append(cfg.Resources, resource(base+path))
				}
			})
			req := at(t, tt.path)
			req.Procedure = guarded
			_, err := authorize(t.Context(), a, req)
			want := base + wellKnown + tt.want
			if got := denialOf(t, err, challenge.ReasonNoCredentials).Challenge.ResourceMetadataURL; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := metadataURL(t.Context(), a, req); got != want {
				t.Errorf("MetadataURL: got %s, want %s", got, want)
			}
		})
	}
}

// TestNoResource: where no resource covers the path, a caller gets the challenge of
// the first one, and learns that there is nothing only with a valid token (SEED-7).
func TestNoResource(t *testing.T) {
	t.Parallel()
	verifier := people()
	verifier.tokens["t-elsewhere"] = &token.Info{Issuer: "https://elsewhere.example.com", Subject: "elsewhere", Audience: []string{"https://elsewhere.example.com"}}
	// The first has neither the longest path nor the first name.
	apart := []drawbridge.Resource{serving(resource(base+"/b"), rpctest.GuardedService), resource(base + "/a"), resource(base + "/a/deeper")}
	whole := []drawbridge.Resource{resource(base + "/b"), resource(base)}
	for _, tt := range []struct {
		name      string
		resources []drawbridge.Resource
		req       sent
		realm     string
	}{
		{"SEED-7 a rule", apart, sent{Procedure: guarded}, rpctest.GuardedService},
		{"SEED-7 no rule", apart, sent{Procedure: nowhere}, rpctest.NowhereService},
		{"SEED-7 plain HTTP", apart, sent{Service: rpctest.GuardedService, Path: "/c"}, rpctest.GuardedService},
		{"SEED-7 the root", apart, sent{Service: rpctest.GuardedService, Path: "/"}, rpctest.GuardedService},
		{"SEED-7 a segment that begins like it", apart, sent{Service: rpctest.GuardedService, Path: "/ab"}, rpctest.GuardedService},
		{"SEED-7 no slash", whole, sent{Service: rpctest.GuardedService, Path: "*"}, rpctest.GuardedService},
		{"SEED-7 RPC-5 a procedure without a slash", whole, sent{Procedure: guarded[1:]}, ""},
		{"SEED-7 RPC-5 a procedure with two slashes", apart, sent{Procedure: "/" + guarded}, ""},
		{"SEED-7 RPC-5 a procedure in quotes", whole, sent{Procedure: `"` + guarded + `"`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources, cfg.Verifier = tt.resources, verifier })
			if got, want := metadataURL(t.Context(), a, tt.req), base+"/.well-known/oauth-protected-resource/b"; got != want {
				t.Errorf("MetadataURL: got %q, want that of the first resource", got)
			}
			for raw, want := range map[string]struct {
				reason challenge.Reason
				oauth  string
			}{
				"":            {challenge.ReasonNoCredentials, ""},
				"a b":         {challenge.ReasonInvalidRequest, "invalid_request"},
				"t-unknown":   {challenge.ReasonInvalidToken, "invalid_token"},
				"t-reader":    {challenge.ReasonNotFound, ""},
				"t-admin":     {challenge.ReasonNotFound, ""},
				"t-elsewhere": {challenge.ReasonNotFound, ""},
			} {
				req := tt.req
				if raw != "" {
					req.Authorization = bearer(raw)
				}
				ctx, err := authorize(t.Context(), a, req)
				got := denialOf(t, err, want.reason).Challenge
				if ctx != nil || got.ResourceMetadataURL != base+wellKnown+"/b" || got.Realm != tt.realm || got.Error != want.oauth || len(got.Scopes) != 0 {
					t.Errorf("%q: got %+v", raw, got)
				}
			}
		})
	}
}

// TestAmbiguousPath: a path that routers read in different ways is refused, with
// any token, where the readings belong to different resources (R8707-2, MCP-7,
// CVE-2021-29492, oathkeeper GHSA-p224-6x5r-fjpm).
func TestAmbiguousPath(t *testing.T) {
	t.Parallel()
	several := resources(base, base+"/mcp", base+"/mcp/admin", base+"/MCP")
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = several })
	lone := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = resources(base) })
	const refused, alone = challenge.ReasonInvalidRequest, challenge.ReasonNoCredentials
	for _, tt := range []struct {
		name, path string
		want       challenge.Reason // where there are several resources
		alone      challenge.Reason // where there is one
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
		{"CVE-2021-29492 an escaped letter within a resource", "/MCP/%61bmin", alone, alone},
		{"CVE-2021-29492 an escape that some decode twice", "/%256dcp", refused, alone},
		{"GHSA-p224-6x5r-fjpm a way up that some decode twice", "/mcp/%252e%252e/x", refused, refused},
		{"GHSA-p224-6x5r-fjpm a way up with a parameter", "/mcp/..;/x", refused, refused},
		{"R8707-2 a parameter of a resource's segment", "/mcp;x=1/y", refused, alone},
		{"R8707-2 another case of letters", "/Mcp", refused, alone},
		{"R8707-2 another case of letters within a resource", "/mcp/X", alone, alone},
		{"an escaped slash within a resource", "/MCP/a%2Fb", alone, alone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, values := range [][]string{nil, bearer("t-admin")} {
				req := at(t, tt.path)
				req.Authorization = values
				_, err := authorize(t.Context(), a, req)
				if tt.want == refused {
					if got := denialOf(t, err, refused); got.Challenge.Error != "invalid_request" || got.Challenge.ErrorDescription != challenge.AmbiguousPath || got.Challenge.Realm != rpctest.GuardedService {
						t.Errorf("R6750-3.1.b: got %+v", got.Challenge)
					}
				} else if values == nil {
					denialOf(t, err, tt.want)
				}
				_, err = authorize(t.Context(), lone, req)
				switch {
				case tt.alone == refused:
					denialOf(t, err, refused)
				case values == nil:
					denialOf(t, err, alone)
				default:
					wantOutcome(t, err, letIn)
				}
			}
			// A public rule requires no resource, so its path does not matter.
			req := at(t, tt.path)
			req.Service = rpctest.PublicService
			_, err := authorize(t.Context(), a, req)
			wantOutcome(t, err, letIn)
		})
	}
}

// TestEscapedPathNeedsItsOwnToken: a token for the resource above does not open the
// resource below, however the path is written (R8707-2, MCP-7,
// CVE-2021-29492).
func TestEscapedPathNeedsItsOwnToken(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = resources(base, base+"/mcp") })
	for path, want := range map[string]challenge.Reason{
		"/":                 letIn,
		"/x":                letIn,
		"/%78":              letIn,
		"/x%2Fmcp":          letIn,
		"/mcp":              challenge.ReasonInvalidToken,
		"/%6dcp":            challenge.ReasonInvalidRequest,
		"/m%63p/x":          challenge.ReasonInvalidRequest,
		"/mcp/x%2Fy":        challenge.ReasonInvalidToken,
		"//mcp":             challenge.ReasonInvalidRequest,
		"/mcp%2Fx":          challenge.ReasonInvalidRequest,
		"/x%5C..":           challenge.ReasonInvalidRequest,
		"/mcp/%2e%2e/admin": challenge.ReasonInvalidRequest,
		"/mcp/..%2fadmin":   challenge.ReasonInvalidRequest,
	} {
		req := at(t, path)
		req.Authorization = bearer("t-admin")
		_, err := authorize(t.Context(), a, req)
		if got := outcome(err); got != want {
			t.Errorf("R8707-2: %s: got %v, want %v", path, got, want)
		}
	}
}

// TestAudience: a token opens the resource that it was minted for, under each of its
// names, and no other (R8707-2, R8725-3.9, MCP-7).
func TestAudience(t *testing.T) {
	t.Parallel()
	all := []drawbridge.Resource{
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
			a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources, cfg.Verifier = all, verifier })
			host := "api.example.com"
			if tt.path == "/dev" {
				host = "localhost:8080"
			}
			_, err := authorize(t.Context(), a, sent{Procedure: guarded, Path: tt.path, Host: host, Authorization: bearer("t-admin")})
			if tt.want {
				wantOutcome(t, err, letIn)
				return
			}
			denial := denialOf(t, err, challenge.ReasonInvalidToken)
			if !errors.Is(denial, token.ErrInvalid) || denial.Challenge.ErrorDescription != challenge.WrongAudience {
				t.Errorf("R8707-2: got %q, %v", denial.Challenge.ErrorDescription, denial.Cause)
			}
		})
	}
}

// TestAudienceOfLoneSlash: an identifier that ends with the slash of the root
// is the same URL without it.
func TestAudienceOfLoneSlash(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = resources(base + "/") })
	_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	wantOutcome(t, err, letIn)
	if got, want := metadataURL(t.Context(), a, sent{}), base+wellKnown; got != want {
		t.Errorf("R9728-3.a: got %s, want %s", got, want)
	}
}

// TestHostChoosesResource: where resources differ in their hosts, a token for one
// does not open another, however the host is written. Routers ignore its port.
func TestHostChoosesResource(t *testing.T) {
	t.Parallel()
	verifier := people()
	verifier.tokens["t-writer"].Audience = []string{"https://a.test", "https://a.test/x"}
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Resources = resources("https://a.test", "https://b.test", "https://a.test/x")
		cfg.Verifier = verifier
	})
	for host, want := range map[string]challenge.Reason{
		"a.test":      letIn,
		"A.test:443":  letIn,
		"a.test:8443": letIn,
		"b.test":      challenge.ReasonInvalidToken,
		"b.test:443":  challenge.ReasonInvalidToken,
		"b.test:8443": challenge.ReasonInvalidToken,
		"b.test:80":   challenge.ReasonInvalidToken,
		"B.TEST:1":    challenge.ReasonInvalidToken,
		"b.test:":     challenge.ReasonNotFound,
		"b.test:x":    challenge.ReasonNotFound,
		"b.test.":     challenge.ReasonNotFound,
		"c.test":      challenge.ReasonNotFound,
		"":            challenge.ReasonNotFound,
	} {
		for _, path := range []string{"/", "/x", "/x/y"} {
			_, err := authorize(t.Context(), a, sent{Procedure: guarded, Path: path, Host: host, Authorization: bearer("t-writer")})
			if got := outcome(err); got != want {
				t.Errorf("R8707-2: %q%s: got %v, want %v", host, path, got, want)
			}
		}
	}
}
