package rpctest

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
)

// GRPCServer serves both services with grpc-go.
func (h *Handlers) GRPCServer(options ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(options...)
	for _, service := range []string{GuardedService, PublicService} {
		server.RegisterService(&grpc.ServiceDesc{
			ServiceName: service,
			HandlerType: (*any)(nil),
			Methods:     []grpc.MethodDesc{{MethodName: Unary, Handler: h.grpcUnary(Procedure(service, Unary))}},
			Streams: []grpc.StreamDesc{
				{StreamName: Client, Handler: h.grpcClient, ClientStreams: true},
				{StreamName: Server, Handler: h.grpcServer, ServerStreams: true},
				{StreamName: Bidi, Handler: h.grpcBidi, ClientStreams: true, ServerStreams: true},
			},
		}, h)
	}
	return server
}

func (h *Handlers) grpcUnary(procedure string) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		message := new(Message)
		if err := decode(message); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, _ any) (any, error) {
			h.ran.Add(1)
			return &Message{Value: Greeting(ctx, message.GetValue())}, nil
		}
		if interceptor == nil {
			return handler(ctx, message)
		}
		return interceptor(ctx, message, &grpc.UnaryServerInfo{Server: srv, FullMethod: procedure}, handler)
	}
}

func (h *Handlers) grpcClient(_ any, stream grpc.ServerStream) error {
	h.ran.Add(1)
	last := new(Message)
	for {
		message := new(Message)
		err := stream.RecvMsg(message)
		if errors.Is(err, io.EOF) {
			return stream.SendMsg(&Message{Value: Greeting(stream.Context(), last.GetValue())})
		}
		if err != nil {
			return err
		}
		last = message
	}
}

func (h *Handlers) grpcServer(_ any, stream grpc.ServerStream) error {
	h.ran.Add(1)
	message := new(Message)
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	return stream.SendMsg(&Message{Value: Greeting(stream.Context(), message.GetValue())})
}

func (h *Handlers) grpcBidi(_ any, stream grpc.ServerStream) error {
	h.ran.Add(1)
	for {
		message := new(Message)
		err := stream.RecvMsg(message)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&Message{Value: Greeting(stream.Context(), message.GetValue())}); err != nil {
			return err
		}
	}
}

// CallGRPC calls a procedure with grpc-go and returns the last message of the
// answer. Credentials go into the outgoing metadata of ctx.
func CallGRPC(ctx context.Context, conn *grpc.ClientConn, service, method string, options ...grpc.CallOption) (string, error) {
	message, answer := &Message{Value: "hello"}, new(Message)
	if method == Unary {
		err := conn.Invoke(ctx, Procedure(service, method), message, answer, options...)
		return answer.GetValue(), err
	}
	desc := &grpc.StreamDesc{
		StreamName:    method,
		ClientStreams: method == Client || method == Bidi,
		ServerStreams: method == Server || method == Bidi,
	}
	stream, err := conn.NewStream(ctx, desc, Procedure(service, method), options...)
	if err != nil {
		return "", err
	}
	// io.EOF means that the server has ended the stream; RecvMsg returns the reason.
	if err := stream.SendMsg(message); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if err := stream.CloseSend(); err != nil {
		return "", err
	}
	if err := stream.RecvMsg(answer); err != nil {
		return "", err
	}
	if desc.ServerStreams {
		if err := stream.RecvMsg(new(Message)); !errors.Is(err, io.EOF) {
			return "", err
		}
	}
	return answer.GetValue(), nil
}
