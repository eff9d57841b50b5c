package connectauth

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// handlerInterceptor is the part of a guard that runs around a handler, when a call
// was let in. It ends streams that outlive the token they were opened with, and
// sends the denials that a handler returns.
type handlerInterceptor struct{ adapter drawbridge.Adapter }

func (h *handlerInterceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, call connect.AnyRequest) (connect.AnyResponse, error) {
		if h.adapter.Caller(ctx).IsOpen() && !call.Spec().IsClient {
			var err error
			if ctx, err = decide(ctx, h.adapter, call); err != nil {
				return nil, err
			}
		}
		res, err := next(ctx, call)
		if err == nil || call.Spec().IsClient {
			return res, err
		}
		info, ok := connect.CallInfoForHandlerContext(ctx)
		if !ok {
			return nil, err
		}
		return nil, returned(ctx, call.Spec(), call.Peer().Protocol, info.ResponseHeader(), err)
	}
}

func (*handlerInterceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (h *handlerInterceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		err := serveUntilExpiry(ctx, conn, h.adapter.Caller(ctx), next)
		if err == nil {
			return nil
		}
		return returned(ctx, conn.Spec(), conn.Peer().Protocol, conn.ResponseHeader(), err)
	}
}

// returned returns the error of a handler as connect-go has to send it: for a
// denial that of [NewError], with a copy of the challenge where it reaches the
// client.
func returned(ctx context.Context, spec connect.Spec, protocol string, header http.Header, err error) error {
	denial := denialIn(err)
	if denial == nil {
		return err
	}
	if protocol == connect.ProtocolConnect && spec.StreamType != connect.StreamTypeUnary {
		return err // The copy stands at the end of the stream.
	}
	interceptor.Answer(ctx, spec.Procedure, denial)
	if protocol != connect.ProtocolGRPC {
		return err
	}
	denial.SetHeader(header)
	return newError(denial)
}

// denialIn returns the denial that err is sent as, or nil. A handler may give a
// denial another code.
func denialIn(err error) *challenge.DenialError {
	denial, ok := errors.AsType[*challenge.DenialError](err)
	if !ok || connect.CodeOf(err) != connect.Code(denial.Reason.RPCCode()) {
		return nil
	}
	return denial
}
