package httpbridge_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// reusedWriter keeps its header map from one response to the next, so that only
// the allocations of the bridge are counted.
type reusedWriter struct {
	header http.Header
	status int
}

func (w *reusedWriter) Header() http.Header            { return w.header }
func (w *reusedWriter) WriteHeader(status int)         { w.status = status }
func (w *reusedWriter) Write(data []byte) (int, error) { return len(data), nil }

// WriteString is a method of the writers of net/http too.
func (w *reusedWriter) WriteString(data string) (int, error) { return len(data), nil }

// knownTokens verifies a token by looking it up.
type knownTokens map[string]*token.Info

func (v knownTokens) VerifyToken(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
	if info, ok := v[raw]; ok {
		return info, nil
	}
	return nil, token.ErrInvalid
}

func lookUp(cfg *drawbridge.Config) {
	cfg.Verifier = knownTokens{tokenGood: {Issuer: login, Audience: []string{mcpResource}, Scopes: []string{rpctest.ScopeWrite}}}
}

// withJWT lets the verifier of this module verify, and returns a token that it
// accepts.
func withJWT(tb testing.TB) (change func(*drawbridge.Config), raw string) {
	tb.Helper()
	issuer := authtest.NewIssuer(tb)
	jwt, err := verifier.New(verifier.Config{Logger: slog.New(slog.DiscardHandler), JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		tb.Fatal(err)
	}
	change = func(cfg *drawbridge.Config) {
		cfg.Verifier = jwt
		for i := range cfg.Resources {
			cfg.Resources[i].AuthorizationServers = []string{issuer.URL}
		}
	}
	return change, issuer.Mint(authtest.Token{Subject: "ada", Audience: []string{mcpResource}, Scope: rpctest.ScopeWrite})
}

func withAlias(cfg *drawbridge.Config) {
	cfg.Resources[1].Aliases = []string{"https://alias.example.com"}
}

// oneResource removes all resources but that of the endpoint.
func oneResource(cfg *drawbridge.Config) { cfg.Resources = cfg.Resources[1:] }

// protectedCall returns a function that sends one request to a handler that does
// nothing.
func protectedCall(tb testing.TB, want int, raw string, change ...func(*drawbridge.Config)) func() {
	tb.Helper()
	w := newWorld(tb, httpbridge.Config{}, append(change, func(cfg *drawbridge.Config) {
		cfg.Logger = slog.New(slog.DiscardHandler)
	})...)
	handler := w.Protect(rpctest.GuardedService, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	req := httptest.NewRequest(http.MethodPost, mcpResource, http.NoBody)
	req.Header = bearer(raw)
	writer := &reusedWriter{header: make(http.Header), status: http.StatusOK}
	handler.ServeHTTP(writer, req)
	if writer.status != want {
		tb.Fatalf("got %d, want %d", writer.status, want)
	}
	return func() { handler.ServeHTTP(writer, req) }
}

// TestAllocations pins the allocations of a request where nothing is logged: the
// values of the header of a denial, or else the copy of the request and its context.
func TestAllocations(t *testing.T) {
	withRealVerifier, raw := withJWT(t)
	for _, row := range []struct {
		name string
		call func()
		want float64
	}{
		{"denied without credentials", protectedCall(t, http.StatusUnauthorized, "", lookUp), 1},
		{"denied without credentials, two base URLs", protectedCall(t, http.StatusUnauthorized, "", lookUp, withAlias), 1},
		{"known token", protectedCall(t, http.StatusOK, tokenGood, lookUp), 2},
		{"known token, one resource", protectedCall(t, http.StatusOK, tokenGood, lookUp, oneResource), 2},
		{"known token, two base URLs", protectedCall(t, http.StatusOK, tokenGood, lookUp, withAlias), 2},
		{"known token, package verifier", protectedCall(t, http.StatusOK, raw, withRealVerifier), 2},
	} {
		if got := testing.AllocsPerRun(1000, row.call); got != row.want {
			t.Errorf("%s: %.0f allocations, want %.0f", row.name, got, row.want)
		}
	}
}

func BenchmarkProtect(b *testing.B) {
	withRealVerifier, raw := withJWT(b)
	for _, row := range []struct {
		name string
		call func()
	}{
		{"known", protectedCall(b, http.StatusOK, tokenGood, lookUp, oneResource)},
		{"known/resources=2", protectedCall(b, http.StatusOK, tokenGood, lookUp)},
		{"known/aliases", protectedCall(b, http.StatusOK, tokenGood, lookUp, withAlias)},
		{"known/verifier", protectedCall(b, http.StatusOK, raw, withRealVerifier, oneResource)},
		{"denied", protectedCall(b, http.StatusUnauthorized, "", lookUp, oneResource)},
		{"denied/aliases", protectedCall(b, http.StatusUnauthorized, "", lookUp, withAlias)},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				row.call()
			}
		})
	}
}
