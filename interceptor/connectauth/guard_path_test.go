package connectauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"connectrpc.com/connect"
	_ "google.golang.org/grpc/health/grpc_health_v1" // A descriptor without a rule.

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

var (
	guardedUnary = rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	publicUnary  = rpctest.Procedure(rpctest.PublicService, rpctest.Unary)
	nowhereUnary = rpctest.Procedure(rpctest.NowhereService, rpctest.Unary)
)

const untouched = http.StatusTeapot

// teapot answers every request that reaches it, whatever its path.
func teapot(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(untouched) }

// newHTTPRequest returns a request with a path as it is sent, and header fields in pairs.
func newHTTPRequest(tb testing.TB, method, target string, header ...string) *http.Request {
	tb.Helper()
	path, query, _ := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		tb.Fatal(err)
	}
	req := httptest.NewRequest(method, "/", http.NoBody)
	req.URL = &url.URL{Path: decoded, RawQuery: query}
	if req.URL.EscapedPath() != path {
		req.URL.RawPath = path
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

func serve(handler http.Handler, req *http.Request) *httptest.ResponseRecorder {
	res := httptest.NewRecorder()
	handler.ServeHTTP(res, req)
	return res
}

// TestGuardMatches: which requests are decided, at a server whose every handler
// answers any path.
func TestGuardMatches(t *testing.T) {
	t.Parallel()
	const contentType, jsonType = "Content-Type", "application/json"
	w := newWorld(t)
	guarded := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for _, row := range []struct {
		name, method, path string
		header             []string
		want               int
	}{
		{"RPC-1: Connect", "POST", guardedUnary, []string{contentType, "application/proto"}, 401},
		{"RPC-1: JSON", "POST", guardedUnary, []string{contentType, jsonType}, 401},
		{"RPC-1: a text", "POST", guardedUnary, []string{contentType, "text/plain"}, 401},
		{"RPC-1: no content type", "POST", guardedUnary, nil, 401},
		{"RPC-1: an empty content type", "POST", guardedUnary, []string{contentType, ""}, 401},
		{"RPC-1: GET", "GET", guardedUnary, nil, 401},
		{"RPC-1: GET of Connect", "GET", guardedUnary + "?connect=v1&encoding=json&message=%22%22", nil, 401},
		{"RPC-1: HEAD", "HEAD", guardedUnary, nil, 401},
		{"RPC-1: PUT", "PUT", guardedUnary, []string{contentType, "application/grpc"}, 401},
		{"RPC-1: DELETE", "DELETE", guardedUnary, nil, 401},
		{"RPC-1: CONNECT", "CONNECT", guardedUnary, nil, 401},
		{"RPC-1: a method of one's own", "BREW", guardedUnary, nil, 401},
		{"RPC-1: OPTIONS that is no preflight", "OPTIONS", guardedUnary, nil, 401},
		{"RPC-6: a method that does not exist", "POST", "/" + rpctest.GuardedService + "/Missing", nil, 401},
		{"RPC-6: a method in lower case", "POST", "/" + rpctest.GuardedService + "/unary", []string{contentType, jsonType}, 401},
		{"RPC-6: a linked service without a rule", "POST", "/grpc.health.v1.Health/Check", []string{contentType, jsonType}, 401},
		{"RPC-6: an unknown service, Connect", "POST", nowhereUnary, []string{contentType, "application/proto"}, 401},
		{"RPC-6: an unknown service, a stream", "POST", nowhereUnary, []string{contentType, "application/connect+json"}, 200},
		{"RPC-6: an unknown service, gRPC", "POST", nowhereUnary, []string{contentType, "application/grpc"}, 200},
		{"RPC-6: an unknown service, gRPC by PUT", "PUT", nowhereUnary, []string{contentType, "application/grpc"}, 401},
		{"RPC-6: an unknown service, gRPC-Web", "POST", nowhereUnary, []string{contentType, "application/grpc-web+proto"}, 200},
		{"RPC-6: an unknown service, gRPC-Web as text", "POST", nowhereUnary, []string{contentType, "application/grpc-web-text"}, 401},
		{"RPC-6: an unknown service, gRPC in capitals", "POST", nowhereUnary, []string{contentType, "Application/GRPC; x=y"}, 401},
		{"RPC-6: an unknown service, JSON with a version", "POST", nowhereUnary, []string{contentType, jsonType, "Connect-Protocol-Version", "1"}, 401},
		{"RPC-6: an unknown service, JSON with an empty version", "POST", nowhereUnary, []string{contentType, jsonType, "Connect-Protocol-Version", ""}, 401},
		{"RPC-6: an unknown service, GET of Connect", "GET", nowhereUnary + "?encoding=json&connect=v1", nil, 401},
		{"RPC-6: gRPC for a path of one segment", "POST", "/mcp", []string{contentType, "application/grpc"}, 200},
		{"RPC-6: gRPC for the root", "POST", "/", []string{contentType, "application/grpc"}, 200},
		{"RPC-6: gRPC without a path", "POST", "", []string{contentType, "application/grpc"}, 200},
		{"RPC-5: gRPC for a longer path", "POST", "/x" + publicUnary, []string{contentType, "application/grpc"}, 200},
		{"RPC-5: Connect for a longer path", "POST", "/x" + publicUnary, []string{contentType, "application/proto"}, 401},
		{"a public rule", "POST", publicUnary, []string{contentType, jsonType}, untouched},
		{"a public rule, GET", "GET", publicUnary, nil, untouched},
		{"RPC-6: an unknown service, JSON", "POST", nowhereUnary, []string{contentType, jsonType}, 401},
		{"RPC-6: an unknown service, JSON with a parameter", "POST", nowhereUnary, []string{contentType, jsonType + "; charset=utf-8"}, 401},
		{"RPC-6: an unknown service, another codec", "POST", nowhereUnary, []string{contentType, "Application/CBOR"}, 401},
		{"RPC-6: an unknown service, GET without a version", "GET", nowhereUnary + "?encoding=json&message=%22%22", nil, 401},
		{"an unknown service, a text", "POST", nowhereUnary, []string{contentType, "text/plain"}, untouched},
		{"an unknown service, PUT", "PUT", nowhereUnary, []string{contentType, jsonType}, untouched},
		{"an unknown service, GET of a page", "GET", nowhereUnary + "?message=hello", nil, untouched},
		{"JSON of another API", "POST", "/login/now", []string{contentType, jsonType}, untouched},
		{"JSON of another API with a version", "POST", "/api/v1.2/login", []string{contentType, jsonType}, untouched},
		{"an unknown service, GET of another Connect", "GET", nowhereUnary + "?connect=v2", nil, untouched},
		{"an unknown service, POST with a query", "POST", nowhereUnary + "?connect=v1&encoding=json&message=1", nil, untouched},
		{"the root", "GET", "/", nil, untouched},
		{"metrics", "GET", "/metrics", nil, untouched},
		{"MCP-2: an MCP endpoint", "POST", "/mcp", []string{contentType, jsonType}, untouched},
		{"MCP-2: an MCP endpoint's stream", "GET", "/mcp", []string{"Accept", "text/event-stream"}, untouched},
		{"MCP-1: metadata", "GET", "/.well-known/oauth-protected-resource/mcp", nil, untouched},
		{"a form of JSON", "POST", "/login", []string{contentType, jsonType}, untouched},
		{"the server as a whole", "OPTIONS", "*", nil, untouched},
		{"a file", "GET", "/static/js/app.js", nil, untouched},
		{"a page that is called like a service", "GET", "/" + rpctest.GuardedService, nil, untouched},
		{"MCP-11: a preflight", "OPTIONS", guardedUnary, []string{"Access-Control-Request-Method", "POST", "Origin", "https://app.example.com"}, untouched},
		{"MCP-11: a preflight of an unknown service", "OPTIONS", nowhereUnary, []string{"Access-Control-Request-Method", "GET"}, untouched},
		{"MCP-11: no preflight, though it has the field", "POST", guardedUnary, []string{"Access-Control-Request-Method", "POST"}, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			res := serve(guarded, newHTTPRequest(t, row.method, row.path, row.header...))
			if res.Code != row.want {
				t.Errorf("got %d %s, want %d", res.Code, res.Body, row.want)
			}
			if challenged := len(res.Header()["Www-Authenticate"]) == 1; challenged != (row.want != untouched) {
				t.Errorf("R9110-11.d: the challenge is %q", res.Header()["Www-Authenticate"])
			}
		})
	}
}

// TestGuardLetsNoPathInBy: whatever a lenient router makes of a path, nothing
// reaches the handler of a guarded procedure without the rule (RPC-5).
func TestGuardLetsNoPathInBy(t *testing.T) {
	t.Parallel()
	const service, method = rpctest.GuardedService, rpctest.Unary
	paths := []string{
		guardedUnary, "/" + guardedUnary, "//" + guardedUnary, "/" + service + "//" + method, guardedUnary + "/", guardedUnary + "//",
		"/" + service + "%2F" + method, "/" + service + "%2f" + method, "%2F" + service + "/" + method, "/%2F" + service + "/" + method,
		"/./" + service + "/" + method, "/" + service + "/./" + method, guardedUnary + "/.", "/x/.." + guardedUnary, guardedUnary + "/x/..",
		"/" + service + "/x/../" + method, "/%2e" + guardedUnary, "/x/%2e%2e" + guardedUnary, "/x%2F..%2F" + service + "/" + method,
		`/` + service + `\` + method, `\` + service + `\` + method, `/x\..` + guardedUnary, "/" + service + "%5C" + method,
		"/drawbridge%2Etest.v1.GuardedService/" + method, "/x" + guardedUnary, "/x/y" + guardedUnary, publicUnary + guardedUnary,
		"/x//" + guardedUnary + "/", publicUnary + "/.." + guardedUnary, guardedUnary + publicUnary + "/../..",
	}
	w := newWorld(t)
	for name, lenient := range map[string]func(string) string{
		"as it is": func(path string) string { return path },
		"cleaned":  cleanPath,
		"the last two segments": func(path string) string {
			segments := strings.Split(cleanPath(path), "/")
			return "/" + strings.Join(segments[max(0, len(segments)-2):], "/")
		},
	} {
		reached := 0
		mux := w.Handlers.ConnectMux()
		guarded := connectauth.Guard(w.Authorizer, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			r.URL = &url.URL{Path: lenient(r.URL.Path)}
			if r.URL.Path == guardedUnary {
				reached++
			}
			mux.ServeHTTP(rw, r)
		}))
		for _, path := range paths {
			for _, contentType := range []string{"application/json", "application/proto", "application/grpc", "text/plain", ""} {
				for _, token := range []string{"", tokenBad, tokenRead} {
					header := []string{"Content-Type", contentType}
					if token != "" {
						header = append(header, "Authorization", "Bearer "+token)
					}
					for _, method := range []string{http.MethodPost, http.MethodGet} {
						serve(guarded, newHTTPRequest(t, method, path, header...))
						if reached != 0 {
							t.Errorf("RPC-5: %s, token %q, routed %s: %s %s was let in", contentType, token, name, method, path)
							reached = 0
						}
					}
				}
			}
		}
	}
}

// cleanPath cleans a path as lenient routers do.
func cleanPath(path string) string {
	var kept []string
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		switch {
		case segment == ".":
		case segment != "..":
			kept = append(kept, segment)
		case len(kept) > 0:
			kept = kept[:len(kept)-1]
		}
	}
	return "/" + strings.Join(kept, "/")
}

// TestGuardOnTheWay: a longer path that ends in a known procedure is refused by
// the rules on the way, all of which are asked, and let in by none of them: an
// option further in decides (RPC-5).
func TestGuardOnTheWay(t *testing.T) {
	t.Parallel()
	strict := func(cfg *drawbridge.Config) {
		cfg.Policy.Services["open.v1.Open"] = policy.Service{Rule: policy.Rule{Authenticated: true}, NoDescriptor: true}
		cfg.Policy.Services[rpctest.GuardedService] = policy.Service{
			Rule:    policy.Rule{Scopes: []string{rpctest.ScopeWrite}},
			Methods: map[string]policy.Rule{rpctest.Client: {Scopes: []string{rpctest.ScopeAdmin}}, rpctest.Server: {Authenticated: true}},
		}
	}
	guardedClient := rpctest.Procedure(rpctest.GuardedService, rpctest.Client)
	guardedServer := rpctest.Procedure(rpctest.GuardedService, rpctest.Server)
	many := strings.Repeat(publicUnary, 3)
	var crowd strings.Builder
	for _, method := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
		crowd.WriteString(rpctest.Procedure("open.v1.Open", method))
	}
	for _, row := range []struct {
		name, path, token string
		want, gate        int // of a handler without and with an option
		asked             int64
	}{
		{"no token", "/x" + guardedUnary, "", 401, 401, 0},
		{"a bad token", "/x" + guardedUnary, tokenBad, 401, 401, 1},
		{"no scope", "/x" + guardedUnary, tokenRead, 403, 403, 1},
		{"a good token", "/x" + guardedUnary, tokenGood, untouched, untouched, 1},
		{"public does not count", "/x" + publicUnary, "", untouched, 401, 0},
		{"public does not count, with a token", "/x" + publicUnary, tokenGood, untouched, untouched, 0},
		{"a weaker rule does not count", "/x" + guardedServer, tokenRead, untouched, 403, 1},
		{"a stricter rule before", guardedClient + "/x" + publicUnary, tokenGood, 403, 403, 1},
		{"a stricter rule right before", guardedClient + publicUnary, tokenGood, 403, 403, 1},
		{"a stricter rule behind", publicUnary + guardedClient, tokenGood, 403, 403, 1},
		{"all rules are met", guardedServer + "/x" + guardedUnary + publicUnary, tokenGood, untouched, untouched, 2},
		{"one rule is asked once", guardedUnary + guardedUnary + guardedUnary, tokenGood, untouched, untouched, 1},
		{"many of one", many, "", untouched, 401, 0},
		{"RPC-8: no rule", "/x/" + rpctest.GuardedService + "/Missing", tokenGood, 501, 501, 1},
		{"eight rules", crowd.String(), tokenRead, untouched, 403, 8},
		{"more rules than are asked", crowd.String() + publicUnary, tokenGood, 501, 501, 1},
		{"more rules than are asked, no token", strings.Repeat(crowd.String(), 60) + publicUnary, "", 401, 401, 0},
		{"an unknown service at the end", "/x" + guardedUnary + nowhereUnary, "", untouched, 401, 0},
		{"something else at the end", "/x" + guardedUnary + "/readme", "", untouched, 401, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, gated := range []bool{false, true} {
				w := newWorld(t, strict)
				inner, want := http.Handler(http.HandlerFunc(teapot)), row.want
				if gated {
					// It serves the guarded procedure, whatever the path.
					inner, want = connect.NewUnaryHandler(guardedUnary, teapotRPC, connectauth.WithAuthorizer(w.Authorizer)), row.gate
				}
				header := []string{"Content-Type", "application/json"}
				if row.token != "" {
					header = append(header, "Authorization", "Bearer "+row.token)
				}
				res := serve(connectauth.Guard(w.Authorizer, inner), newHTTPRequest(t, http.MethodPost, row.path, header...))
				if gated && want == untouched {
					want = http.StatusBadRequest // The message is not one.
				}
				if res.Code != want {
					t.Errorf("RPC-5: with an option %t: got %d %s, want %d", gated, res.Code, res.Body, want)
				}
				if asked := w.Verifier.Asked.Load(); !gated && asked != row.asked {
					t.Errorf("the verifier was asked %d times, want %d", asked, row.asked)
				}
				if denied := row.want != untouched; !gated && w.Log.Logged.Load() != one(denied) {
					t.Errorf("SEED-1: logged %d times", w.Log.Logged.Load())
				}
			}
		})
	}
}

// TestGuardOfLongPaths: a path of up to 8 KiB is decided with little work, and a
// longer one is refused before anything walks it (RPC-5).
func TestGuardOfLongPaths(t *testing.T) {
	t.Parallel()
	const longest, megabyte = 8 << 10, 1 << 20
	w := newWorld(t)
	guarded := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for _, row := range []struct {
		name, path string
		want       int
	}{
		{"letters", "/" + strings.Repeat("a", megabyte), 414},
		{"segments", strings.Repeat("/a", megabyte/2), 414},
		{"dots", strings.Repeat("/.", megabyte/2) + guardedUnary, 414},
		{"slashes at the end", guardedUnary + strings.Repeat("/", megabyte), 414},
		{"backslashes", strings.Repeat(`\x`, megabyte/2), 414},
		{"public services", strings.Repeat(publicUnary, megabyte/len(publicUnary)), 414},
		{"one byte too many", "/" + strings.Repeat("a", longest), 414},
		{"one escape too many", "/%61" + strings.Repeat("a", longest-3), 414},
		{"the longest", "/" + strings.Repeat("a", longest-1), untouched},
		{"a few slashes", strings.Repeat("/", 1000), untouched},
		{"the longest of slashes", strings.Repeat("/", longest), 401},
		{"the longest of segments", strings.Repeat("/a", longest/2), untouched},
		{"the longest of a procedure", strings.Repeat("/", longest-len(guardedUnary)) + guardedUnary, 401},
		{"the longest that is cleaned", guardedUnary + strings.Repeat("/", longest-len(guardedUnary)), 401},
		{"the longest of dots", strings.Repeat("/.", 4000) + guardedUnary, 400},
		{"a few public services", strings.Repeat(publicUnary, 32), untouched},
		{"a few more public services", strings.Repeat(publicUnary, 33), 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			req := newHTTPRequest(t, http.MethodPost, row.path, "Content-Type", "application/json")
			if res := serve(guarded, req); res.Code != row.want {
				t.Errorf("RPC-5: got %d, want %d", res.Code, row.want)
			}
		})
	}
}

// TestGuardBehindStripPrefix: a handler without an option below a prefix gets a
// request only if the rule allows it, and finds no caller that the guard would
// have let in by the end of the path (RPC-5).
func TestGuardBehindStripPrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mux := http.NewServeMux()
	mux.Handle("/v2/", http.StripPrefix("/v2", w.Handlers.ConnectMux()))
	server := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, mux))
	for _, row := range []struct {
		procedure, token string
		want             int
		body             string
	}{
		{guardedUnary, "", 401, "unauthenticated"},
		{guardedUnary, tokenBad, 401, "unauthenticated"},
		{guardedUnary, tokenRead, 403, "permission_denied"},
		{guardedUnary, tokenGood, 200, "hello from anybody"},
		{publicUnary, "", 200, "hello from anybody"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/v2"+row.procedure, strings.NewReader(`"hello"`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = bearer(row.token)
		if req.Header == nil {
			req.Header = make(http.Header)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := rpctest.H2C(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != row.want || !strings.Contains(string(body), row.body) {
			t.Errorf("RPC-5: %s with token %q: got %d %s, want %d", row.procedure, row.token, res.StatusCode, body, row.want)
		}
	}
	// An RPC of a service that no rule names, and that the path says it is.
	for _, over := range protocols {
		if got := call(t, server+"/v2", rpctest.PublicService, rpctest.Unary, tokenGood, over.option); got.code() != connect.CodeUnimplemented || len(challenges(t, got.err)) != 1 {
			t.Errorf("RPC-6: %s: got %+v", over.name, got)
		}
	}
}

// TestGuardOfMount: below the path of its resource, a path is a procedure
// (SEED-5).
func TestGuardOfMount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *drawbridge.Config) { cfg.Resources[0].Identifier = resource + "/api" })
	verified := w.Verifier.Asked.Load
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", w.Handlers.ConnectMux()))
	mux.Handle("/", w.Handlers.ConnectMux())
	server := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, mux))
	const document = resource + "/.well-known/oauth-protected-resource/api"
	for _, over := range protocols {
		for _, method := range rpctest.Kinds {
			for _, mount := range []string{"/api", ""} {
				got := call(t, server+mount, rpctest.GuardedService, method, "", over.option)
				if got.err == nil || challenges(t, got.err)[0].GetResourceMetadata() != document || challenges(t, got.err)[0].GetRealm() != rpctest.GuardedService {
					t.Errorf("SEED-5: %s, %s%s: got %+v", over.name, mount, method, got.err)
				}
				if got := call(t, server+mount, rpctest.PublicService, method, "", over.option); got.message != "hello from anybody" {
					t.Errorf("%s, %s%s: got %+v", over.name, mount, method, got)
				}
			}
			// A token for another resource than the mounted one.
			before := verified()
			if got := call(t, server+"/api", rpctest.GuardedService, method, tokenGood, over.option); got.code() != connect.CodeUnauthenticated || verified() != before+1 {
				t.Errorf("R8707-2: %s, %s: got %+v", over.name, method, got)
			}
		}
	}
	for path, want := range map[string]int{"/apix" + publicUnary: 401, "/api/x" + publicUnary: 401, "/api": 401, "/api/": 401, "/apix": 401} {
		res := serve(connectauth.Guard(w.Authorizer, mux), newHTTPRequest(t, http.MethodPost, path, "Content-Type", "application/proto"))
		if res.Code != want {
			t.Errorf("RPC-6: %s: got %d, want %d", path, res.Code, want)
		}
	}
}
