package connectauth

import (
	"context"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

// NewClientInterceptor returns an interceptor for clients that an HTTP handler
// calls its backends with. A denial of a backend is left for the bridge that
// the handler runs under, which answers with it instead of whatever the handler
// makes of the error. The error itself reaches the handler unchanged, and
// outside of a bridge nothing happens.
//
// The context of the HTTP request must reach the call. Use it where calls are made
// with the credentials of the caller: what a backend thinks of a credential that
// is the handler's own is not the caller's to mend. A handler that can do without
// the backend calls httpbridge.Dismiss.
func NewClientInterceptor() connect.Interceptor { return clientRecorder{} }

type clientRecorder struct{}

func (clientRecorder) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if !req.Spec().IsClient {
			return next(ctx, req)
		}
		res, err := next(outgoing(ctx), req)
		record(ctx, err)
		return res, err
	}
}

func (clientRecorder) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

func (clientRecorder) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return &recordingConn{StreamingClientConn: next(outgoing(ctx), spec), ctx: ctx}
	}
}

// recordingConn sees the error with which a server ends a stream: connect-go
// returns it from Receive, also where the generated code hides that.
type recordingConn struct {
	connect.StreamingClientConn

	ctx context.Context //nolint:containedctx // The stream's own, and it ends with it.
}

func (c *recordingConn) Receive(message any) error {
	err := c.StreamingClientConn.Receive(message)
	record(c.ctx, err)
	return err
}

// outgoing hides the recorder from a server that runs in the same process and is
// handed the context: what it answers is not the answer to the HTTP request.
func outgoing(ctx context.Context) context.Context {
	if recorder.FromContext(ctx) == nil {
		return ctx
	}
	return recorder.NewContext(ctx, nil)
}

func record(ctx context.Context, err error) {
	if err == nil {
		return
	}
	if denial, ok := FromError(err); ok {
		recorder.FromContext(ctx).Deny(denial, err)
	}
}
