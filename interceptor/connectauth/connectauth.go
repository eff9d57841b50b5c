// Package connectauth brings the decisions of an [interceptor.Authorizer] to
// connect-go servers, over Connect, gRPC and gRPC-Web, for unary calls and all
// kinds of streams.
//
// [WithAuthorizer] is what a server wants: it decides before a message is read.
package connectauth

import (
	"context"
	"net/http"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

// WithAuthorizer guards a handler. Each call is authorised by its procedure as
// soon as its headers are there, before a message is received or decoded, and
// before any interceptor runs. A stream ends when the token that opened it
// expires: with the next message in either direction.
//
// Interceptors do not see calls that are refused; the Authorizer logs them. What
// is no call of the procedure at all, such as a wrong HTTP method or content
// type, connect-go answers by itself before.
//
// The path of the procedure selects the resource, also where the handler is
// mounted below a prefix.
func WithAuthorizer(a *interceptor.Authorizer) connect.HandlerOption {
	return connect.WithHandlerOptions(
		connect.WithRequestGate(gate(a)),
		connect.WithInterceptors(&expiry{authorizer: a}),
	)
}

// gate decides on headers alone (connect.WithRequestGate). It cannot write
// response headers, so the metadata of the error carries the copy of the
// challenge where that reaches the client.
func gate(a *interceptor.Authorizer) connect.RequestGateFunc {
	return func(ctx context.Context, spec connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
		authorized, err := a.AuthorizeContext(ctx, requestOf(spec, peer, header))
		if err == nil {
			recorder.FromContext(ctx).Answers(spec.Procedure, nil)
			return authorized, nil
		}
		denial := interceptor.DenialOf(err)
		recorder.FromContext(ctx).Answers(spec.Procedure, denial)
		return nil, newErrorWithMeta(denial, peer.Protocol)
	}
}

// NewInterceptor returns the same guard as an interceptor, for those who want
// to place it behind others, such as one that logs refused calls too. The
// message of a unary call has been decoded when it decides. Installed beside
// [WithAuthorizer], it adds nothing and decides nothing twice.
func NewInterceptor(a *interceptor.Authorizer) connect.Interceptor {
	return &guard{expiry{authorizer: a}}
}

type guard struct{ expiry }

func (g *guard) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if req.Spec().IsClient {
			return next(ctx, req)
		}
		authorized, err := g.authorizer.AuthorizeContext(ctx, requestOf(req.Spec(), req.Peer(), req.Header()))
		if err != nil {
			refusal, denial := refuse(ctx, err, req.Spec().Procedure)
			if info, ok := connect.CallInfoForHandlerContext(ctx); ok && denial.Kind.Challenges() {
				info.ResponseHeader().Set(wwwAuthenticate, denial.Challenge.Header())
			}
			return nil, refusal
		}
		recorder.FromContext(ctx).Answers(req.Spec().Procedure, nil)
		return next(authorized, req)
	}
}

func (g *guard) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	next = g.expiry.WrapStreamingHandler(next)
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		authorized, err := g.authorizer.AuthorizeContext(ctx, requestOf(conn.Spec(), conn.Peer(), conn.RequestHeader()))
		if err != nil {
			refusal, denial := refuse(ctx, err, conn.Spec().Procedure)
			if denial.Kind.Challenges() {
				conn.ResponseHeader().Set(wwwAuthenticate, denial.Challenge.Header())
			}
			return refusal
		}
		recorder.FromContext(ctx).Answers(conn.Spec().Procedure, nil)
		return next(authorized, conn)
	}
}

// requestOf reads what an Authorizer needs. connect-go puts the host among the
// headers; it keeps the state of the connection to itself.
func requestOf(spec connect.Spec, peer connect.Peer, header http.Header) interceptor.Request {
	req := interceptor.Request{
		Procedure:      spec.Procedure,
		Authorization:  header["Authorization"],
		QueryToken:     len(peer.Query) > 0 && peer.Query.Has("access_token"),
		RemoteAddr:     peer.Addr,
		Forwarded:      header["Forwarded"],
		ForwardedHost:  header["X-Forwarded-Host"],
		ForwardedProto: header["X-Forwarded-Proto"],
	}
	if host := header["Host"]; len(host) == 1 {
		req.Host = host[0]
	}
	return req
}

// refuse turns a denial into an error of Connect, and tells the bridge that
// this one is told already.
func refuse(ctx context.Context, err error, procedure string) (*connect.Error, *interceptor.ChallengeError) {
	denial := interceptor.DenialOf(err)
	recorder.FromContext(ctx).Answers(procedure, denial)
	return newError(denial), denial
}
