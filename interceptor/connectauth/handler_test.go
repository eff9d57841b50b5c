package connectauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// failing serves every method of both services, and returns the error that fail
// makes.
func failing(fail func(context.Context) error, option connect.HandlerOption) *http.ServeMux {
	type message = rpctest.Message
	mux := http.NewServeMux()
	for _, service := range []string{rpctest.GuardedService, rpctest.PublicService} {
		at := func(method string) string { return rpctest.Procedure(service, method) }
		mux.Handle(at(rpctest.Unary), connect.NewUnaryHandler(at(rpctest.Unary), func(ctx context.Context, _ *connect.Request[message]) (*connect.Response[message], error) {
			return nil, fail(ctx)
		}, option))
		mux.Handle(at(rpctest.Client), connect.NewClientStreamHandler(at(rpctest.Client), func(ctx context.Context, _ *connect.ClientStream[message]) (*connect.Response[message], error) {
			return nil, fail(ctx)
		}, option))
		mux.Handle(at(rpctest.Server), connect.NewServerStreamHandler(at(rpctest.Server), func(ctx context.Context, _ *connect.Request[message], _ *connect.ServerStream[message]) error {
			return fail(ctx)
		}, option))
		mux.Handle(at(rpctest.Bidi), connect.NewBidiStreamHandler(at(rpctest.Bidi), func(ctx context.Context, _ *connect.BidiStream[message, message]) error {
			return fail(ctx)
		}, option))
	}
	return mux
}

// loggedServer serves h and collects what net/http logs.
func loggedServer(t *testing.T, h http.Handler) (url string, logged func() string) {
	t.Helper()
	var mu sync.Mutex
	var text bytes.Buffer
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(writerFunc(func(data []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return text.Write(data)
	}), "", 0)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, func() string {
		mu.Lock()
		defer mu.Unlock()
		return text.String()
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(data []byte) (int, error) { return f(data) }

// TestDenialOfHandler: a handler returns a denial of Check or Deny as it is, or
// wrapped, and the client gets that denial, with one copy of the challenge where
// there is a place for it (RPC-3, RPC-7, RPC-10).
func TestDenialOfHandler(t *testing.T) {
	t.Parallel()
	guarded := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	for _, row := range []struct {
		name, service, token string
		fail                 func(*world, context.Context) error
		want                 challenge.Reason
	}{
		{"no token behind a public rule", rpctest.PublicService, "", func(w *world, ctx context.Context) error { return w.Check(ctx, guarded) }, challenge.ReasonNoCredentials},
		{"no rule", rpctest.GuardedService, tokenGood, func(w *world, ctx context.Context) error { return w.Check(ctx, "/a.v1.A/Get") }, challenge.ReasonNotFound},
		{"wrapped", rpctest.PublicService, "", func(w *world, ctx context.Context) error {
			return fmt.Errorf("order %s: %w", secret, w.Check(ctx, guarded))
		}, challenge.ReasonNoCredentials},
		{"joined", rpctest.PublicService, "", func(w *world, ctx context.Context) error {
			return errors.Join(errors.New(secret), w.Check(ctx, guarded))
		}, challenge.ReasonNoCredentials},
		{"as an error of Connect", rpctest.PublicService, "", func(w *world, ctx context.Context) error {
			return connectauth.NewError(challenge.DenialOf(w.Check(ctx, guarded)))
		}, challenge.ReasonNoCredentials},
		{"its own reason", rpctest.GuardedService, tokenGood, func(w *world, ctx context.Context) error {
			return w.Deny(ctx, challenge.ReasonInsufficientScope, errors.New(secret), "orders:all")
		}, challenge.ReasonInsufficientScope},
		{"its own reason, an outage", rpctest.GuardedService, tokenGood, func(w *world, ctx context.Context) error {
			return w.Deny(ctx, challenge.ReasonUnavailable, context.Canceled)
		}, challenge.ReasonUnavailable},
		{"its own reason, without a challenge", rpctest.GuardedService, tokenGood, func(w *world, ctx context.Context) error {
			return w.Deny(ctx, challenge.ReasonForbidden, nil)
		}, challenge.ReasonForbidden},
	} {
		for _, guard := range guards {
			t.Run(row.name+"/"+guard.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				mux := failing(func(ctx context.Context) error { return row.fail(w, ctx) }, guard.option(w.Authorizer))
				server, logged := loggedServer(t, guard.wrap(w.Authorizer, mux))
				inTurn(t, func(t *testing.T, over protocol, method string) {
					checkReturned(t, call(t, server, row.service, method, row.token, over.option), row.want, over, guard)
				})
				if got := logged(); got != "" {
					t.Errorf("net/http logged %s", got)
				}
			})
		}
	}
}

// checkReturned compares what a client got with a denial of a handler.
func checkReturned(t *testing.T, got outcome, want challenge.Reason, over protocol, guard guard) {
	t.Helper()
	denial, ok := connectauth.FromError(got.err)
	if !ok || denial.Reason != want || !denial.Remote || got.code() != connect.Code(want.RPCCode()) || got.err.Message() != want.Message() {
		t.Fatalf("RPC-10: got %+v of %v, want %v", denial, got.err, want)
	}
	checkRefusal(t, got)
	header := make(http.Header)
	if denial.SetHeader(header); over.name == "gRPC" && guard.name == "guard" {
		clear(header) // The guard alone sees the error too late, and net/http drops the trailer.
	}
	for _, name := range []string{"Www-Authenticate", "Retry-After"} {
		if name == "Retry-After" && over.name == "gRPC" {
			continue // It may be a trailer.
		}
		if values := got.err.Meta()[name]; !slices.Equal(values, header[name]) {
			t.Errorf("RPC-3: %s is %q, want %q", name, values, header[name])
		}
	}
}

// TestDenialWithOtherCode: a handler may give a denial another code, and then it is
// none.
func TestDenialWithOtherCode(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		t.Run(guard.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			mux := failing(func(ctx context.Context) error {
				return connect.NewError(connect.CodeAborted, w.Check(ctx, rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)))
			}, guard.option(w.Authorizer))
			server := rpctest.ServeHTTP(t, guard.wrap(w.Authorizer, mux))
			each(t, func(t *testing.T, over protocol, method string) {
				got := call(t, server, rpctest.PublicService, method, "", over.option)
				if _, ok := connectauth.FromError(got.err); ok || got.code() != connect.CodeAborted || len(got.err.Meta()["Www-Authenticate"]) != 0 {
					t.Errorf("got %v, %v", got.err, got.err.Meta())
				}
			})
		})
	}
}

// TestFailureOfHandler: an error that is no denial stays what it is.
func TestFailureOfHandler(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		t.Run(guard.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			mux := failing(func(context.Context) error { return connect.NewError(connect.CodeAborted, errors.New("busy")) }, guard.option(w.Authorizer))
			server := rpctest.ServeHTTP(t, guard.wrap(w.Authorizer, mux))
			each(t, func(t *testing.T, over protocol, method string) {
				got := call(t, server, rpctest.GuardedService, method, tokenGood, over.option)
				if got.code() != connect.CodeAborted || got.err.Message() != "busy" || len(got.err.Details()) != 0 {
					t.Errorf("got %v", got.err)
				}
			})
		})
	}
}

// TestDenialOfHandlerInBridge: the bridge around a handler learns of the denial that
// it returns, where the bridge has to add the challenge to the header (RPC-10).
func TestDenialOfHandlerInBridge(t *testing.T) {
	t.Parallel()
	for _, guard := range guards[:3] {
		w := newWorld(t)
		mux := failing(func(ctx context.Context) error {
			return w.Deny(ctx, challenge.ReasonInsufficientScope, nil, "orders:all")
		}, guard.option(w.Authorizer))
		var e *exchange.Exchange
		server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			e = newExchange()
			mux.ServeHTTP(rw, r.WithContext(exchange.NewContext(r.Context(), e)))
		}))
		inTurn(t, func(t *testing.T, over protocol, method string) {
			call(t, server, rpctest.GuardedService, method, tokenGood, over.option)
			_, denial := e.Native.Claimed()
			if inHeader := over.name != "Connect" || method == rpctest.Unary; (denial != nil) != inHeader {
				t.Errorf("RPC-10: %s: the bridge has %v", guard.name, denial)
			}
		})
	}
}

// TestErrorsAs: errors.As finds the error of Connect in a denial, and everything
// that it found without that (RPC-10).
func TestErrorsAs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Authorize(t.Context(), drawbridge.Request{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)})
	for _, err := range []error{err, fmt.Errorf("call: %w", err)} {
		found, ok := errors.AsType[*connect.Error](err)
		if !ok || connect.CodeOf(err) != connect.CodeUnauthenticated || len(challenges(t, found)) != 1 || strings.Contains(found.Message(), "call") {
			t.Errorf("RPC-10: got %v, %t", found, ok)
		}
		if denial, ok := errors.AsType[*challenge.DenialError](err); !ok || !errors.Is(found, denial) {
			t.Errorf("got the denial %v", denial)
		}
	}
	if found, ok := errors.AsType[*connect.Error](errors.New("x")); ok {
		t.Errorf("got %v", found)
	}
}
