// Package grpcauth carries the decisions of a [drawbridge.Authorizer] to grpc-go
// servers, for unary calls and all kinds of streams.
//
// Most servers use [ServerOptions]: a server that installs only one of the two
// interceptors leaves the other half open.
package grpcauth

import (
	"context"
	"crypto/tls"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge"
)

// ServerOptions guards a server. Each call is authorized by its method, unary
// and streams alike. A stream ends when the token that opened it expires: with
// the next message in either direction, or before the handler learns that the client
// sends nothing more. The one response of a client stream whose request has ended in
// time is sent. A handler returns a denial of its own as it is, see [NewError].
//
// A method that no service of the server has is authorized too, so that only a
// caller with a valid token learns that it does not exist; it gets unimplemented.
// The challenge for a method with a rule names the scopes of the rule, so it shows
// that there is one.
// grpc-go decodes the message of a unary call before interceptors run; a malformed
// message is rejected before authorization. A server with an
// UnknownServiceHandler of its own adds it after these options; it is guarded
// then.
//
// A public rule for a service that the server does not have is legal, and every
// caller gets unimplemented, which clients of gRPC wait for. A server wants such
// rules if its clients check its health (grpc.health.v1.Health), fall back from
// one version of reflection to another (grpc.reflection.v1.ServerReflection,
// grpc.reflection.v1alpha.ServerReflection), or watch its load
// (xds.service.orca.v3.OpenRcaService): the channel itself makes these calls,
// without a token.
func ServerOptions(a *drawbridge.Authorizer) []grpc.ServerOption {
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
func UnaryServerInterceptor(a *drawbridge.Authorizer) grpc.UnaryServerInterceptor {
	adapter := a.Adapter()
	return func(ctx context.Context, message any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		req := drawbridge.Request{Procedure: info.FullMethod, Transport: incoming{}}
		req.Message, _ = message.(proto.Message)
		authorized, denial := adapter.Authorize(ctx, &req)
		if denial != nil {
			return nil, refuse(ctx, denial)
		}
		res, err := handler(authorized, message)
		if err != nil {
			return nil, returned(authorized, err)
		}
		return res, nil
	}
}

// StreamServerInterceptor guards streams, and nothing else: unary calls need
// [UnaryServerInterceptor] beside it.
func StreamServerInterceptor(a *drawbridge.Authorizer) grpc.StreamServerInterceptor {
	adapter := a.Adapter()
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		req := drawbridge.Request{Procedure: info.FullMethod, Transport: incoming{}}
		authorized, denial := adapter.Authorize(stream.Context(), &req)
		if denial != nil {
			return refuse(stream.Context(), denial)
		}
		guarded := &authorizedStream{ServerStream: stream, ctx: authorized, isClientStream: info.IsClientStream && !info.IsServerStream}
		guarded.expiry.Start(authorized, adapter.Caller(authorized), info.FullMethod)
		return guarded.result(handler(srv, guarded))
	}
}

// incoming reads the metadata of the call from its context. It has no size, so
// it costs no allocation.
type incoming struct{}

// Values looks metadata up one key at a time, because metadata.FromIncomingContext
// copies all of it.
func (incoming) Values(ctx context.Context, name string) []string {
	if name == "Authorization" {
		return metadata.ValueFromIncomingContext(ctx, "authorization")
	}
	return metadata.ValueFromIncomingContext(ctx, strings.ToLower(name))
}

func (incoming) Host(ctx context.Context) string {
	if authority := metadata.ValueFromIncomingContext(ctx, ":authority"); len(authority) == 1 {
		return authority[0]
	}
	return ""
}

func (incoming) Connection(ctx context.Context) (remoteAddr string, state *tls.ConnectionState) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return "", nil
	}
	if encrypted, ok := from.AuthInfo.(credentials.TLSInfo); ok {
		state = &encrypted.State
	}
	return from.Addr.String(), state
}
