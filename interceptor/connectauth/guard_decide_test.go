package connectauth_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// nesting is a way to install an Authorizer more than once.
type nesting struct {
	name string
	wrap func(w *world, between func(http.Handler) http.Handler) http.Handler
}

var nestings = []nesting{
	{"a guard and an option", func(w *world, between func(http.Handler) http.Handler) http.Handler {
		return connectauth.Guard(w.Authorizer, between(w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer))))
	}},
	{"a guard and an interceptor", func(w *world, between func(http.Handler) http.Handler) http.Handler {
		return connectauth.Guard(w.Authorizer, between(w.Handlers.ConnectMux(interceptorOption(w.Authorizer))))
	}},
	{"two guards", func(w *world, between func(http.Handler) http.Handler) http.Handler {
		return connectauth.Guard(w.Authorizer, between(connectauth.Guard(w.Authorizer, w.Handlers.ConnectMux())))
	}},
}

// changed returns a middleware that changes each request between two decisions.
func changed(change func(*http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			change(r)
			next.ServeHTTP(w, r)
		})
	}
}

// TestGuardDecidesOnce: a decision about the same requirement, resource and
// credential stands, and any other request is decided again; both must allow
// (SEED-1, RPC-1).
func TestGuardDecidesOnce(t *testing.T) {
	t.Parallel()
	authorization := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	route := func(service, method string) func(*http.Request) {
		return func(r *http.Request) { r.URL.Path = rpctest.Procedure(service, method) }
	}
	for _, row := range []struct {
		name, token, host string
		change            func(*http.Request)
		want              connect.Code // 0 if let in
		asked, logged     int64
	}{
		{"nothing changes", tokenGood, "", func(*http.Request) {}, 0, 1, 0},
		{"refused further out", tokenRead, "", func(*http.Request) {}, connect.CodePermissionDenied, 1, 1},
		{"the same credential, written anew", tokenGood, "", authorization(strings.Clone("Bearer " + tokenGood)), 0, 1, 0},
		{"another credential", tokenGood, "", authorization("Bearer " + tokenRead), connect.CodePermissionDenied, 2, 1},
		{"the same token, written otherwise", tokenGood, "", authorization("bearer  " + tokenGood), 0, 2, 0},
		{"no credential", tokenGood, "", authorization(), connect.CodeUnauthenticated, 1, 1},
		{"two credentials", tokenGood, "", authorization("Bearer "+tokenGood, "Bearer "+tokenGood), connect.CodeInvalidArgument, 1, 1},
		{"another resource", tokenGood, "api.example.com", func(r *http.Request) { r.Host, r.Header["Host"] = "other.example.com", []string{"other.example.com"} }, connect.CodeUnauthenticated, 2, 1},
		{"another requirement, a public one", tokenGood, "", route(rpctest.PublicService, rpctest.Unary), 0, 1, 0},
		{"another requirement, without a rule", tokenGood, "", func(r *http.Request) { r.URL.Path += "x" }, connect.CodeUnimplemented, 2, 1},
	} {
		for _, nesting := range nestings {
			if nesting.name != "two guards" && strings.HasSuffix(row.name, "without a rule") {
				continue // A mux finds no handler.
			}
			t.Run(row.name+"/"+nesting.name, func(t *testing.T) {
				t.Parallel()
				for _, over := range protocols {
					w := newWorld(t, func(cfg *drawbridge.Config) {
						if row.host != "" {
							cfg.Resources = append(cfg.Resources, drawbridge.Resource{Identifier: "https://other.example.com", AuthorizationServers: []string{rpctest.Issuer}})
						}
					})
					server := rpctest.ServeHTTP(t, nesting.wrap(w, changed(row.change)))
					_, err := rpctest.CallConnect(t.Context(), hostClient{rpctest.H2C(t), row.host}, server, rpctest.GuardedService, rpctest.Unary, bearer(row.token), over.option)
					if err != nil && connect.CodeOf(err) != row.want || err == nil && row.want != 0 {
						t.Errorf("RPC-1: %s: got %v, want %v", over.name, err, row.want)
					}
					if w.Verifier.Asked.Load() != row.asked || w.Log.Logged.Load() != row.logged {
						t.Errorf("SEED-1: %s: the verifier was asked %d times, want %d; logged %d times, want %d",
							over.name, w.Verifier.Asked.Load(), row.asked, w.Log.Logged.Load(), row.logged)
					}
				}
			})
		}
	}
}

// uncomparable is a context that must not be compared.
type uncomparable struct {
	context.Context //nolint:containedctx // It is a context.

	values []string
}

// TestGuardWithForeignContext: the guard works with any context.
func TestGuardWithForeignContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inner := connectauth.Guard(w.Authorizer, w.Handlers.ConnectMux())
	server := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(rw, r.WithContext(uncomparable{r.Context(), nil}))
	})))
	if got := call(t, server, rpctest.GuardedService, rpctest.Unary, tokenGood); got.message != "hello from ada" {
		t.Errorf("got %+v", got)
	}
}

// TestGuardAfterExpiry: the decision of a guard does not stand once the token has
// expired (R9068-4.b).
func TestGuardAfterExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Verifier.Lifetime = -1
	server := rpctest.ServeHTTP(t, nestings[0].wrap(w, func(next http.Handler) http.Handler { return next }))
	if got := call(t, server, rpctest.GuardedService, rpctest.Unary, tokenGood); got.err != nil || w.Verifier.Asked.Load() != 2 {
		t.Errorf("the verifier was asked %d times: %+v", w.Verifier.Asked.Load(), got)
	}
}

// bind is a binding that passes on each request that it sees.
type bind struct{ seen chan token.Request }

func (b bind) CheckBinding(_ context.Context, _ *token.Info, req token.Request) error {
	b.seen <- req
	return nil
}

// boundInfo returns the facts of a token that is bound to a key.
func boundInfo(method string) token.Info {
	return token.Info{
		Issuer: rpctest.Issuer, Audience: []string{resource}, Scopes: []string{rpctest.ScopeWrite},
		Confirmation: map[string]any{method: "thumbprint"},
	}
}

// TestGuardSeesTheRequest: unlike an option of a handler, the guard sees method
// and URL, which proofs of possession are bound to (R9449-4.3).
func TestGuardSeesTheRequest(t *testing.T) {
	t.Parallel()
	binding := bind{make(chan token.Request, 1)}
	w := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Bindings = map[string]token.Binding{"jkt": binding}
		cfg.Verifier = &knownToken{boundInfo("jkt")}
	})
	mux := w.Handlers.ConnectMux(connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	server := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, mux))
	get := connect.WithClientOptions(connect.WithHTTPGet(), connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	for method, option := range map[string]connect.ClientOption{http.MethodGet: get, http.MethodPost: connect.WithGRPC()} {
		if got := call(t, server, rpctest.GuardedService, rpctest.Unary, tokenGood, option); got.err != nil {
			t.Fatal(got.err)
		}
		if seen := <-binding.seen; seen.Method != method || seen.URL != resource+guardedUnary || seen.Raw != tokenGood {
			t.Errorf("R9449-4.3: got %s %s", seen.Method, seen.URL)
		}
	}
}

// TestGuardUnderBridge: under a bridge a refusal stays in the protocol of the
// caller, with one challenge that a browser may read (MCP-11, RPC-4).
func TestGuardUnderBridge(t *testing.T) {
	t.Parallel()
	const origin = "https://app.example.com"
	w := newWorld(t)
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer, AllowedOrigins: []string{origin}})
	if err != nil {
		t.Fatal(err)
	}
	server := rpctest.ServeHTTP(t, bridge.Handler(connectauth.Guard(w.Authorizer, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))))
	for _, row := range refusals {
		each(t, func(t *testing.T, over protocol, method string) {
			header := http.Header{"Origin": {origin}}
			maps.Copy(header, bearer(row.token))
			spy := &responseSpy{RoundTripper: rpctest.H2C(t).Transport}
			_, err := rpctest.CallConnect(t.Context(), &http.Client{Transport: spy}, server, row.service, method, header, over.option)
			denial, ok := connectauth.FromError(err)
			if !ok || denial.Reason != row.reason {
				t.Fatalf("RPC-4: got %v", err)
			}
			_, leading := spy.seen()
			want := 0
			if row.reason.Challenges() {
				want = 1
			}
			if got := leading.Values("Www-Authenticate"); len(got) != want {
				t.Errorf("R9110-11.d: got %q", got)
			}
			exposed := strings.ToLower(strings.Join(leading.Values("Access-Control-Expose-Headers"), ","))
			if leading.Get("Access-Control-Allow-Origin") != origin || strings.Count(exposed, "www-authenticate") != 1 {
				t.Errorf("MCP-11: exposes %q to %q", exposed, leading.Get("Access-Control-Allow-Origin"))
			}
		})
	}
	t.Run("let in", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, over protocol, method string) {
			if got := call(t, server, rpctest.GuardedService, method, tokenGood, over.option); got.message != "hello from ada" {
				t.Errorf("got %+v", got)
			}
		})
	})
}

// TestGuardUnderBridgeOfOtherOrigins: with no CORS of the bridge, a refusal still
// exposes its challenge to a page, whichever rule on the way refuses (MCP-11).
func TestGuardUnderBridgeOfOtherOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer})
	if err != nil {
		t.Fatal(err)
	}
	handler := bridge.Handler(connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot)))
	for _, path := range []string{guardedUnary, "/x" + guardedUnary, guardedUnary + publicUnary, guardedUnary + "/x" + publicUnary, "//" + guardedUnary, guardedUnary + "/"} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			res := serve(handler, newHTTPRequest(t, method, path, "Content-Type", "application/json", "Origin", "https://elsewhere.example.com"))
			if res.Code/100 != 4 || !slices.Equal(res.Header()["Access-Control-Expose-Headers"], []string{"WWW-Authenticate"}) || len(res.Header()["Www-Authenticate"]) != 1 {
				t.Errorf("MCP-11: %s %s: got %d %v", method, path, res.Code, res.Header())
			}
		}
	}
}

// TestGuardUnderBridgeRelays: a denial of a backend that a handler behind the
// guard calls becomes the response of the bridge (RPC-3).
func TestGuardUnderBridgeRelays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	backend := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, w.Handlers.ConnectMux()))
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer})
	if err != nil {
		t.Fatal(err)
	}
	plain := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := rpctest.CallConnect(r.Context(), rpctest.H2C(t), backend, rpctest.GuardedService, rpctest.Unary,
			bearer(tokenRead), connect.WithInterceptors(connectauth.NewRelayInterceptor(connectauth.RelayConfig{})))
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
		}
	})
	res := serve(bridge.Handler(connectauth.Guard(w.Authorizer, plain)), newHTTPRequest(t, http.MethodPost, "/mcp", "Content-Type", "application/json"))
	if res.Code != challenge.ReasonInsufficientScope.HTTPStatus() || len(res.Header()["Www-Authenticate"]) != 1 {
		t.Errorf("MCP-2: got %d %v", res.Code, res.Header())
	}
}

// TestGuardOfOneMountAmongOthers: the option does not see the URL, and without the
// guard's help it would find no resource for the path of the procedure.
func TestGuardOfOneMountAmongOthers(t *testing.T) {
	t.Parallel()
	for _, nesting := range nestings[:2] {
		w := newWorld(t, func(cfg *drawbridge.Config) {
			cfg.Resources[0].Audiences = []string{resource}
			cfg.Resources[0].Identifier = resource + "/api"
			cfg.Resources[0].Services = []string{rpctest.GuardedService}
			cfg.Resources = append(cfg.Resources, drawbridge.Resource{Identifier: resource + "/mcp", AuthorizationServers: []string{rpctest.Issuer}})
		})
		server := rpctest.ServeHTTP(t, nesting.wrap(w, func(next http.Handler) http.Handler { return http.StripPrefix("/api", next) }))
		for _, over := range protocols {
			for _, method := range rpctest.Kinds {
				before := w.Verifier.Asked.Load()
				got := call(t, server+"/api", rpctest.GuardedService, method, tokenGood, over.option)
				if got.err != nil || w.Verifier.Asked.Load() != before+1 {
					t.Errorf("%s: RPC-1: %s, %s: got %+v, %d decisions", nesting.name, over.name, method, got, w.Verifier.Asked.Load()-before)
				}
			}
		}
	}
}
