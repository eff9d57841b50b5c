package bench_test

import (
	"context"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

// stream is the transport of a call, without a network.
type stream struct{}

func (stream) Method() string               { return peers.Method }
func (stream) SetHeader(metadata.MD) error  { return nil }
func (stream) SendHeader(metadata.MD) error { return nil }
func (stream) SetTrailer(metadata.MD) error { return nil }

// BenchmarkGRPC is a unary interceptor around a handler that does nothing.
func BenchmarkGRPC(b *testing.B) {
	d := newDrawbridge(b, 1)
	seen := peers.NewSeen(d.Token)
	interceptors := []struct {
		name        string
		interceptor grpc.UnaryServerInterceptor
	}{
		{"drawbridge", grpcauth.UnaryServerInterceptor(d.Authorizer)},
		{"go-grpc-middleware", seen.GRPC()},
	}
	for _, peer := range shuffled(interceptors) {
		b.Run("grpc/known/"+peer.name, func(b *testing.B) { intercept(b, peer.interceptor, "Bearer "+d.Token, codes.OK) })
	}
	for _, peer := range shuffled(interceptors) {
		b.Run("grpc/denied/"+peer.name, func(b *testing.B) { intercept(b, peer.interceptor, "", codes.Unauthenticated) })
	}
}

func intercept(b *testing.B, interceptor grpc.UnaryServerInterceptor, authorization string, want codes.Code) {
	b.Helper()
	md := metadata.MD{":authority": {"api.example.com"}, "content-type": {"application/grpc"}, "user-agent": {"grpc-go/1.85.0"}}
	if authorization != "" {
		md["authorization"] = []string{authorization}
	}
	ctx := grpc.NewContextWithServerTransportStream(metadata.NewIncomingContext(b.Context(), md), stream{})
	info := &grpc.UnaryServerInfo{FullMethod: peers.Method}
	handler := func(context.Context, any) (any, error) { return nil, nil } //nolint:nilnil // The answer does not matter.
	b.ReportAllocs()
	for b.Loop() {
		if _, err := interceptor(ctx, nil, info, handler); status.Code(err) != want {
			b.Fatal(err)
		}
	}
}
