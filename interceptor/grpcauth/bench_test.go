package grpcauth_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// newKnown has one base URL, a verifier that knows the token, and no log.
func newKnown(tb testing.TB) *world {
	tb.Helper()
	return newWorld(tb, func(cfg *drawbridge.Config) {
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.Verifier = knownToken{&token.Info{
			Issuer:   rpctest.Issuer,
			Subject:  "ada",
			Audience: []string{resource},
			Scopes:   []string{rpctest.ScopeWrite},
			Expiry:   time.Now().Add(time.Hour),
		}}
	})
}

// transportStream is that of a call, without a network.
type transportStream struct{ header metadata.MD }

func (s *transportStream) Method() string                 { return "" }
func (s *transportStream) SendHeader(metadata.MD) error   { return nil }
func (s *transportStream) SetTrailer(metadata.MD) error   { return nil }
func (s *transportStream) SetHeader(md metadata.MD) error { s.header = md; return nil }

func incoming(authorization ...string) (context.Context, *transportStream) {
	header := metadata.MD{":authority": {"api.example.com"}, "content-type": {"application/grpc"}, "user-agent": {"grpc-go"}}
	if len(authorization) > 0 {
		header["authorization"] = authorization
	}
	stream := new(transportStream)
	return grpc.NewContextWithServerTransportStream(metadata.NewIncomingContext(context.Background(), header), stream), stream
}

// unaryCall returns a function that makes one unary call to the interceptor.
func unaryCall(tb testing.TB, want codes.Code, authorization ...string) func() {
	tb.Helper()
	guard := grpcauth.UnaryServerInterceptor(newKnown(tb).Authorizer)
	ctx, transport := incoming(authorization...)
	info := &grpc.UnaryServerInfo{FullMethod: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)}
	handler := func(context.Context, any) (any, error) { return nil, nil } //nolint:nilnil // The answer does not matter.
	if _, err := guard(ctx, nil, info, handler); status.Code(err) != want {
		tb.Fatal(err)
	}
	if challenged := len(transport.header.Get("www-authenticate")) == 1; challenged != (want != codes.OK) {
		tb.Fatalf("the header is %v", transport.header)
	}
	return func() { _, _ = guard(ctx, nil, info, handler) }
}

// messages is a stream without a network.
type messages struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // A ServerStream has one.
}

func (s messages) Context() context.Context { return s.ctx }
func (messages) SendMsg(any) error          { return nil }
func (messages) RecvMsg(any) error          { return nil }

// streamCall returns a function that opens one stream.
func streamCall(tb testing.TB, handler grpc.StreamHandler) func() {
	tb.Helper()
	guard := grpcauth.StreamServerInterceptor(newKnown(tb).Authorizer)
	ctx, _ := incoming("Bearer " + tokenGood)
	var stream grpc.ServerStream = messages{ctx: ctx}
	info := &grpc.StreamServerInfo{FullMethod: rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi)}
	if err := guard(nil, stream, info, handler); err != nil {
		tb.Fatal(err)
	}
	return func() { _ = guard(nil, stream, info, handler) }
}

func nothing(any, grpc.ServerStream) error { return nil }

// TestAllocations pins the cost of a call where there is one base URL and no log.
// Reading metadata copies once; the context with the decision is the other one. A
// denial has leading metadata of its own.
func TestAllocations(t *testing.T) {
	for _, row := range []struct {
		name string
		call func()
		want float64
	}{
		{"unary, denied without credentials", unaryCall(t, codes.Unauthenticated), 3},
		{"unary, authorized", unaryCall(t, codes.OK, "Bearer "+tokenGood), 2},
		{"stream, opened", streamCall(t, nothing), 3},
	} {
		if got := testing.AllocsPerRun(1000, row.call); got != row.want {
			t.Errorf("%s: %.0f allocations, want %.0f", row.name, got, row.want)
		}
	}
	stream := openedStream(t)
	if got := testing.AllocsPerRun(1000, func() { _ = stream.RecvMsg(nil); _ = stream.SendMsg(nil) }); got != 0 {
		t.Errorf("two messages: %.0f allocations, want 0", got)
	}
}

// openedStream returns a stream as a handler sees it.
func openedStream(tb testing.TB) grpc.ServerStream {
	tb.Helper()
	var opened grpc.ServerStream
	streamCall(tb, func(_ any, stream grpc.ServerStream) error {
		opened = stream
		return nil
	})
	return opened
}

func BenchmarkUnaryAuthorized(b *testing.B) {
	benchmark(b, unaryCall(b, codes.OK, "Bearer "+tokenGood))
}
func BenchmarkUnaryDenied(b *testing.B) { benchmark(b, unaryCall(b, codes.Unauthenticated)) }
func BenchmarkStreamOpen(b *testing.B)  { benchmark(b, streamCall(b, nothing)) }

// BenchmarkStreamMessage is one message each way.
func BenchmarkStreamMessage(b *testing.B) {
	stream := openedStream(b)
	benchmark(b, func() { _ = stream.RecvMsg(nil); _ = stream.SendMsg(nil) })
}

func benchmark(b *testing.B, call func()) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}
