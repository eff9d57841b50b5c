// Package connectauth carries the decisions of a [drawbridge.Authorizer] to
// connect-go servers, over Connect, gRPC and gRPC-Web, for unary calls and all
// kinds of streams.
//
// [Guard] stands around a whole mux and decides before a message is read; a
// service that is added later is guarded too. [WithAuthorizer] is an option of
// one handler, and [NewInterceptor] an interceptor. They may be combined:
// where requirement, resource and credential are the same, a call is decided once.
package connectauth

import (
	"context"
	"crypto/tls"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// WithAuthorizer guards a handler. Each call is authorized by its procedure as
// soon as its headers have arrived, before a message is received or decoded and
// before any interceptor runs. A stream ends when the token that opened it
// expires: with the next message in either direction, or before the handler learns
// that the client sends nothing more. The one response of a client stream whose
// request has ended in time is sent. A handler returns a denial of its own as it is,
// see [NewError].
//
// A rule whose condition reads the message is the exception: the decision ends when the
// message was decoded, in an interceptor, so give this option before those that add
// interceptors.
//
// Interceptors do not see calls that are refused; the Authorizer logs them.
// connect-go rejects requests with the wrong HTTP method or content type before
// the gate runs.
//
// The option cannot read the body of a request that it refuses. Over HTTP/2, some
// clients and proxies drop the response then; with a [Guard], which refuses the
// request itself, or below the Handler of a bridge of package httpbridge, it
// arrives.
//
// The path of the procedure selects the resource, also where the handler is
// mounted below a prefix, because the option sees neither the URL nor the state of
// TLS. Below a [Guard] it is the path of the URL.
func WithAuthorizer(a *drawbridge.Authorizer) connect.HandlerOption {
	adapter := a.Adapter()
	return connect.WithHandlerOptions(
		connect.WithRequestGate(gate(adapter)),
		connect.WithInterceptors(&handlerInterceptor{adapter: adapter}),
	)
}

// gate decides on headers alone (connect.WithRequestGate). It cannot write
// response headers, so the metadata of the error carries the copy of the
// challenge where that reaches the client.
func gate(adapter drawbridge.Adapter) connect.RequestGateFunc {
	return func(ctx context.Context, spec connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
		req := requestOf(ctx, spec, peer, header)
		req.MessageFollows = spec.StreamType == connect.StreamTypeUnary
		authorized, denial := adapter.Authorize(ctx, &req)
		bridged := interceptor.Answer(ctx, spec.Procedure, denial)
		switch {
		case denial == nil:
			return authorized, nil
		case bridged && spec.StreamType != connect.StreamTypeUnary:
			return nil, newError(denial) // The bridge writes the header.
		default:
			return nil, newErrorOver(peer.Protocol, denial)
		}
	}
}

// NewInterceptor returns the same guard as an interceptor, for servers that place
// it behind others, such as one that logs refused calls too. The message of a
// unary call has been decoded when it decides. Installed beside [WithAuthorizer],
// it adds nothing and decides nothing twice.
func NewInterceptor(a *drawbridge.Authorizer) connect.Interceptor {
	return &guardInterceptor{handlerInterceptor{adapter: a.Adapter()}}
}

type guardInterceptor struct{ handlerInterceptor }

func (g *guardInterceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	served := g.handlerInterceptor.WrapUnary(next)
	return func(ctx context.Context, call connect.AnyRequest) (connect.AnyResponse, error) {
		if call.Spec().IsClient {
			return next(ctx, call)
		}
		authorized, err := decide(ctx, g.adapter, call)
		if err != nil {
			return nil, err
		}
		return served(authorized, call)
	}
}

// decide decides about a unary call whose message is known.
func decide(ctx context.Context, adapter drawbridge.Adapter, call connect.AnyRequest) (context.Context, error) {
	req := requestOf(ctx, call.Spec(), call.Peer(), call.Header())
	req.Message, _ = call.Any().(proto.Message)
	authorized, denial := adapter.Authorize(ctx, &req)
	interceptor.Answer(ctx, call.Spec().Procedure, denial)
	if denial == nil {
		return authorized, nil
	}
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		denial.SetHeader(info.ResponseHeader())
	}
	return nil, newError(denial)
}

func (g *guardInterceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	served := g.handlerInterceptor.WrapStreamingHandler(next)
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		req := requestOf(ctx, conn.Spec(), conn.Peer(), conn.RequestHeader())
		authorized, denial := g.adapter.Authorize(ctx, &req)
		interceptor.Answer(ctx, conn.Spec().Procedure, denial)
		if denial != nil {
			denial.SetHeader(conn.ResponseHeader())
			return newError(denial)
		}
		return served(authorized, conn)
	}
}

// requestOf returns the Request for a call, as connect-go passes it to a handler,
// and with the URL if the guard has seen that it matters.
func requestOf(ctx context.Context, spec connect.Spec, peer connect.Peer, header http.Header) drawbridge.Request {
	req := drawbridge.Request{
		Procedure:  spec.Procedure,
		Method:     http.MethodPost,
		QueryToken: len(peer.Query) > 0 && peer.Query.Has("access_token"),
		RemoteAddr: peer.Addr,
		Transport:  transport(header),
	}
	if len(peer.Query) > 0 { // only of a GET
		req.Method = http.MethodGet
	}
	applyMount(ctx, &req)
	return req
}

// transport is the header of a call as a [drawbridge.Transport]. connect-go puts
// the host into it, and keeps the connection to itself.
type transport http.Header

func (t transport) Values(_ context.Context, name string) []string { return t[name] }

func (t transport) Host(context.Context) string {
	if host := t["Host"]; len(host) == 1 {
		return host[0]
	}
	return ""
}

func (t transport) Connection(context.Context) (string, *tls.ConnectionState) { return "", nil }
