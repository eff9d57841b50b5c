package authzen_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// guarded returns what guards the unary method with a question about its message, which is
// always "hello".
func guarded(tb testing.TB, point *authzen.DecisionPoint) *rpctest.World {
	tb.Helper()
	return rpctest.NewWorld(tb, func(cfg *drawbridge.Config) { askAbout(cfg, point, 0) })
}

// askAbout sets the rule of the unary method.
func askAbout(cfg *drawbridge.Config, point *authzen.DecisionPoint, cacheFor time.Duration) {
	cfg.Compiler.Questions = point
	service := cfg.Policy.Services[rpctest.GuardedService]
	service.Methods = map[string]policy.Rule{rpctest.Unary: {Scopes: []string{rpctest.ScopeWrite}, Question: &policy.Question{
		Subject:  policy.Entity{Type: "user", ID: "token.sub"},
		Resource: policy.Entity{Type: "greeting", ID: "request.value"}, CacheFor: cacheFor,
	}}}
	cfg.Policy.Services[rpctest.GuardedService] = service
}

// A caller calls the unary method of a World over one protocol.
type caller struct {
	name  string
	start func(tb testing.TB, w *rpctest.World) func(raw string) (connect.Code, http.Header)
}

func callers() []caller {
	over := func(options ...connect.ClientOption) func(tb testing.TB, w *rpctest.World) func(string) (connect.Code, http.Header) {
		return func(tb testing.TB, w *rpctest.World) func(string) (connect.Code, http.Header) {
			tb.Helper()
			bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer})
			if err != nil {
				tb.Fatal(err)
			}
			client, url := rpctest.H2C(tb), rpctest.ServeHTTP(tb, bridge.Handler(w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer))))
			return func(raw string) (connect.Code, http.Header) {
				_, err := rpctest.CallConnect(tb.Context(), client, url, rpctest.GuardedService, rpctest.Unary, http.Header{"Authorization": {"Bearer " + raw}}, options...)
				denied, ok := errors.AsType[*connect.Error](err)
				if !ok {
					return 0, nil
				}
				return denied.Code(), denied.Meta()
			}
		}
	}
	return []caller{
		{"Connect", over()},
		{"gRPC-Web", over(connect.WithGRPCWeb())},
		{"grpc-go", func(tb testing.TB, w *rpctest.World) func(string) (connect.Code, http.Header) {
			tb.Helper()
			conn := rpctest.DialGRPC(tb, rpctest.ServeGRPC(tb, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...)))
			return func(raw string) (connect.Code, http.Header) {
				ctx := metadata.AppendToOutgoingContext(tb.Context(), "authorization", "Bearer "+raw)
				_, err := rpctest.CallGRPC(ctx, conn, rpctest.GuardedService, rpctest.Unary)
				return connect.Code(status.Code(err)), nil
			}
		}},
	}
}

// TestServers: what a caller gets, over real servers.
func TestServers(t *testing.T) {
	t.Parallel()
	for _, caller := range callers() {
		t.Run(caller.name, func(t *testing.T) {
			t.Parallel()
			p := newPDP(t)
			w := guarded(t, newPoint(t, p))
			call := caller.start(t, w)
			for _, tt := range []struct {
				name, raw string
				answer    http.HandlerFunc
				want      connect.Code
				asked     int64
			}{
				{"allowed", rpctest.TokenGood, nil, 0, 1},
				{"denied", rpctest.TokenGood, saysJSON(`{"decision":false}`), connect.CodePermissionDenied, 1},
				{"down", rpctest.TokenGood, says(500, "text/plain", ""), connect.CodeUnavailable, 1},
				{"our credentials", rpctest.TokenGood, says(401, "text/plain", ""), connect.CodeUnavailable, 1},
				{"too few scopes", rpctest.TokenRead, nil, connect.CodePermissionDenied, 0},
				{"a bad token", rpctest.TokenBad, nil, connect.CodeUnauthenticated, 0},
			} {
				p.answer(tt.answer)
				ran, asked := w.Handlers.Ran(), p.requests.Load()
				got, header := call(tt.raw)
				if got != tt.want || (w.Handlers.Ran() > ran) != (tt.want == 0) || p.requests.Load()-asked != tt.asked {
					t.Errorf("%s: got %v, %d calls and %d questions", tt.name, got, w.Handlers.Ran()-ran, p.requests.Load()-asked)
				}
				if challenge := header.Get("WWW-Authenticate"); tt.asked == 1 && challenge != "" {
					t.Errorf("%s: no token mends it, got %q", tt.name, challenge)
				}
			}
		})
	}
}

// TestHTTPStatus: a denial is 403, an outage is 503.
func TestHTTPStatus(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	w := guarded(t, newPoint(t, p))
	url := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))
	for _, tt := range []struct {
		body string
		want int
	}{{`{"decision":true}`, 200}, {`{"decision":false}`, 403}, {`{"decision":1}`, 503}} {
		p.answer(saysJSON(tt.body))
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url+rpctest.Procedure(rpctest.GuardedService, rpctest.Unary), strings.NewReader(`"hello"`))
		request.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + rpctest.TokenGood}}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != tt.want || response.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: got %s with %q", tt.body, response.Status, response.Header.Get("WWW-Authenticate"))
		}
	}
}

// TestNoneAllowedWhileDown: a thousand calls while the policy decision point goes up and down.
// As many are allowed as it allowed, and none while it is down.
func TestNoneAllowedWhileDown(t *testing.T) {
	t.Parallel()
	for _, caller := range callers() {
		t.Run(caller.name, func(t *testing.T) {
			t.Parallel()
			p := newPDP(t)
			w := guarded(t, newPoint(t, p, func(c *authzen.Config) { c.Timeout = 10 * time.Second }))
			call := caller.start(t, w)
			const phases, workers = 10, 4
			each := 25
			if caller.name != "Connect" {
				each = 5
			}
			for phase := range phases {
				isUp := phase%2 == 0
				var allowed, wrong atomic.Int64
				var all sync.WaitGroup
				for range workers {
					all.Go(func() {
						for range each {
							switch got, _ := call(rpctest.TokenGood); {
							case got == 0:
								allowed.Add(1)
							case got != connect.CodeUnavailable || isUp:
								wrong.Add(1)
							}
						}
					})
				}
				all.Wait()
				if isUp && allowed.Load() != int64(workers*each) || !isUp && allowed.Load() != 0 || wrong.Load() > 0 {
					t.Errorf("phase %d: %d were allowed, %d ended otherwise", phase, allowed.Load(), wrong.Load())
				}
				p.turn(!isUp)
			}
			if ran, asked := w.Handlers.Ran(), int(p.asked.Load()); ran != asked || ran != phases/2*workers*each {
				t.Errorf("%d handlers ran, and %d questions were answered", ran, asked)
			}
		})
	}
}

// TestNoneAllowedWithoutAnswer: the same while calls are on their way. A call that is allowed
// has an answer of its own.
func TestNoneAllowedWithoutAnswer(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	var granted atomic.Int64
	p.decide = func(question) bool { granted.Add(1); return true }
	w := guarded(t, newPoint(t, p, func(c *authzen.Config) { c.Timeout = 10 * time.Second }))
	call := callers()[0].start(t, w)
	var all sync.WaitGroup
	var calls, allowed atomic.Int64
	for range 4 {
		all.Go(func() {
			for range 250 {
				got, _ := call(rpctest.TokenGood)
				switch got {
				case 0:
					allowed.Add(1)
				case connect.CodeUnavailable:
				default:
					t.Errorf("got %v", got)
				}
				if n := calls.Add(1); n%20 == 0 {
					p.turn(n%40 == 0)
				}
			}
		})
	}
	all.Wait()
	if ran := int64(w.Handlers.Ran()); ran != allowed.Load() || ran > granted.Load() {
		t.Errorf("%d were allowed, %d handlers ran, %d questions were granted", allowed.Load(), ran, granted.Load())
	}
}

// TestReloadBeginsAnew: an answer does not outlive the policy that it was given under.
func TestReloadBeginsAnew(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	point := newPoint(t, p)
	var config drawbridge.Config
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		askAbout(cfg, point, time.Minute)
		config = *cfg
	})
	call := callers()[0].start(t, w)
	step := func(name string, want connect.Code, asked int64) {
		t.Helper()
		before := p.requests.Load()
		if got, _ := call(rpctest.TokenGood); got != want || p.requests.Load()-before != asked {
			t.Errorf("%s: got %v and %d questions", name, got, p.requests.Load()-before)
		}
	}
	step("first", 0, 1)
	step("again", 0, 0)
	p.answer(saysJSON(`{"decision":false}`))
	step("remembered", 0, 0)
	if err := w.Reconfigure(config); err != nil {
		t.Fatal(err)
	}
	step("reloaded", connect.CodePermissionDenied, 1)
}

// TestRevocation: an answer that is remembered does not help a token that was revoked.
func TestRevocation(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	tokens, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	p := newPDP(t)
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		askAbout(cfg, newPoint(t, p), time.Minute)
		cfg.Verifier, cfg.Resources[0].AuthorizationServers = tokens, []string{issuer.URL}
	})
	call := callers()[0].start(t, w)
	raw := issuer.Mint(authtest.Token{Subject: "ada", Audience: []string{rpctest.Resource}, Scope: rpctest.ScopeWrite})
	for range 2 {
		if got, _ := call(raw); got != 0 {
			t.Fatalf("got %v", got)
		}
	}
	if err := tokens.CutOff(verifier.Cutoff{Issuer: issuer.URL, Subject: "ada"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := call(raw); got != connect.CodeUnauthenticated || p.requests.Load() != 1 {
		t.Errorf("got %v after %d questions", got, p.requests.Load())
	}
}

// TestCheckMessage: code with a message in hand asks, too.
func TestCheckMessage(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	p.decide = func(q question) bool { return q.Resource.ID == "mine" }
	w := guarded(t, newPoint(t, p))
	ctx, err := w.Authorize(context.Background(), drawbridge.Request{
		Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Client), Transport: good{},
	})
	if err != nil {
		t.Fatal(err)
	}
	unary := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	if err := w.CheckMessage(ctx, unary, wrapperspb.String("mine")); err != nil {
		t.Errorf("got %v", err)
	}
	for _, other := range []string{"yours", ""} {
		if err := w.CheckMessage(ctx, unary, wrapperspb.String(other)); err == nil {
			t.Errorf("%q was allowed", other)
		}
	}
}

// good is a transport with a good token.
type good struct{}

func (good) Values(_ context.Context, name string) []string {
	return map[string][]string{"Authorization": {"Bearer " + rpctest.TokenGood}}[name]
}

func (good) Host(context.Context) string { return "api.example.com" }

func (good) Connection(context.Context) (string, *tls.ConnectionState) { return "192.0.2.1:1", nil }
