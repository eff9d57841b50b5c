package grpcauth

import (
	"context"

	"google.golang.org/grpc"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// RelayConfig says which denials of backends become the response. The zero
// RelayConfig is for calls with a token of the server's own.
type RelayConfig = interceptor.RelayConfig

// RelayDialOptions are for connections over which an HTTP handler calls its
// backends. A denial of a backend becomes the response of the bridge that the
// handler runs under, in place of the handler's own, as cfg says. The error itself
// reaches the handler unchanged, and outside of a bridge nothing happens.
//
// The context of the HTTP request must reach the call. A handler that can do
// without the backend calls httpbridge.Dismiss.
func RelayDialOptions(cfg RelayConfig) []grpc.DialOption {
	r := &relay{cfg}
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(r.unary),
		grpc.WithChainStreamInterceptor(r.stream),
	}
}

type relay struct{ cfg RelayConfig }

func (r *relay) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoker(ctx, method, req, reply, cc, opts...)
	r.record(ctx, method, err)
	return err
}

func (r *relay) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		r.record(ctx, method, err)
		return nil, err
	}
	return &relayingStream{ClientStream: stream, relay: r, ctx: ctx, method: method}, nil
}

// relayingStream sees the status with which a server ends a stream: grpc-go
// returns it from RecvMsg, and from SendMsg only io.EOF.
type relayingStream struct {
	grpc.ClientStream

	relay  *relay
	ctx    context.Context //nolint:containedctx // The stream's own, and it ends with it.
	method string
}

func (s *relayingStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	s.relay.record(s.ctx, s.method, err)
	return err
}

func (r *relay) record(ctx context.Context, method string, err error) {
	if err == nil {
		return
	}
	if denial, ok := FromError(err); ok {
		r.cfg.Relay(ctx, method, denial, err)
	}
}
