package connectauth

import (
	"context"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// RelayConfig says which denials of backends become the response. The zero
// RelayConfig is for calls with a token of the server's own.
type RelayConfig = interceptor.RelayConfig

// NewRelayInterceptor returns an interceptor for clients with which an HTTP
// handler calls its backends. A denial of a backend becomes the response of the
// bridge that the handler runs under, in place of the handler's own, as cfg says.
// The error itself reaches the handler unchanged, and outside of a bridge nothing
// happens.
//
// The context of the HTTP request must reach the call. A handler that can do
// without the backend calls httpbridge.Dismiss.
func NewRelayInterceptor(cfg RelayConfig) connect.Interceptor { return &relay{cfg} }

type relay struct{ cfg RelayConfig }

func (i *relay) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if !req.Spec().IsClient {
			return next(ctx, req)
		}
		res, err := next(interceptor.Outgoing(ctx), req)
		i.record(ctx, req.Spec().Procedure, err)
		return res, err
	}
}

func (*relay) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

func (i *relay) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return &relayingConn{StreamingClientConn: next(interceptor.Outgoing(ctx), spec), relay: i, ctx: ctx}
	}
}

// relayingConn sees the error with which a server ends a stream: connect-go
// returns it from Receive, also where the generated code hides that.
type relayingConn struct {
	connect.StreamingClientConn

	relay *relay
	ctx   context.Context //nolint:containedctx // The stream's own, and it ends with it.
}

func (c *relayingConn) Receive(message any) error {
	err := c.StreamingClientConn.Receive(message)
	c.relay.record(c.ctx, c.Spec().Procedure, err)
	return err
}

func (i *relay) record(ctx context.Context, procedure string, err error) {
	if err == nil {
		return
	}
	if denial, ok := FromError(err); ok {
		i.cfg.Relay(ctx, procedure, denial, err)
	}
}
