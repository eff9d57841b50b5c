package httpbridge_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// keptWriter keeps its header map from one answer to the next, as a server that
// counts allocations would.
type keptWriter struct {
	header http.Header
	status int
}

func (w *keptWriter) Header() http.Header            { return w.header }
func (w *keptWriter) WriteHeader(status int)         { w.status = status }
func (w *keptWriter) Write(data []byte) (int, error) { return len(data), nil }

// knownToken is a verifier that has seen the token before.
type knownToken struct{ info interceptor.TokenInfo }

func (v *knownToken) VerifyToken(context.Context, string) (*interceptor.TokenInfo, error) {
	return &v.info, nil
}

// serveOnce returns a function that sends one request to a guarded handler.
func serveOnce(tb testing.TB, want int, header http.Header, change ...func(*interceptor.Config)) func() {
	tb.Helper()
	w := newWorld(tb, httpbridge.Options{}, append(change, func(cfg *interceptor.Config) {
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.Verifier = &knownToken{interceptor.TokenInfo{Audience: []string{resource, mcpResource}, Scopes: []string{rpctest.ScopeWrite}}}
	})...)
	handler := w.Protect(rpctest.GuardedService, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	req := httptest.NewRequest(http.MethodPost, resource+"/mcp", http.NoBody)
	req.Header = header
	writer := &keptWriter{header: make(http.Header)}
	handler.ServeHTTP(writer, req)
	if writer.status != want {
		tb.Fatalf("got %d, want %d", writer.status, want)
	}
	return func() { handler.ServeHTTP(writer, req) }
}

func withAlias(cfg *interceptor.Config) {
	cfg.Resources[1].Aliases = []string{"https://alias.example.com"}
}

// TestAllocations pins what an answer costs where there is no log.
func TestAllocations(t *testing.T) {
	for _, row := range []struct {
		name string
		call func()
		want float64
	}{
		{"denied without credentials", serveOnce(t, http.StatusUnauthorized, http.Header{}), 0},
		{"denied without credentials, two base URLs", serveOnce(t, http.StatusUnauthorized, http.Header{}, withAlias), 0},
		{"authorised", serveOnce(t, http.StatusOK, bearer(tokenGood)), 6},
	} {
		if got := testing.AllocsPerRun(1000, row.call); got != row.want {
			t.Errorf("%s: %.0f allocations, want %.0f", row.name, got, row.want)
		}
	}
}

func BenchmarkProtectDenied(b *testing.B) {
	benchmark(b, serveOnce(b, http.StatusUnauthorized, http.Header{}))
}

func BenchmarkProtectDeniedWithAliases(b *testing.B) {
	benchmark(b, serveOnce(b, http.StatusUnauthorized, http.Header{}, withAlias))
}

func BenchmarkProtectAuthorized(b *testing.B) {
	benchmark(b, serveOnce(b, http.StatusOK, bearer(tokenGood)))
}

func benchmark(b *testing.B, call func()) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}
