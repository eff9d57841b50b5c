package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type message = wrapperspb.StringValue

// The header fields with which a call says what the handler is to do.
const (
	slotField   = "Soak-Slot"   // the slot of the worker
	expiryField = "Soak-Expiry" // of the token, in nanoseconds, if the stream is to outlive it
)

// A slot is what handlers note of the calls of one worker, which makes one call at
// a time.
type slot struct {
	runs   atomic.Int64 // calls that reached the code of a handler
	late   atomic.Int64 // messages that passed after the token of the stream had expired
	closed atomic.Bool  // the client has closed a stream after that
	ended  atomic.Bool  // and the handler has taken that for its proper end
}

// beyond is how long a stream goes on after the expiry of its token, if it is not
// ended, and beat the time between its messages.
const (
	beyond = 300 * time.Millisecond
	beat   = 20 * time.Millisecond
)

// pipe is a stream of messages on the side of a server.
type pipe struct {
	receive func() (string, error) // io.EOF at the end
	send    func(string) error
}

// handlers are the code of the services.
type handlers struct{ slots []slot }

// enter notes that a call has reached a handler.
func (h *handlers) enter(values func(name string) string) (*slot, time.Time) {
	number, _ := strconv.Atoi(values(slotField)) // malformed, it is the slot of none
	s := &h.slots[number]
	s.runs.Add(1)
	nanoseconds, err := strconv.ParseInt(values(expiryField), 10, 64)
	if err != nil {
		return s, time.Time{}
	}
	return s, time.Unix(0, nanoseconds)
}

// subject returns that of the caller as a handler sees it.
func subject(ctx context.Context) string {
	info, ok := token.FromContext(ctx)
	if !ok {
		return anonymous
	}
	return info.Subject
}

// stream serves a stream. Its kind is the name of its service.
func (h *handlers) stream(ctx context.Context, kind string, values func(string) string, p pipe) error {
	s, expiry := h.enter(values)
	who := subject(ctx)
	answer := p.send
	if who != anonymous && !expiry.IsZero() {
		p = s.watch(p, expiry)
	}
	if kind == serverService {
		return pour(p, who, expiry)
	}
	for {
		_, err := p.receive()
		switch {
		case errors.Is(err, io.EOF):
			s.ended.Store(s.closed.Load())
			if kind == clientService {
				return answer(who)
			}
			return nil
		case err != nil:
			return err
		}
		if kind == bidiService {
			if err := p.send(who); err != nil {
				return err
			}
		}
	}
}

// pour sends one message or, if the stream is to outlive its token, one after the
// other.
func pour(p pipe, who string, expiry time.Time) error {
	if _, err := p.receive(); err != nil {
		return err
	}
	for {
		if err := p.send(who); err != nil || time.Now().After(expiry.Add(beyond)) {
			return err
		}
		time.Sleep(beat)
	}
}

// watch returns a pipe that notes each message that passes after the expiry.
func (s *slot) watch(p pipe, expiry time.Time) pipe {
	note := func(begun time.Time, err error) {
		if err == nil && !begun.Before(expiry) {
			s.late.Add(1)
		}
	}
	return pipe{
		receive: func() (string, error) {
			begun := time.Now()
			text, err := p.receive()
			note(begun, err)
			return text, err
		},
		send: func(text string) error {
			begun := time.Now()
			err := p.send(text)
			note(begun, err)
			return err
		},
	}
}

// mux serves the services over Connect, gRPC and gRPC-Web.
func (h *handlers) mux() *http.ServeMux {
	mux := http.NewServeMux()
	plainly := connect.WithCompressMinBytes(1 << 10)
	for _, method := range methods {
		at := func(service string) string { return "/" + service + "/" + method }
		mux.Handle(at(unaryService), connect.NewUnaryHandler(at(unaryService), h.connectUnary, plainly))
		mux.Handle(at(clientService), connect.NewClientStreamHandler(at(clientService), h.connectClient, plainly))
		mux.Handle(at(serverService), connect.NewServerStreamHandler(at(serverService), h.connectServer, plainly))
		mux.Handle(at(bidiService), connect.NewBidiStreamHandler(at(bidiService), h.connectBidi, plainly))
	}
	return mux
}

func (h *handlers) connectUnary(ctx context.Context, req *connect.Request[message]) (*connect.Response[message], error) {
	h.enter(req.Header().Get)
	return connect.NewResponse(&message{Value: subject(ctx)}), nil
}

func (h *handlers) connectClient(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[message], error) {
	var answer message
	err := h.stream(ctx, clientService, stream.RequestHeader().Get, pipe{
		receive: func() (string, error) {
			if stream.Receive() {
				return stream.Msg().GetValue(), nil
			}
			if err := stream.Err(); err != nil {
				return "", err
			}
			return "", io.EOF
		},
		send: func(text string) error {
			answer.Value = text
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&answer), nil
}

func (h *handlers) connectServer(ctx context.Context, req *connect.Request[message], stream *connect.ServerStream[message]) error {
	return h.stream(ctx, serverService, req.Header().Get, pipe{
		receive: func() (string, error) { return req.Msg.GetValue(), nil },
		send:    func(text string) error { return stream.Send(&message{Value: text}) },
	})
}

func (h *handlers) connectBidi(ctx context.Context, stream *connect.BidiStream[message, message]) error {
	return h.stream(ctx, bidiService, stream.RequestHeader().Get, pipe{
		receive: func() (string, error) {
			received, err := stream.Receive()
			return received.GetValue(), err
		},
		send: func(text string) error { return stream.Send(&message{Value: text}) },
	})
}

// register serves the services with grpc-go.
func (h *handlers) register(server *grpc.Server) {
	for _, service := range rpcServices {
		desc := &grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil)}
		for _, method := range methods {
			if service == unaryService {
				desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: method, Handler: h.grpcUnary("/" + service + "/" + method)})
				continue
			}
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName:    method,
				Handler:       h.grpcStream(service),
				ClientStreams: service != serverService,
				ServerStreams: service != clientService,
			})
		}
		server.RegisterService(desc, h)
	}
}

// grpcUnary is what protoc-gen-go-grpc generates for a unary method.
func (h *handlers) grpcUnary(procedure string) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := new(message)
		if err := decode(in); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, _ any) (any, error) {
			h.enter(metadataOf(ctx))
			return &message{Value: subject(ctx)}, nil
		}
		if interceptor == nil {
			return handler(ctx, in)
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: procedure}, handler)
	}
}

func (h *handlers) grpcStream(kind string) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		return h.stream(stream.Context(), kind, metadataOf(stream.Context()), pipe{
			receive: func() (string, error) {
				in := new(message)
				err := stream.RecvMsg(in)
				return in.GetValue(), err
			},
			send: func(text string) error { return stream.SendMsg(&message{Value: text}) },
		})
	}
}

func metadataOf(ctx context.Context) func(string) string {
	return func(name string) string {
		if values := metadata.ValueFromIncomingContext(ctx, name); len(values) == 1 {
			return values[0]
		}
		return ""
	}
}
