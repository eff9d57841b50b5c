package rpctest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// Message is every message of the services.
type Message = wrapperspb.StringValue

// ConnectMux serves both services over Connect, gRPC and gRPC-Web.
func (h *Handlers) ConnectMux(options ...connect.HandlerOption) *http.ServeMux {
	mux := http.NewServeMux()
	for _, service := range []string{GuardedService, PublicService} {
		at := func(method string) string { return Procedure(service, method) }
		mux.Handle(at(Unary), connect.NewUnaryHandler(at(Unary), h.connectUnary, options...))
		mux.Handle(at(Client), connect.NewClientStreamHandler(at(Client), h.connectClient, options...))
		mux.Handle(at(Server), connect.NewServerStreamHandler(at(Server), h.connectServer, options...))
		mux.Handle(at(Bidi), connect.NewBidiStreamHandler(at(Bidi), h.connectBidi, options...))
	}
	return mux
}

// Greeting is the reply of every handler: the message and its sender.
func Greeting(ctx context.Context, message string) string {
	info, ok := token.FromContext(ctx)
	if !ok {
		return message + " from anybody"
	}
	return message + " from " + info.Subject
}

func (h *Handlers) connectUnary(ctx context.Context, req *connect.Request[Message]) (*connect.Response[Message], error) {
	h.ran.Add(1)
	return connect.NewResponse(&Message{Value: Greeting(ctx, req.Msg.GetValue())}), nil
}

func (h *Handlers) connectClient(ctx context.Context, stream *connect.ClientStream[Message]) (*connect.Response[Message], error) {
	h.ran.Add(1)
	var last string
	for stream.Receive() {
		last = stream.Msg().GetValue()
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return connect.NewResponse(&Message{Value: Greeting(ctx, last)}), nil
}

func (h *Handlers) connectServer(ctx context.Context, req *connect.Request[Message], stream *connect.ServerStream[Message]) error {
	h.ran.Add(1)
	return stream.Send(&Message{Value: Greeting(ctx, req.Msg.GetValue())})
}

func (h *Handlers) connectBidi(ctx context.Context, stream *connect.BidiStream[Message, Message]) error {
	h.ran.Add(1)
	for {
		message, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&Message{Value: Greeting(ctx, message.GetValue())}); err != nil {
			return err
		}
	}
}

// CallConnect calls a procedure over one of the protocols of Connect and returns
// the last message of the answer.
func CallConnect(ctx context.Context, client connect.HTTPClient, url, service, method string, header http.Header, options ...connect.ClientOption) (string, error) {
	c := connect.NewClient[Message, Message](client, url+Procedure(service, method), options...)
	call, ok := map[string]func(context.Context, *connect.Client[Message, Message], http.Header) (string, error){
		Unary: callUnary, Client: callClient, Server: callServer, Bidi: callBidi,
	}[method]
	if !ok {
		return "", fmt.Errorf("rpctest: no method %q", method)
	}
	return call(ctx, c, header)
}

func callUnary(ctx context.Context, c *connect.Client[Message, Message], header http.Header) (string, error) {
	req := connect.NewRequest(hello())
	maps.Copy(req.Header(), header)
	res, err := c.CallUnary(ctx, req)
	if err != nil {
		return "", err
	}
	return res.Msg.GetValue(), nil
}

func callClient(ctx context.Context, c *connect.Client[Message, Message], header http.Header) (string, error) {
	stream := c.CallClientStream(ctx)
	maps.Copy(stream.RequestHeader(), header)
	// io.EOF means that the server has ended the stream; receiving returns the reason.
	if err := stream.Send(hello()); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	res, err := stream.CloseAndReceive()
	if err != nil {
		return "", err
	}
	return res.Msg.GetValue(), nil
}

func callServer(ctx context.Context, c *connect.Client[Message, Message], header http.Header) (string, error) {
	req := connect.NewRequest(hello())
	maps.Copy(req.Header(), header)
	stream, err := c.CallServerStream(ctx, req)
	if err != nil {
		return "", err
	}
	var last string
	for stream.Receive() {
		last = stream.Msg().GetValue()
	}
	return last, errors.Join(stream.Err(), stream.Close())
}

func callBidi(ctx context.Context, c *connect.Client[Message, Message], header http.Header) (string, error) {
	stream := c.CallBidiStream(ctx)
	maps.Copy(stream.RequestHeader(), header)
	if err := stream.Send(hello()); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if err := stream.CloseRequest(); err != nil {
		return "", err
	}
	answer, err := stream.Receive()
	closeErr := stream.CloseResponse()
	if err != nil {
		return "", err
	}
	return answer.GetValue(), closeErr
}

func hello() *Message { return &Message{Value: "hello"} }
