package connectauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

const challengeHeader = `Bearer realm="drawbridge.test.v1.GuardedService", resource_metadata="` + metadataURL + `", scope="guarded:write"`

// guard is a way to install an Authorizer.
type guard struct {
	name   string
	option func(*drawbridge.Authorizer) connect.HandlerOption
	// around means that connectauth.Guard stands round the mux.
	around bool
	// leads means that the challenge stands in the HTTP header over gRPC and in
	// streams of Connect too.
	leads bool
}

var guards = []guard{
	{"gate", connectauth.WithAuthorizer, false, false},
	{"interceptor", interceptorOption, false, true},
	{"gate and interceptor", func(a *drawbridge.Authorizer) connect.HandlerOption {
		return connect.WithHandlerOptions(connectauth.WithAuthorizer(a), interceptorOption(a))
	}, false, false},
	{"guard", noOption, true, true},
	{"guard and gate", connectauth.WithAuthorizer, true, true},
	{"guard and interceptor", interceptorOption, true, true},
}

func interceptorOption(a *drawbridge.Authorizer) connect.HandlerOption {
	return connect.WithInterceptors(connectauth.NewInterceptor(a))
}

func noOption(*drawbridge.Authorizer) connect.HandlerOption { return connect.WithHandlerOptions() }

// wrap puts a Guard round a mux, if g has one.
func (g guard) wrap(a *drawbridge.Authorizer, mux http.Handler) http.Handler {
	if g.around {
		return connectauth.Guard(a, mux)
	}
	return mux
}

// serve serves the handlers of w behind a guard.
func (g guard) serve(t *testing.T, w *world) string {
	t.Helper()
	return rpctest.ServeHTTP(t, g.wrap(w.Authorizer, w.Handlers.ConnectMux(g.option(w.Authorizer))))
}

// TestGuards: each way to install an Authorizer gives the same answer, asks the
// verifier once, and logs once (RPC-1, RPC-2, RPC-3, RPC-4, SEED-1).
func TestGuards(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		for _, row := range []struct {
			token string
			want  connect.Code // 0 if let in
			http  int          // of a unary call over Connect
			asked int64
		}{
			{"", connect.CodeUnauthenticated, http.StatusUnauthorized, 0},
			{tokenGood, 0, http.StatusOK, 1},
			{tokenBad, connect.CodeUnauthenticated, http.StatusUnauthorized, 1},
			{"two tokens", connect.CodeInvalidArgument, http.StatusBadRequest, 0},
			{tokenRead, connect.CodePermissionDenied, http.StatusForbidden, 1},
			{tokenDown, connect.CodeUnavailable, http.StatusServiceUnavailable, 1},
			{tokenOdd, connect.CodeUnavailable, http.StatusServiceUnavailable, 1},
			{tokenPanic, connect.CodeInternal, http.StatusInternalServerError, 1},
			{tokenNobody, connect.CodeInternal, http.StatusInternalServerError, 1},
		} {
			t.Run(guard.name+"/"+row.token, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				server := guard.serve(t, w)
				inTurn(t, func(t *testing.T, over protocol, method string) {
					w.Verifier.Asked.Store(0)
					w.Log.Logged.Store(0)
					before := w.Handlers.Ran()
					got := call(t, server, rpctest.GuardedService, method, row.token, over.option)
					if got.code() != row.want {
						t.Errorf("RPC-2: got %v, want %v", got.err, row.want)
					}
					if status := httpStatus(over, method, row.http); got.status != status {
						t.Errorf("RPC-4: HTTP status is %d, want %d", got.status, status)
					}
					if w.Verifier.Asked.Load() != row.asked {
						t.Errorf("the verifier was asked %d times, want %d", w.Verifier.Asked.Load(), row.asked)
					}
					if denied := row.want != 0; w.Log.Logged.Load() != one(denied) || w.Handlers.Ran()-before != int(1-one(denied)) {
						t.Errorf("SEED-1, RPC-1: logged %d times, the handler ran %d times", w.Log.Logged.Load(), w.Handlers.Ran()-before)
					}
					checkRefusal(t, got)
				})
			})
		}
	}
}

func httpStatus(over protocol, method string, unary int) int {
	if over.name == "Connect" && method == rpctest.Unary {
		return unary
	}
	return http.StatusOK
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// checkRefusal wants one Challenge, when to try again where that helps, and
// fixed sentences alone (RPC-2, RPC-3, RPC-7).
func checkRefusal(t *testing.T, got outcome) {
	t.Helper()
	if got.err == nil {
		return
	}
	if found := challenges(t, got.err); len(found) != 1 {
		t.Errorf("RPC-3: %d Challenge details", len(found))
	}
	retry := false
	var said strings.Builder
	fmt.Fprint(&said, got.err, got.err.Meta(), got.leading)
	for _, detail := range got.err.Details() {
		said.Write(detail.Bytes())
		value, err := detail.Value()
		if err != nil {
			t.Fatal(err)
		}
		if info, ok := value.(*errdetails.RetryInfo); ok {
			retry = info.GetRetryDelay().AsDuration() > 0
		}
	}
	if retry != (got.err.Code() == connect.CodeUnavailable) {
		t.Errorf("RPC-2: RetryInfo is there: %t", retry)
	}
	if strings.Contains(said.String(), secret) {
		t.Errorf("RPC-7: the cause was sent: %s", &said)
	}
}

// TestLeadingHeader: through the interceptor the challenge stands in the HTTP
// header of every protocol. The gate cannot reach that header: over gRPC the
// detail alone carries the challenge, and streams of Connect carry the copy in
// their body (RPC-3).
func TestLeadingHeader(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		t.Run(guard.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			server := guard.serve(t, w)
			each(t, func(t *testing.T, over protocol, method string) {
				got := call(t, server, rpctest.GuardedService, method, "", over.option)
				if got.err == nil {
					t.Fatal("let in")
				}
				leading, anywhere := challengeHeader, challengeHeader
				if !guard.leads && over.name == "Connect" && method != rpctest.Unary {
					leading = "" // It stands in the last message, as metadata.
				}
				if !guard.leads && over.name == "gRPC" {
					leading, anywhere = "", ""
				}
				if header := got.leading.Get("Www-Authenticate"); header != leading {
					t.Errorf("RPC-3: in the header\n got %s\nwant %s", header, leading)
				}
				if header := got.err.Meta().Get("Www-Authenticate"); header != anywhere {
					t.Errorf("RPC-3: in the metadata\n got %s\nwant %s", header, anywhere)
				}
			})
		})
	}
}

// TestRetryAfter: an outage says when to try again, once, where the challenge of
// another refusal would stand, and in the header of a unary call over Connect
// (RPC-2).
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		t.Run(guard.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			server := guard.serve(t, w)
			each(t, func(t *testing.T, over protocol, method string) {
				got := call(t, server, rpctest.GuardedService, method, tokenDown, over.option)
				if got.err == nil {
					t.Fatal("let in")
				}
				want := []string{"5"}
				if !guard.leads && over.name == "gRPC" {
					want = nil
				}
				if values := got.err.Meta()["Retry-After"]; !slices.Equal(values, want) {
					t.Errorf("RPC-2: in the metadata: %q, want %q", values, want)
				}
				if values := got.leading["Retry-After"]; over.name == "Connect" && method == rpctest.Unary && !slices.Equal(values, want) {
					t.Errorf("RPC-2: in the header: %q, want %q", values, want)
				}
			})
		})
	}
}

// TestOuterInterceptor: an interceptor in front of ours distinguishes denials from
// failures, and sees the cause, which the caller does not (RPC-7).
func TestOuterInterceptor(t *testing.T) {
	t.Parallel()
	for _, method := range rpctest.Kinds {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			watch := new(watcher)
			server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connect.WithInterceptors(watch, connectauth.NewInterceptor(w.Authorizer))))
			call(t, server, rpctest.GuardedService, method, tokenBad)
			seen := watch.errors()
			if len(seen) != 1 {
				t.Fatalf("saw %v", seen)
			}
			var denial *challenge.DenialError
			if !errors.As(seen[0], &denial) || denial.Reason != challenge.ReasonInvalidToken || !errors.Is(seen[0], token.ErrInvalid) {
				t.Errorf("saw %#v", seen[0])
			}
			if !strings.Contains(denial.Cause.Error(), secret) {
				t.Errorf("the cause is lost: %v", denial.Cause)
			}
		})
	}
}

// TestVerifierPanics: a verifier that panics on one call does not stop the server.
func TestVerifierPanics(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		t.Run(guard.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			server := guard.serve(t, w)
			each(t, func(t *testing.T, over protocol, method string) {
				if got := call(t, server, rpctest.GuardedService, method, tokenPanic, over.option); got.code() != connect.CodeInternal {
					t.Errorf("got %v", got.err)
				}
				if got := call(t, server, rpctest.GuardedService, method, tokenGood, over.option); got.err != nil {
					t.Errorf("afterwards: %v", got.err)
				}
			})
		})
	}
}

// TestClientSide: a server's interceptor that a client installs by mistake does
// nothing.
func TestClientSide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux())
	each(t, func(t *testing.T, over protocol, method string) {
		mistaken := connect.WithInterceptors(connectauth.NewInterceptor(w.Authorizer))
		if got := call(t, server, rpctest.GuardedService, method, "", over.option, mistaken); got.err != nil {
			t.Error(got.err)
		}
	})
}

// TestOutsideOfACall: an interceptor that is called without a server refuses all
// the same.
func TestOutsideOfACall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Resources = append(cfg.Resources, drawbridge.Resource{Identifier: "https://other.example.com", AuthorizationServers: []string{rpctest.Issuer}})
	})
	call := connectauth.NewInterceptor(w.Authorizer).WrapUnary(func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) {
		return nil, errors.New("let in")
	})
	req := connect.NewRequest(&rpctest.Message{})
	req.Header().Set("Authorization", "Bearer "+tokenGood)
	_, err := call(t.Context(), req)
	if denial, ok := connectauth.FromError(err); !ok || denial.Remote {
		t.Errorf("got %v", err)
	}
}

// TestBindingOfOption: an option of a handler sees no TLS, so that a binding to
// the connection fails there (R8705-3).
func TestBindingOfOption(t *testing.T) {
	t.Parallel()
	binding := bind{make(chan token.Request, 1)}
	w := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Bindings = map[string]token.Binding{"x5t#S256": binding}
		cfg.Verifier = &knownToken{boundInfo("x5t#S256")}
	})
	server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))
	if got := call(t, server, rpctest.GuardedService, rpctest.Unary, tokenGood); got.err != nil {
		t.Fatal(got.err)
	}
	if seen := <-binding.seen; seen.TLS != nil || seen.Method != http.MethodPost || seen.URL != resource+guardedUnary {
		t.Errorf("R8705-3: got %+v", seen)
	}
}
