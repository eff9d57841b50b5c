package connectauth_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// knownToken is a verifier that has seen the token before.
type knownToken struct{ info interceptor.TokenInfo }

func (v *knownToken) VerifyToken(context.Context, string) (*interceptor.TokenInfo, error) {
	return &v.info, nil
}

// serveOnce returns a function that sends one unary request to a handler,
// without a network.
func serveOnce(tb testing.TB, token string, options ...connect.HandlerOption) func() int {
	tb.Helper()
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	handler := connect.NewUnaryHandler(procedure,
		func(_ context.Context, req *connect.Request[rpctest.Message]) (*connect.Response[rpctest.Message], error) {
			return connect.NewResponse(req.Msg), nil
		}, options...)
	body, err := proto.Marshal(&rpctest.Message{Value: "hello"})
	if err != nil {
		tb.Fatal(err)
	}
	return func() int {
		req := httptest.NewRequest(http.MethodPost, procedure, bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/proto")
		if token != "" {
			req.Header["Authorization"] = []string{"Bearer " + token}
		}
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		return res.Code
	}
}

func newKnown(tb testing.TB) *world {
	tb.Helper()
	return newWorld(tb, func(cfg *interceptor.Config) {
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.Verifier = &knownToken{interceptor.TokenInfo{Subject: "ada", Audience: []string{resource}, Scopes: []string{rpctest.ScopeWrite}}}
	})
}

// TestUnaryAllocations: with the token known, the gate costs one allocation.
func TestUnaryAllocations(t *testing.T) {
	bare, guarded := serveOnce(t, tokenGood), serveOnce(t, tokenGood, connectauth.WithAuthorizer(newKnown(t).Authorizer))
	if bare() != http.StatusOK || guarded() != http.StatusOK {
		t.Fatal("refused")
	}
	before := testing.AllocsPerRun(1000, func() { bare() })
	after := testing.AllocsPerRun(1000, func() { guarded() })
	if extra := after - before; extra > 1+poolDrift {
		t.Errorf("%.0f allocations more than without a guard, want 1", extra)
	}
}

func BenchmarkUnaryBare(b *testing.B)       { benchmark(b, http.StatusOK, tokenGood) }
func BenchmarkUnaryAuthorized(b *testing.B) { benchmarkGuarded(b, http.StatusOK, tokenGood, guards[0]) }
func BenchmarkUnaryDenied(b *testing.B)     { benchmarkGuarded(b, http.StatusUnauthorized, "", guards[0]) }

func BenchmarkUnaryDeniedByInterceptor(b *testing.B) {
	benchmarkGuarded(b, http.StatusUnauthorized, "", guards[1])
}

func benchmarkGuarded(b *testing.B, want int, token string, guard guard) {
	b.Helper()
	benchmark(b, want, token, guard.option(newKnown(b).Authorizer))
}

func benchmark(b *testing.B, want int, token string, options ...connect.HandlerOption) {
	b.Helper()
	serve := serveOnce(b, token, options...)
	b.ReportAllocs()
	for b.Loop() {
		if got := serve(); got != want {
			b.Fatalf("got %d, want %d", got, want)
		}
	}
}
