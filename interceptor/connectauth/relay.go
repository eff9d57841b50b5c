package connectauth

import (
	"context"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// NewRelayInterceptor returns an interceptor for clients with which an HTTP
// handler calls its backends. A denial of a backend becomes the response of the
// bridge that the handler runs under, in place of the handler's own. The error
// itself reaches the handler unchanged, and outside of a bridge nothing happens.
//
// The context of the HTTP request must reach the call. Use it where calls are made
// with the credentials of the caller: a denial of the handler's own credentials
// is not the caller's to mend. A handler that can do without the backend calls
// httpbridge.Dismiss.
func NewRelayInterceptor() connect.Interceptor { return relay{} }

type relay struct{}

func (relay) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if !req.Spec().IsClient {
			return next(ctx, req)
		}
		res, err := next(interceptor.Outgoing(ctx), req)
		record(ctx, err)
		return res, err
	}
}

func (relay) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

func (relay) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return &relayingConn{StreamingClientConn: next(interceptor.Outgoing(ctx), spec), ctx: ctx}
	}
}

// relayingConn sees the error with which a server ends a stream: connect-go
// returns it from Receive, also where the generated code hides that.
type relayingConn struct {
	connect.StreamingClientConn

	ctx context.Context //nolint:containedctx // The stream's own, and it ends with it.
}

func (c *relayingConn) Receive(message any) error {
	err := c.StreamingClientConn.Receive(message)
	record(c.ctx, err)
	return err
}

func record(ctx context.Context, err error) {
	if err == nil {
		return
	}
	if denial, ok := FromError(err); ok {
		interceptor.Relay(ctx, denial, err)
	}
}
