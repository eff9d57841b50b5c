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

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// knownToken is a verifier that has seen the token before.
type knownToken struct{ info token.Info }

func (v *knownToken) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return &v.info, nil
}

// serveOnce returns a function that sends one unary request to a handler,
// without a network.
func serveOnce(tb testing.TB, raw string, options ...connect.HandlerOption) func() int {
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
		if raw != "" {
			req.Header["Authorization"] = []string{"Bearer " + raw}
		}
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		return res.Code
	}
}

func newKnown(tb testing.TB) *world {
	tb.Helper()
	return newWorld(tb, func(cfg *drawbridge.Config) {
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.Verifier = &knownToken{token.Info{Issuer: rpctest.Issuer, Subject: "ada", Audience: []string{resource}, Scopes: []string{rpctest.ScopeWrite}}}
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

func benchmarkGuarded(b *testing.B, want int, raw string, guard guard) {
	b.Helper()
	benchmark(b, want, raw, guard.option(newKnown(b).Authorizer))
}

func benchmark(b *testing.B, want int, raw string, options ...connect.HandlerOption) {
	b.Helper()
	serve := serveOnce(b, raw, options...)
	b.ReportAllocs()
	for b.Loop() {
		if got := serve(); got != want {
			b.Fatalf("got %d, want %d", got, want)
		}
	}
}

// keptWriter is a response writer that recycles its header, so that it costs no
// allocation.
type keptWriter struct {
	header http.Header
	status int
}

func (w *keptWriter) Header() http.Header            { return w.header }
func (w *keptWriter) WriteHeader(status int)         { w.status = status }
func (w *keptWriter) Write(data []byte) (int, error) { return len(data), nil }

// Flush and WriteString are methods of the writers of net/http too.

func (w *keptWriter) Flush() {}

func (w *keptWriter) WriteString(data string) (int, error) { return len(data), nil }

// guardCalls are requests to a guard that stands round a handler which does
// nothing.
var guardCalls = []struct {
	name, contentType, token string
	status                   int
	allocations              float64 // at most
}{
	{"denied/connect", "application/proto", "", http.StatusUnauthorized, 1},
	{"denied/connect-stream", "application/connect+proto", "", http.StatusOK, 1},
	{"denied/grpc", "application/grpc", "", http.StatusOK, 1},
	{"denied/grpc-web", "application/grpc-web", "", http.StatusOK, 1},
	{"denied-bad-token", "application/proto", tokenBad, http.StatusUnauthorized, 10},
	{"known", "application/proto", tokenGood, untouched, 2},
}

// guardCall returns a function that sends one request to a guard.
func guardCall(tb testing.TB, contentType, raw string, status int) func() {
	tb.Helper()
	w := newKnown(tb)
	if raw == tokenBad {
		w = newWorld(tb, func(cfg *drawbridge.Config) { cfg.Logger = slog.New(slog.DiscardHandler) })
	}
	guarded := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	req := newHTTPRequest(tb, http.MethodPost, guardedUnary, "Content-Type", contentType)
	if raw != "" {
		req.Header.Set("Authorization", "Bearer "+raw)
	}
	writer := &keptWriter{header: make(http.Header)}
	call := func() {
		clear(writer.header)
		guarded.ServeHTTP(writer, req)
	}
	if call(); writer.status != status {
		tb.Fatalf("got %d, want %d", writer.status, status)
	}
	return call
}

// TestGuardAllocations: with logging off, a refusal without credentials allocates
// once, the values of its header. A bad token adds the cause and what the verifier
// allocates.
func TestGuardAllocations(t *testing.T) {
	for _, row := range guardCalls {
		call := guardCall(t, row.contentType, row.token, row.status)
		if got := testing.AllocsPerRun(1000, call); got > row.allocations {
			t.Errorf("%s: %.0f allocations, want %.0f", row.name, got, row.allocations)
		}
	}
}

func BenchmarkGuard(b *testing.B) {
	for _, row := range guardCalls {
		b.Run(row.name, func(b *testing.B) {
			call := guardCall(b, row.contentType, row.token, row.status)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}
