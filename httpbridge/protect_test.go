package httpbridge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	mcpMetadata  = resource + wellKnown + "/mcp"
	rootMetadata = resource + wellKnown
)

// TestProtect: status, challenge and body of each denial.
func TestProtect(t *testing.T) {
	t.Parallel()
	const service = rpctest.GuardedService
	for _, row := range []struct {
		name      string
		service   string
		header    http.Header
		query     string
		status    int
		challenge string
		body      string
	}{
		{"SEED-2, MCP-2, MCP-3, R6750-3.a: no credentials", service, nil, "", 401, challengeFor(mcpMetadata, service, "", ""), "{}"},
		{"R6750-3.1.a: another scheme", service, http.Header{"Authorization": {"Basic YTpi"}}, "", 401, challengeFor(mcpMetadata, service, "", ""), "{}"},
		{"MCP-10: a session is not a credential", service, http.Header{"Mcp-Session-Id": {tokenGood}}, "", 401, challengeFor(mcpMetadata, service, "", ""), "{}"},
		{"MCP-10: a cookie is not a credential", service, http.Header{"Cookie": {"token=" + tokenGood + "; Authorization=Bearer " + tokenGood}}, "", 401, challengeFor(mcpMetadata, service, "", ""), "{}"},
		{"R6750-2.b: a token in the query is not read", service, nil, "?access_token=" + tokenGood, 401, challengeFor(mcpMetadata, service, "", ""), "{}"},
		{"SEED-3, R6750-3.1.b: bad token", service, bearer(tokenBad), "", 401, challengeFor(mcpMetadata, service, "invalid_token", saysInvalidToken), body("invalid_token", saysInvalidToken, service)},
		{"MCP-7, R8707-2: a token for the resource above", service, bearer(tokenRoot), "", 401, challengeFor(mcpMetadata, service, "invalid_token", saysAudience), body("invalid_token", saysAudience, service)},
		{"SEED-4, MCP-3, R6750-3.1.b: missing scope", service, bearer(tokenRead), "", 403, challengeFor(mcpMetadata, service, "insufficient_scope", saysScope), body("insufficient_scope", saysScope, service)},
		{"R6750-2.b: header and query", service, bearer(tokenGood), "?access_token=" + tokenGood, 400, challengeFor(mcpMetadata, service, "invalid_request", saysInvalidRequest), body("invalid_request", saysInvalidRequest, service)},
		{"R6750-2.b: two headers", service, http.Header{"Authorization": {"Bearer good", "Bearer good"}}, "", 400, challengeFor(mcpMetadata, service, "invalid_request", saysInvalidRequest), body("invalid_request", saysInvalidRequest, service)},
		{"R6750-3.1.b: no token after the scheme", service, http.Header{"Authorization": {"Bearer"}}, "", 400, challengeFor(mcpMetadata, service, "invalid_request", saysInvalidRequest), body("invalid_request", saysInvalidRequest, service)},
		{"RPC-2: outage", service, bearer(tokenDown), "", 503, "", body("temporarily_unavailable", saysUnavailable, service)},
		{"RPC-7: the verifier panics", service, bearer(tokenPanic), "", 500, "", body("server_error", "internal error", service)},
		{"SEED-7: no such service, no credentials", rpctest.NowhereService, nil, "", 401, challengeFor(mcpMetadata, rpctest.NowhereService, "", ""), "{}"},
		{"SEED-7: no such service, bad token", rpctest.NowhereService, bearer(tokenBad), "", 401, challengeFor(mcpMetadata, rpctest.NowhereService, "invalid_token", saysInvalidToken), body("invalid_token", saysInvalidToken, rpctest.NowhereService)},
		{"SEED-7, RPC-6: no such service, good token", rpctest.NowhereService, bearer(tokenGood), "", 404, "", body("not_found", "no such service or method", rpctest.NowhereService)},
		{"R9110-11.c, R6750-3.c: a service whose name is malformed", `a"b\c`, nil, "", 401, fmt.Sprintf("Bearer resource_metadata=%q", mcpMetadata), "{}"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpbridge.Config{})
			var ran atomic.Int64
			server := rpctest.ServeHTTP(t, w.Protect(row.service, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran.Add(1) })))
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodHead} {
				want := row.body
				if method == http.MethodHead {
					want = ""
				}
				checkAnswer(t, send(t, method, server+"/mcp"+row.query, row.header.Clone()), row.status, row.challenge, want)
			}
			if ran.Load() != 0 {
				t.Error("RPC-1: the handler ran")
			}
			if kept := w.log.logged(); len(kept) != 5 || !strings.Contains(kept[0], fmt.Sprintf("status=%d", row.status)) {
				t.Errorf("SEED-1: logged %v", kept)
			}
		})
	}
}

// TestProtectLog: a denial is logged with service, status and trace id (SEED-1).
func TestProtectLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	protected := w.Protect(rpctest.GuardedService, guarded)
	send(t, http.MethodGet, rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		protected.ServeHTTP(rw, r.WithContext(traced))
	})), bearer(tokenBad))
	kept := w.log.logged()
	if len(kept) != 1 {
		t.Fatalf("SEED-1: logged %v", kept)
	}
	for _, want := range []string{"WARN", "service=" + rpctest.GuardedService, "status=401", "trace_id=01000000000000000000000000000000", secret} {
		if !strings.Contains(kept[0], want) {
			t.Errorf("SEED-1: logged %s, without %s", kept[0], want)
		}
	}
}

// TestProtectAuthorizes: the handler runs, and finds the caller in the context.
func TestProtectAuthorizes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	guardedURL := rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, guarded))
	publicURL := rpctest.ServeHTTP(t, w.Protect(rpctest.PublicService, guarded))
	for _, row := range []struct {
		name, url, token, want string
	}{
		{"a good token", guardedURL, tokenGood, "hello from ada"},
		{"public", publicURL, "", "hello from anybody"},
		{"public, with a token that is not verified", publicURL, tokenBad, "hello from anybody"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := send(t, http.MethodPost, row.url+"/mcp", bearer(row.token)); got.status != http.StatusOK || got.body != row.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestDotSegments: routers disagree about what such a path names, so it is
// refused with any token. A public rule depends on no resource, so it allows any
// path.
func TestDotSegments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	for service, want := range map[string]string{rpctest.GuardedService: "HTTP/1.1 400 ", rpctest.PublicService: "HTTP/1.1 200 "} {
		address := strings.TrimPrefix(rpctest.ServeHTTP(t, w.Protect(service, guarded)), "http://")
		for _, path := range []string{"/mcp/../admin", "/./mcp", "/mcp/..", "/mcp/%2e%2e/admin"} {
			got := raw(t, address, "GET "+path+" HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer "+tokenGood+"\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s, %s: got %s", service, path, got)
			}
		}
	}
}

// TestIssuer: a token of an issuer that is not one of the resource is invalid,
// even if the verifier trusts that issuer (MCP-7).
func TestIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) {
		cfg.Resources[1].AuthorizationServers = []string{"https://other.example.com"}
	})
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, guarded))
	if got := send(t, http.MethodPost, server+"/", bearer(tokenGood)); got.status != http.StatusOK {
		t.Errorf("got %+v", got)
	}
	checkAnswer(t, send(t, http.MethodPost, server+"/mcp", bearer(tokenGood)), http.StatusUnauthorized,
		challengeFor(mcpMetadata, rpctest.GuardedService, "invalid_token", saysInvalidToken),
		body("invalid_token", saysInvalidToken, rpctest.GuardedService))
}

// TestOrigin: a browser may call from the origins of the resources and from those
// that are allowed, and from no other one whatever token it has (MCP-8). A
// preflight is never challenged (MCP-11).
func TestOrigin(t *testing.T) {
	t.Parallel()
	const allowed = "https://app.example.com"
	strict := newWorld(t, httpbridge.Config{})
	open := newWorld(t, httpbridge.Config{AllowedOrigins: []string{allowed}})
	for _, row := range []struct {
		name    string
		world   *world
		origin  []string
		admits  bool
		sharing string // Access-Control-Allow-Origin
	}{
		{"none", strict, nil, true, ""},
		{"own", strict, []string{resource}, true, ""},
		{"own, in upper case", strict, []string{"HTTPS://API.example.com"}, true, ""},
		{"own with the port", strict, []string{resource + ":443"}, false, ""},
		{"own without TLS", strict, []string{"http://api.example.com"}, false, ""},
		{"foreign", strict, []string{"https://evil.example.com"}, false, ""},
		{"one that begins like an own one", strict, []string{resource + ".evil.com"}, false, ""},
		{"allowed elsewhere", strict, []string{allowed}, false, ""},
		{"null", strict, []string{"null"}, false, ""},
		{"empty", strict, []string{""}, false, ""},
		{"two", strict, []string{resource, resource}, false, ""},
		{"allowed", open, []string{allowed}, true, allowed},
		{"allowed, null", open, []string{"null"}, false, ""},
		{"allowed, foreign", open, []string{"https://evil.example.com"}, false, ""},
		{"allowed, own", open, []string{resource}, true, ""},
		{"allowed, two", open, []string{allowed, "https://evil.example.com"}, false, allowed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := rpctest.ServeHTTP(t, row.world.Protect(rpctest.GuardedService, guarded))
			header := bearer(tokenGood)
			if row.origin != nil {
				header["Origin"] = row.origin
			}
			header["Host"] = []string{"evil.example.com"} // The claimed host does not count.
			got := send(t, http.MethodPost, server+"/mcp", header)
			want := answer{http.StatusOK, nil, "hello from ada"}
			if !row.admits {
				want = answer{http.StatusForbidden, nil, body("forbidden_origin", "requests from this origin are not allowed", rpctest.GuardedService)}
			}
			if got.status != want.status || got.body != want.body || got.header.Get("Www-Authenticate") != "" {
				t.Errorf("MCP-8: got %d %s %v", got.status, got.body, got.header)
			}
			if !row.admits && (got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != "application/json") {
				t.Errorf("MCP-8, SEED-9: got %v", got.header)
			}
			if sharing := got.header.Get("Access-Control-Allow-Origin"); sharing != row.sharing {
				t.Errorf("Access-Control-Allow-Origin is %q, want %q", sharing, row.sharing)
			}
			if row.origin == nil {
				return
			}
			got = send(t, http.MethodOptions, server+"/mcp", http.Header{"Origin": row.origin, "Access-Control-Request-Method": {http.MethodPost}})
			if got.header.Get("Www-Authenticate") != "" || got.status != http.StatusNoContent && got.status != http.StatusForbidden {
				t.Errorf("MCP-11: the preflight got %d %v", got.status, got.header)
			}
		})
	}
}

// TestForeignOriginIsLogged: a foreign origin is logged once, with any token and
// in any nesting of the bridge (SEED-1, MCP-8).
func TestForeignOriginIsLogged(t *testing.T) {
	t.Parallel()
	for name, nest := range map[string]func(w *world, guarded http.Handler) http.Handler{
		"Protect": func(w *world, guarded http.Handler) http.Handler { return w.Protect(rpctest.GuardedService, guarded) },
		"Protect in Handler": func(w *world, guarded http.Handler) http.Handler {
			return w.Handler(w.Protect(rpctest.GuardedService, guarded))
		},
		"Protect in Protect": func(w *world, guarded http.Handler) http.Handler {
			return w.Protect(rpctest.GuardedService, w.Protect(rpctest.GuardedService, guarded))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpbridge.Config{})
			server := rpctest.ServeHTTP(t, nest(w, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("MCP-8: the handler ran") })))
			for i, token := range []string{"", tokenGood, tokenBad} {
				header := bearer(token)
				header.Set("Origin", "https://evil.example.com")
				checkAnswer(t, send(t, http.MethodPost, server+"/mcp", header), http.StatusForbidden, "",
					body("forbidden_origin", "requests from this origin are not allowed", rpctest.GuardedService))
				kept := w.log.logged()
				if len(kept) != i+1 || !strings.Contains(kept[i], "reason=forbidden_origin") || !strings.Contains(kept[i], "status=403") || !strings.Contains(kept[i], "service="+rpctest.GuardedService) {
					t.Fatalf("SEED-1: logged %v", kept)
				}
			}
			if w.verifier.asked.Load() != 0 {
				t.Error("MCP-8: the verifier was called")
			}
		})
	}
}

// TestQueryToken: a token in the query, in any encoding that url.Query decodes, is
// a fault beside another credential (R6750-2.b).
func TestQueryToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, guarded))
	for query, want := range map[string]int{
		"?access_token=x":       http.StatusBadRequest,
		"?access_token":         http.StatusBadRequest,
		"?a=b&access_token=x":   http.StatusBadRequest,
		"?%61ccess_token=x":     http.StatusBadRequest,
		"?access%5Ftoken=x":     http.StatusBadRequest,
		"?a;access_token=x":     http.StatusOK, // url.Query drops a pair with a semicolon.
		"?xaccess_token=x":      http.StatusOK,
		"?a=access_token%3Dx":   http.StatusOK,
		"?access_token_type=x":  http.StatusOK,
		"?a=b#access_token=x":   http.StatusOK, // A fragment is never sent.
		"?access+token=x":       http.StatusOK,
		"?Access_Token=x":       http.StatusOK,
		"?access_token%5B%5D=x": http.StatusOK,
	} {
		if got := send(t, http.MethodGet, server+"/mcp"+query, bearer(tokenGood)); got.status != want {
			t.Errorf("R6750-2.b: %s: got %d, want %d", query, got.status, want)
		}
	}
}

// TestRouterAndResource: http.ServeMux and the Authorizer read every path in the
// same way. A token for https://h alone does not reach a handler of https://h/mcp,
// however the path is written (R8707-2, MCP-7, CVE-2021-29492,
// GHSA-p224-6x5r-fjpm).
func TestRouterAndResource(t *testing.T) {
	t.Parallel()
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, name) })
	}
	w := newWorld(t, httpbridge.Config{})
	each, whole := http.NewServeMux(), http.NewServeMux()
	for pattern, name := range map[string]string{"/": "root", "/mcp": "mcp", "/mcp/": "mcp"} {
		each.Handle(pattern, w.Protect(rpctest.GuardedService, named(name)))
		whole.Handle(pattern, named(name))
	}
	for nesting, handler := range map[string]http.Handler{
		"Protect in ServeMux": each,
		"ServeMux in Protect": w.Protect(rpctest.GuardedService, whole),
		"all in Handler":      w.Handler(each),
	} {
		address := strings.TrimPrefix(rpctest.ServeHTTP(t, handler), "http://")
		for _, row := range []struct {
			name, path string
			root, mcp  string // what the response to either token begins with
		}{
			{"the root", "/", "200 root", "401 wrong"},
			{"below the root", "/x%2Fy", "200 root", "401 wrong"},
			{"the other resource", "/mcp", "401 wrong", "200 mcp"},
			{"R8707-2: an escaped letter", "/%6dcp", "400", "400"},
			{"R8707-2: escaped letters", "/%6D%63%70", "400", "400"},
			{"R8707-2: an escaped letter, below", "/m%63p/x", "400", "400"},
			{"R8707-2: an escaped slash below", "/mcp/x%2Fy", "401 wrong", "200 mcp"},
			{"MCP-7: two slashes", "//mcp", "400 or 307", "400 or 307"},
			{"MCP-7: an escaped slash", "/mcp%2Fx", "400", "400"},
			{"MCP-7: an escaped slash before", "/%2Fmcp", "400", "400"},
			{"MCP-7: an escaped backslash and a dot segment", "/x%5C..", "400", "400"},
			{"GHSA-p224-6x5r-fjpm: a dot segment", "/x/../mcp", "400 or 307", "400 or 307"},
			{"GHSA-p224-6x5r-fjpm: an escaped dot segment", "/mcp/%2e%2e/admin", "400 or 307", "400 or 307"},
			{"GHSA-p224-6x5r-fjpm: a dot segment to the resource", "/x/%2e%2e/mcp", "400 or 307", "400 or 307"},
			{"GHSA-p224-6x5r-fjpm: a dot segment and an escaped slash", "/mcp/..%2fadmin", "400", "400"},
			{"GHSA-p224-6x5r-fjpm: a dot segment to the resource, with an escaped slash", "/x%2f..%2fmcp", "400", "400"},
		} {
			t.Run(nesting+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				for token, want := range map[string]string{tokenRoot: row.root, tokenMCP: row.mcp} {
					got := raw(t, address, "GET "+row.path+" HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer "+token+"\r\nConnection: close\r\n\r\n")
					status := strings.TrimPrefix(got, "HTTP/1.1 ")[:3]
					_, content, _ := strings.Cut(got, "\r\n\r\n")
					switch {
					case strings.HasPrefix(want, "200"):
						if status+" "+content != want {
							t.Errorf("%s: got %s, want %s", token, got, want)
						}
					case !strings.Contains(want, status) || strings.HasSuffix(content, "root") || strings.HasSuffix(content, "mcp"):
						t.Errorf("R8707-2: %s: got %s, want %s", token, got, want)
					case strings.HasSuffix(want, "wrong") && !strings.Contains(content, saysAudience):
						t.Errorf("R8707-2: %s: got %s", token, got)
					}
				}
			})
		}
	}
}

// TestNoResource: none of several resources covers the path (SEED-7).
func TestNoResource(t *testing.T) {
	t.Parallel()
	const service = rpctest.GuardedService
	w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) {
		cfg.Resources[0].Identifier = resource + "/other"
		cfg.Resources[0].Services = []string{service}
	})
	server := rpctest.ServeHTTP(t, w.Protect(service, guarded))
	first := strings.ReplaceAll(challengeFor(rootMetadata+"/other", service, "", ""), `, scope="guarded:write"`, "")
	for _, row := range []struct {
		name, token     string
		status          int
		challenge, body string
	}{
		{"SEED-7: no credentials", "", 401, first, "{}"},
		{"SEED-7: bad token", tokenBad, 401, first + fmt.Sprintf(", error=%q, error_description=%q", "invalid_token", saysInvalidToken), body("invalid_token", saysInvalidToken, service)},
		{"SEED-7: good token", tokenGood, 404, "", body("not_found", "no such service or method", service)},
		{"SEED-7: a token for another resource", tokenRoot, 404, "", body("not_found", "no such service or method", service)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			checkAnswer(t, send(t, http.MethodPost, server+"/nowhere", bearer(row.token)), row.status, row.challenge, row.body)
		})
	}
}

// TestBrowser: a page at an allowed origin may send the requests of RPC and MCP,
// and can read the challenge (MCP-11).
func TestBrowser(t *testing.T) {
	t.Parallel()
	const allowed = "https://app.example.com"
	w := newWorld(t, httpbridge.Config{AllowedOrigins: []string{allowed}})
	for name, handler := range map[string]http.Handler{
		"Protect":            w.Protect(rpctest.GuardedService, guarded),
		"Protect in Handler": w.Handler(w.Protect(rpctest.GuardedService, guarded)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := rpctest.ServeHTTP(t, handler)
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
				got := send(t, http.MethodOptions, server+"/mcp", http.Header{
					"Origin":                         {allowed},
					"Access-Control-Request-Method":  {method},
					"Access-Control-Request-Headers": {"authorization,content-type,mcp-protocol-version,mcp-session-id"},
				})
				if got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Origin") != allowed ||
					got.header.Get("Access-Control-Allow-Methods") != method ||
					!strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "mcp-session-id") {
					t.Errorf("MCP-11: preflight of %s: %d %v", method, got.status, got.header)
				}
			}
			for _, token := range []string{"", tokenBad, tokenRead} {
				header := bearer(token)
				header.Set("Origin", allowed)
				got := send(t, http.MethodPost, server+"/mcp", header)
				if values := got.header.Values("Access-Control-Allow-Origin"); len(values) != 1 || values[0] != allowed {
					t.Errorf("Access-Control-Allow-Origin is %q", values)
				}
				exposed := strings.ToLower(strings.Join(got.header.Values("Access-Control-Expose-Headers"), ","))
				if strings.Count(exposed, "www-authenticate") != 1 || !strings.Contains(exposed, "mcp-session-id") {
					t.Errorf("MCP-11: exposed is %q", exposed)
				}
			}
		})
	}
}

// TestOwnOriginReads: the challenge is exposed to a page at the origin of a
// resource, too (MCP-11).
func TestOwnOriginReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	got := send(t, http.MethodPost, rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, guarded)), http.Header{"Origin": {resource}})
	if exposed := got.header.Values("Access-Control-Expose-Headers"); len(exposed) != 1 || exposed[0] != "WWW-Authenticate" {
		t.Errorf("MCP-11: exposed is %q", exposed)
	}
}

// TestHostileHost: nothing of a made-up Host reaches the response (SEED-6,
// R9110-11.c).
func TestHostileHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) {
		cfg.Resources[1].Aliases = []string{"https://alias.example.com"}
	})
	address := strings.TrimPrefix(rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, guarded)), "http://")
	for _, host := range []string{
		"Host: evil.example.com", "Host: evil\", scope=\"x", "Host: evil\\\"", "Host: ev\xc3\xadl.example.com", "Host: evil\x00", "Host: evil%22",
		"Host: evil\r\n X: folded", "Host: evil\r\nX-Evil: 1", "Host: alias.example.com\r\nHost: evil", "Host: evil,alias.example.com",
		"Host: alias.example.com.", "Host: alias.example.com:443:evil", "Host: alias.example.com:evil", "Host: evil@alias.example.com",
		"Host: [::1", "Host: [evil]", "Host: [::1%25evil]", "Host: ::evil", "Host: :evil", "Host:", "Host: ", "X-Forwarded-Host: evil",
		"Host: alias.example.com/evil", "Host: alias.example.com#evil", "Host: " + strings.Repeat("evil.", 1000),
	} {
		for _, path := range []string{"/mcp", wellKnown + "/mcp"} {
			t.Run(fmt.Sprintf("%.40q%s", host, path), func(t *testing.T) {
				t.Parallel()
				got := raw(t, address, "GET "+path+" HTTP/1.1\r\n"+host+"\r\nConnection: close\r\n\r\n")
				if strings.Contains(strings.ToLower(got), "evil") {
					t.Errorf("SEED-6: got %s", got)
				}
				if !strings.HasPrefix(got, "HTTP/1.1 400 ") && !strings.Contains(got, `"https://api.example.com/`) {
					t.Errorf("SEED-6: neither refused nor of the resource: %s", got)
				}
			})
		}
	}
	// HTTP/1.0 has no Host.
	if got := raw(t, address, "GET /mcp HTTP/1.0\r\n\r\n"); !strings.Contains(got, `resource_metadata="`+mcpMetadata+`"`) {
		t.Errorf("SEED-6: got %s", got)
	}
}

// raw sends bytes and returns those of the response.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestOneDecision: nested guards with the same rule call the verifier once, and
// log once (SEED-1).
func TestOneDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, withService("outer", policy.Rule{Public: true}))
	var handlers rpctest.Handlers
	rpc := handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer()))
	same := w.Handler(w.Protect(rpctest.GuardedService, w.Handler(w.Protect(rpctest.GuardedService, rpc))))
	server := rpctest.ServeHTTP(t, same)
	header := bearer(tokenGood)
	message, err := rpctest.CallConnect(t.Context(), http.DefaultClient, server, rpctest.GuardedService, rpctest.Unary, header)
	if err != nil || message != "hello from ada" || w.verifier.asked.Load() != 1 {
		t.Errorf("got %q, %v; the verifier was called %d times", message, err, w.verifier.asked.Load())
	}
	checkAnswer(t, send(t, http.MethodPost, server+"/mcp", bearer(tokenBad)), http.StatusUnauthorized,
		challengeFor(mcpMetadata, rpctest.GuardedService, "invalid_token", saysInvalidToken),
		body("invalid_token", saysInvalidToken, rpctest.GuardedService))
	if w.verifier.asked.Load() != 2 || len(w.log.logged()) != 1 {
		t.Errorf("the verifier was called %d times; logged %v", w.verifier.asked.Load(), w.log.logged())
	}
	// Another rule is another decision: the inner one may refuse what the outer
	// one allows.
	differing := rpctest.ServeHTTP(t, w.Protect("outer", w.Protect(rpctest.GuardedService, guarded)))
	if got := send(t, http.MethodPost, differing+"/mcp", nil); got.status != http.StatusUnauthorized {
		t.Errorf("RPC-1: got %+v", got)
	}
}

// TestForgedContext: a decision of another Authorizer does not count.
func TestForgedContext(t *testing.T) {
	t.Parallel()
	theirs := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) { cfg.Verifier = anyone{} })
	ours := newWorld(t, httpbridge.Config{})
	server := rpctest.ServeHTTP(t, theirs.Protect(rpctest.GuardedService, ours.Protect(rpctest.GuardedService, guarded)))
	if got := send(t, http.MethodPost, server+"/mcp", bearer(tokenBad)); got.status != http.StatusUnauthorized {
		t.Errorf("MCP-7: got %+v", got)
	}
}

type anyone struct{}

func (anyone) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return &token.Info{Issuer: login, Subject: "anyone", Audience: []string{resource, mcpResource}, Scopes: []string{rpctest.ScopeAdmin}}, nil
}
