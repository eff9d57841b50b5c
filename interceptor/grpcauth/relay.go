package grpcauth

import (
	"context"

	"google.golang.org/grpc"
)

// RelayDialOptions are for connections over which an HTTP handler calls its
// backends. A denial of a backend becomes the response of the bridge that the
// handler runs under, in place of the handler's own. The error itself reaches the
// handler unchanged, and outside of a bridge nothing happens.
//
// The context of the HTTP request must reach the call. Use it where calls are made
// with the credentials of the caller: a denial of the handler's own credentials
// is not the caller's to mend. A handler that can do without the backend calls
// httpbridge.Dismiss.
func RelayDialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(recordUnary),
		grpc.WithChainStreamInterceptor(recordStream),
	}
}

func recordUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoker(ctx, method, req, reply, cc, opts...)
	record(ctx, err)
	return err
}

func recordStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		record(ctx, err)
		return nil, err
	}
	return &relayingStream{ClientStream: stream, ctx: ctx}, nil
}

// relayingStream sees the status with which a server ends a stream: grpc-go
// returns it from RecvMsg, and from SendMsg only io.EOF.
type relayingStream struct {
	grpc.ClientStream

	ctx context.Context //nolint:containedctx // The stream's own, and it ends with it.
}

func (s *relayingStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	record(s.ctx, err)
	return err
}
