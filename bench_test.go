package drawbridge_test

import (
	"hash/maphash"
	"log/slog"
	"net/http"
	"runtime"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// guarded returns an Authorizer with the real verifier, and a token that it has
// seen.
func guarded(b *testing.B) (*interceptor.Authorizer, string) {
	b.Helper()
	issuer := authtest.NewIssuer(b)
	jwt, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer.URL})
	if err != nil {
		b.Fatal(err)
	}
	authorizer, err := interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: resource, AuthorizationServers: []string{issuer.URL}}},
		Policy:    rpctest.Policy(),
		Verifier:  jwt,
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	token := issuer.Mint(authtest.Token{Audience: []string{resource}, Scope: rpctest.ScopeWrite})
	if _, err := authorizer.Authorize(b.Context(), known(token)); err != nil {
		b.Fatal(err)
	}
	return authorizer, token
}

func known(token string) interceptor.Request {
	return interceptor.Request{
		Procedure:     rpctest.Procedure(rpctest.GuardedService, rpctest.Unary),
		Authorization: bearer(token),
		Host:          "api.example.com",
	}
}

// BenchmarkDecision is one decision, with the token seen before and without one
// (goals 1 to 3 of the project). The yardstick is what any exact cache has to do
// at the least: hash the token and look at the clock.
func BenchmarkDecision(b *testing.B) {
	authorizer, token := guarded(b)
	b.Run("yardstick", func(b *testing.B) {
		seed := maphash.MakeSeed()
		var sink uint64
		for b.Loop() {
			sink += maphash.String(seed, token) + uint64(time.Now().Nanosecond())
		}
		runtime.KeepAlive(sink)
	})
	for name, req := range map[string]interceptor.Request{
		"known":          known(token),
		"no credentials": {Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = authorizer.Authorize(b.Context(), req)
			}
		})
	}
}

// BenchmarkEcho is a unary call over loopback, bare and authorised.
func BenchmarkEcho(b *testing.B) {
	authorizer, token := guarded(b)
	header := http.Header{"Authorization": bearer(token)}
	client := rpctest.H2C(b)
	var handlers rpctest.Handlers
	for _, row := range []struct {
		name    string
		options []connect.HandlerOption
	}{
		{"connect/bare", nil},
		{"connect/authorised", []connect.HandlerOption{connectauth.WithAuthorizer(authorizer)}},
	} {
		url := rpctest.ServeHTTP(b, handlers.ConnectMux(row.options...))
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
		{"grpc-go/authorised", grpcauth.ServerOptions(authorizer)},
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
