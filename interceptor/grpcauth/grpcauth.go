// Package grpcauth brings the decisions of an [interceptor.Authorizer] to
// grpc-go servers, for unary calls and all kinds of streams.
//
// [ServerOptions] is what a server wants: a server that installs only one of
// the two interceptors leaves the other half open.
package grpcauth

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// ServerOptions guards a server. Each call is authorised by its method, unary
// and streams alike. A stream ends when the token that opened it expires: with
// the next message in either direction.
//
// A method that no service of the server has is authorised too, so that only a
// caller with a valid token learns that it does not exist. (grpc-go decodes the
// message of a unary call before interceptors run; a message that is none is
// refused as such, to anybody.) A server with an
// UnknownServiceHandler of its own adds it after these options; it is guarded
// then.
func ServerOptions(a *interceptor.Authorizer) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(UnaryServerInterceptor(a)),
		grpc.ChainStreamInterceptor(StreamServerInterceptor(a)),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
			return status.Error(codes.Unimplemented, "no such service or method")
		}),
	}
}

// UnaryServerInterceptor guards unary calls, and nothing else: streams need
// [StreamServerInterceptor] beside it. It is for servers that place it among
// other interceptors.
func UnaryServerInterceptor(a *interceptor.Authorizer) grpc.UnaryServerInterceptor {
	g := guard{authorizer: a}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		authorized, err := g.authorize(ctx, info.FullMethod)
		if err != nil {
			return nil, err
		}
		return handler(authorized, req)
	}
}

// StreamServerInterceptor guards streams, and nothing else: unary calls need
// [UnaryServerInterceptor] beside it.
func StreamServerInterceptor(a *interceptor.Authorizer) grpc.StreamServerInterceptor {
	g := guard{authorizer: a}
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		authorized, err := g.authorize(stream.Context(), info.FullMethod)
		if err != nil {
			return err
		}
		token, _ := interceptor.TokenInfoFromContext(authorized)
		return handler(srv, &authorizedStream{
			ServerStream: stream,
			ctx:          authorized,
			guard:        &g,
			token:        token,
			procedure:    info.FullMethod,
		})
	}
}

// guard is what both interceptors do.
type guard struct {
	authorizer *interceptor.Authorizer
	refusals   refusals
}

func (g *guard) authorize(ctx context.Context, procedure string) (context.Context, error) {
	authorized, err := g.authorizer.AuthorizeContext(ctx, g.requestOf(ctx, procedure))
	if err != nil {
		return nil, g.refusals.refuse(ctx, err)
	}
	return authorized, nil
}

// requestOf reads what the Authorizer needs. Each look into the metadata copies,
// so the host is left alone where it makes no difference.
func (g *guard) requestOf(ctx context.Context, procedure string) interceptor.Request {
	req := interceptor.Request{
		Procedure:     procedure,
		Authorization: metadata.ValueFromIncomingContext(ctx, "authorization"),
	}
	if !g.authorizer.UsesHost() {
		return req
	}
	if authority := metadata.ValueFromIncomingContext(ctx, ":authority"); len(authority) == 1 {
		req.Host = authority[0]
	}
	req.Forwarded = metadata.ValueFromIncomingContext(ctx, "forwarded")
	req.ForwardedHost = metadata.ValueFromIncomingContext(ctx, "x-forwarded-host")
	req.ForwardedProto = metadata.ValueFromIncomingContext(ctx, "x-forwarded-proto")
	if from, ok := peer.FromContext(ctx); ok {
		if req.Forwarded != nil || req.ForwardedHost != nil || req.ForwardedProto != nil {
			req.RemoteAddr = from.Addr.String()
		}
		if encrypted, ok := from.AuthInfo.(credentials.TLSInfo); ok {
			req.TLS = &encrypted.State
		}
	}
	return req
}
