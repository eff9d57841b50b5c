package drawbridge_test

import (
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// benchAuthorizer returns an Authorizer with the real verifier, and a token that
// it has seen.
func benchAuthorizer(b *testing.B) (*drawbridge.Authorizer, string) {
	b.Helper()
	issuer := authtest.NewIssuer(b)
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		b.Fatal(err)
	}
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: base, AuthorizationServers: []string{issuer.URL}}},
		Policy:    rpctest.Policy(),
		Verifier:  jwt,
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	raw := issuer.Mint(authtest.Token{Audience: []string{base}, Scope: rpctest.ScopeWrite})
	if _, err := authorizer.Authorize(b.Context(), guardedCall(bearer(raw))); err != nil {
		b.Fatal(err)
	}
	return authorizer, raw
}

// guardedCall returns a call of a guarded procedure, as net/http passes it on.
func guardedCall(authorization []string) drawbridge.Request {
	r := httptest.NewRequest(http.MethodPost, base+guarded, http.NoBody)
	if authorization != nil {
		r.Header["Authorization"] = authorization
	}
	req := drawbridge.HTTPRequest(r)
	req.Procedure = guarded
	return req
}

// BenchmarkDecision is one decision, with a token seen before and without
// credentials (goals 1 to 3 of the project). The yardstick is the least that any
// exact cache has to do: hash the token and look at the clock.
func BenchmarkDecision(b *testing.B) {
	authorizer, raw := benchAuthorizer(b)
	adapter := authorizer.Adapter()
	b.Run("yardstick", func(b *testing.B) {
		seed := maphash.MakeSeed()
		var sink uint64
		for b.Loop() {
			sink += maphash.String(seed, raw) + uint64(time.Now().Nanosecond())
		}
		runtime.KeepAlive(sink)
	})
	for name, req := range map[string]drawbridge.Request{
		"known":          guardedCall(bearer(raw)),
		"no credentials": guardedCall(nil),
	} {
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			var caller drawbridge.Caller
			b.ReportAllocs()
			for b.Loop() {
				_ = adapter.Decide(ctx, &req, &caller)
			}
		})
		b.Run(name+", with a context", func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				_, _ = adapter.Authorize(ctx, &req)
			}
		})
	}
}

// BenchmarkEcho is a unary call over loopback, bare and authorized.
func BenchmarkEcho(b *testing.B) {
	authorizer, raw := benchAuthorizer(b)
	header := http.Header{"Authorization": bearer(raw)}
	client := rpctest.H2C(b)
	var handlers rpctest.Handlers
	for _, row := range []struct {
		name    string
		handler http.Handler
	}{
		{"connect/bare", handlers.ConnectMux()},
		{"connect/authorized", handlers.ConnectMux(connectauth.WithAuthorizer(authorizer))},
		{"connect/guarded", connectauth.Guard(authorizer, handlers.ConnectMux())},
	} {
		url := rpctest.ServeHTTP(b, row.handler)
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rpctest.CallConnect(b.Context(), client, url, rpctest.GuardedService, rpctest.Unary, header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, row := range []struct {
		name    string
		options []grpc.ServerOption
	}{
		{"grpc-go/bare", nil},
		{"grpc-go/authorized", grpcauth.ServerOptions(authorizer)},
	} {
		conn := rpctest.DialGRPC(b, rpctest.ServeGRPC(b, handlers.GRPCServer(row.options...)))
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", header.Get("Authorization"))
			for b.Loop() {
				if _, err := rpctest.CallGRPC(ctx, conn, rpctest.GuardedService, rpctest.Unary); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
