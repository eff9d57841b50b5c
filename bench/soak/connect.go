package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"

	"connectrpc.com/connect"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// A conversation is a stream of messages on the side of a client. The errors are
// those of the framework.
type conversation struct {
	send      func() error
	closeSend func() error
	receive   func() (subject string, err error)
	close     func()
	verdict   func(error) verdict // of an error that is not io.EOF
}

// clientKey names a client of connect-go.
type clientKey struct {
	surface   int
	procedure string
}

// connectClients returns a client for each procedure over each protocol.
func connectClients(http1, http2 *http.Client, origin string) map[clientKey]*connect.Client[message, message] {
	clients := make(map[clientKey]*connect.Client[message, message])
	for _, service := range rpcServices {
		for _, method := range methods {
			procedure := "/" + service + "/" + method
			add := func(surface int, client *http.Client, options ...connect.ClientOption) {
				clients[clientKey{surface, procedure}] = connect.NewClient[message, message](client, origin+procedure, options...)
			}
			add(connectJSON, http1, connect.WithProtoJSON())
			add(connectProto, http2)
			add(connectStream, http2)
			add(grpcByConnect, http2, connect.WithGRPC())
			add(grpcWeb, http2, connect.WithGRPCWeb())
		}
	}
	return clients
}

func (w *world) connectClient(r *request) *connect.Client[message, message] {
	return w.clients[clientKey{r.surface, r.procedure}]
}

// connectUnary calls a unary method with connect-go.
func (w *world) connectUnary(ctx context.Context, r *request) verdict {
	req := connect.NewRequest(&message{Value: "hello"})
	maps.Copy(req.Header(), r.header())
	res, err := w.connectClient(r).CallUnary(ctx, req)
	if err != nil {
		return connectVerdict(err)
	}
	return verdict{allowed, res.Msg.GetValue()}
}

// connectConversation opens a stream with connect-go. Every kind of stream has the
// same framing.
func (w *world) connectConversation(ctx context.Context, r *request) (*conversation, error) {
	stream := w.connectClient(r).CallBidiStream(ctx)
	maps.Copy(stream.RequestHeader(), r.header())
	return &conversation{
		send:      func() error { return stream.Send(&message{Value: "hello"}) },
		closeSend: stream.CloseRequest,
		receive: func() (string, error) {
			received, err := stream.Receive()
			return received.GetValue(), err
		},
		close:   func() { _ = stream.CloseResponse() }, // the verdict has been read
		verdict: connectVerdict,
	}, nil
}

func connectVerdict(err error) verdict {
	wire, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return verdict{failed, err.Error()}
	}
	var challenges []*drawbridgev1.Challenge
	for _, detail := range wire.Details() {
		if value, err := detail.Value(); err == nil {
			if challenge, ok := value.(*drawbridgev1.Challenge); ok {
				challenges = append(challenges, challenge)
			}
		}
	}
	return classify(uint32(wire.Code()), challenges, err)
}

// grpcUnary calls a unary method with grpc-go.
func (w *world) grpcUnary(ctx context.Context, r *request) verdict {
	answer := new(message)
	if err := w.conn.Invoke(r.outgoing(ctx), r.procedure, &message{Value: "hello"}, answer); err != nil {
		return grpcVerdict(err)
	}
	return verdict{allowed, answer.GetValue()}
}

// grpcConversation opens a stream with grpc-go.
func (w *world) grpcConversation(ctx context.Context, r *request) (*conversation, error) {
	desc := &grpc.StreamDesc{StreamName: r.method, ClientStreams: true, ServerStreams: true} // every kind has the same framing
	stream, err := w.conn.NewStream(r.outgoing(ctx), desc, r.procedure)
	if err != nil {
		return nil, err
	}
	return &conversation{
		send:      func() error { return stream.SendMsg(&message{Value: "hello"}) },
		closeSend: stream.CloseSend,
		receive: func() (string, error) {
			received := new(message)
			err := stream.RecvMsg(received)
			return received.GetValue(), err
		},
		close:   func() {},
		verdict: grpcVerdict,
	}, nil
}

func grpcVerdict(err error) verdict {
	wire, ok := status.FromError(err)
	if !ok {
		return verdict{failed, err.Error()}
	}
	var challenges []*drawbridgev1.Challenge
	for _, detail := range wire.Details() {
		if challenge, ok := detail.(*drawbridgev1.Challenge); ok {
			challenges = append(challenges, challenge)
		}
	}
	return classify(uint32(wire.Code()), challenges, err)
}

// converse opens a stream of the surface.
func (w *world) converse(ctx context.Context, r *request) (*conversation, error) {
	if r.surface == grpcGo {
		return w.grpcConversation(ctx, r)
	}
	return w.connectConversation(ctx, r)
}

// stream sends one message over a stream, and reads it to its end.
func (w *world) stream(ctx context.Context, r *request) verdict {
	c, err := w.converse(ctx, r)
	if err != nil {
		return grpcVerdict(err)
	}
	defer c.close()
	// io.EOF means that the server has ended the stream; receiving returns why.
	if err := c.send(); err != nil && !errors.Is(err, io.EOF) {
		return c.verdict(err)
	}
	if err := c.closeSend(); err != nil {
		return verdict{failed, err.Error()}
	}
	return c.rest(verdict{failed, "the stream has no message"})
}

// rest reads a stream to its end. The verdict is that of the last message, unless
// the stream ends with an error; before any, it is the given one.
func (c *conversation) rest(last verdict) verdict {
	for {
		subject, err := c.receive()
		switch {
		case errors.Is(err, io.EOF):
			return last
		case err != nil:
			return c.verdict(err)
		}
		last = verdict{allowed, subject}
	}
}
