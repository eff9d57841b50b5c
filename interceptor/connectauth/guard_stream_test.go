package connectauth_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

type (
	message      = rpctest.Message
	clientStream = connect.ClientStream[message]
	serverStream = connect.ServerStream[message]
	bidiStream   = connect.BidiStream[message, message]
)

// streamHandlers are handlers of streams whose token expires while they run.
var streamHandlers = []struct {
	name, method string
	handler      func(procedure string, options ...connect.HandlerOption) http.Handler
	sent         int // messages that arrive before
}{
	{"receives", rpctest.Client, newClientHandler(func(ctx context.Context, stream *clientStream) (*connect.Response[message], error) {
		stream.Receive()
		untilExpiry(ctx)
		stream.Receive()
		return nil, stream.Err()
	}), 0},
	{"ignores the error of Receive", rpctest.Client, newClientHandler(func(ctx context.Context, stream *clientStream) (*connect.Response[message], error) {
		stream.Receive()
		untilExpiry(ctx)
		for stream.Receive() {
		}
		return connect.NewResponse(&message{Value: "too late"}), nil
	}), 0},
	{"sends", rpctest.Server, newServerHandler(func(ctx context.Context, _ *connect.Request[message], stream *serverStream) error {
		if err := stream.Send(&message{Value: "in time"}); err != nil {
			return err
		}
		untilExpiry(ctx)
		return stream.Send(&message{Value: "too late"})
	}), 1},
	{"sends first", rpctest.Server, newServerHandler(func(ctx context.Context, _ *connect.Request[message], stream *serverStream) error {
		untilExpiry(ctx)
		return stream.Send(&message{Value: "too late"})
	}), 0},
	{"ignores the errors of Send", rpctest.Server, newServerHandler(func(ctx context.Context, _ *connect.Request[message], stream *serverStream) error {
		_ = stream.Send(&message{Value: "in time"})
		untilExpiry(ctx)
		for range 10 {
			if err := stream.Send(&message{Value: "too late"}); err == nil {
				return errors.New("sent")
			}
		}
		return nil
	}), 1},
	{"fails otherwise after errors of Send", rpctest.Server, newServerHandler(func(ctx context.Context, _ *connect.Request[message], stream *serverStream) error {
		untilExpiry(ctx)
		_ = stream.Send(&message{Value: "too late"})
		return connect.NewError(connect.CodeAborted, errors.New("cleaning up"))
	}), 0},
	{"receives of two", rpctest.Bidi, newBidiHandler(func(ctx context.Context, stream *bidiStream) error {
		_, _ = stream.Receive()
		untilExpiry(ctx)
		_, err := stream.Receive()
		return err
	}), 0},
	{"ignores the error of Receive, and sends nothing", rpctest.Bidi, newBidiHandler(func(ctx context.Context, stream *bidiStream) error {
		_, _ = stream.Receive()
		untilExpiry(ctx)
		_, _ = stream.Receive()
		return nil
	}), 0},
	{"ignores all errors", rpctest.Bidi, newBidiHandler(func(ctx context.Context, stream *bidiStream) error {
		_ = stream.Send(&message{Value: "in time"})
		untilExpiry(ctx)
		_, _ = stream.Receive()
		_ = stream.Send(&message{Value: "too late"})
		return nil
	}), 1},
}

func newClientHandler(do func(context.Context, *clientStream) (*connect.Response[message], error)) func(string, ...connect.HandlerOption) http.Handler {
	return func(procedure string, options ...connect.HandlerOption) http.Handler {
		return connect.NewClientStreamHandler(procedure, do, options...)
	}
}

func newServerHandler(do func(context.Context, *connect.Request[message], *serverStream) error) func(string, ...connect.HandlerOption) http.Handler {
	return func(procedure string, options ...connect.HandlerOption) http.Handler {
		return connect.NewServerStreamHandler(procedure, do, options...)
	}
}

func newBidiHandler(do func(context.Context, *bidiStream) error) func(string, ...connect.HandlerOption) http.Handler {
	return func(procedure string, options ...connect.HandlerOption) http.Handler {
		return connect.NewBidiStreamHandler(procedure, do, options...)
	}
}

// TestStreamEndsWithToken: the first message after the token has expired is
// refused, in either direction and for every kind of stream, and the client
// reads the denial, whatever the handler makes of it (R9068-4.b, R9068-4.c).
func TestStreamEndsWithToken(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		for _, row := range streamHandlers {
			for _, over := range protocols {
				for _, option := range []connect.ClientOption{over.option, connect.WithClientOptions(over.option, connect.WithSendGzip())} {
					t.Run(guard.name+"/"+row.name+"/"+over.name, func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							w := newWorld(t)
							w.Verifier.Lifetime = time.Second
							procedure := rpctest.Procedure(rpctest.GuardedService, row.method)
							mux := http.NewServeMux()
							mux.Handle(procedure, row.handler(procedure, guard.option(w.Authorizer)))
							client, stop := serveOverPipes(guard.wrap(w.Authorizer, mux))
							defer stop()
							got, err := converse(t, client, procedure, option)
							if len(got) != row.sent {
								t.Errorf("R9068-4.b: received %q", got)
							}
							if strings.HasPrefix(row.name, "fails otherwise") && guard.name != "guard" {
								if connect.CodeOf(err) != connect.CodeAborted {
									t.Errorf("got %v", err)
								}
								return
							}
							checkExpired(t, err)
							if n := w.Log.Logged.Load(); n != 1 {
								t.Errorf("SEED-1: logged %d times", n)
							}
						})
					})
				}
			}
		}
	}
}

// pipes is a listener of connections within the process.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	server, client := net.Pipe()
	p.accepted <- server
	return client, nil
}

// serveOverPipes serves a handler over HTTP/2 without a network, which a
// [synctest] bubble needs, and returns a client of it.
func serveOverPipes(handler http.Handler) (client *http.Client, stop func()) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	listener := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, Protocols: protocols, ReadHeaderTimeout: time.Minute}
	transport := &http.Transport{Protocols: protocols, DialContext: listener.dial}
	go func() { _ = server.Serve(listener) }()
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	}
}

// converse opens a stream, sends until it is refused, and returns the messages
// that it has received and the error that ended it.
func converse(t *testing.T, client connect.HTTPClient, procedure string, option connect.ClientOption) (received []string, err error) {
	t.Helper()
	stream := connect.NewClient[message, message](client, "http://api.example.com"+procedure, option).CallBidiStream(t.Context())
	defer stream.CloseResponse()
	stream.RequestHeader().Set("Authorization", "Bearer "+tokenGood)
	if strings.HasSuffix(procedure, rpctest.Server) {
		_ = stream.Send(&message{Value: "hello"})
		_ = stream.CloseRequest()
	} else {
		done := make(chan struct{})
		sender := make(chan struct{})
		go func() {
			defer close(sender)
			for {
				select {
				case <-done:
					return
				case <-time.After(10 * time.Millisecond):
					if stream.Send(&message{Value: "hello"}) != nil {
						return
					}
				}
			}
		}()
		defer func() { close(done); <-sender; _ = stream.CloseRequest() }()
	}
	for {
		got, err := stream.Receive()
		if err != nil {
			return received, err
		}
		received = append(received, got.GetValue())
	}
}

// TestStreamOfGRPCGo: grpc-go writes a message without looking at errors; behind
// the guard, nothing of it passes, and the stream ends with the denial
// (R9068-4.b, R9068-4.c).
func TestStreamOfGRPCGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Verifier.Lifetime = time.Second
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		_ = stream.SendMsg(&message{Value: "in time"})
		time.Sleep(1100 * time.Millisecond)
		for range 10 {
			_ = stream.SendMsg(&message{Value: strings.Repeat("too late", 100)})
		}
		return nil
	}))
	url := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, server))
	stream, err := rpctest.DialGRPC(t, strings.TrimPrefix(url, "http://")).NewStream(outgoing(t.Context(), tokenGood),
		&grpc.StreamDesc{ServerStreams: true}, rpctest.Procedure(rpctest.GuardedService, rpctest.Server))
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.SendMsg(&message{Value: "hello"})
	_ = stream.CloseSend()
	got := new(message)
	if err := stream.RecvMsg(got); err != nil || got.GetValue() != "in time" {
		t.Fatalf("got %v, %v", got, err)
	}
	err = stream.RecvMsg(got)
	if status.Code(err) != codes.Unauthenticated || len(status.Convert(err).Details()) != 2 {
		t.Errorf("R9068-4.c: got %v, %v", got, err)
	}
}

// TestUnaryIsNotWrapped: a unary call that was let in is finished, over every
// protocol, and its handler sees the writer and the body of the server.
func TestUnaryIsNotWrapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for lifetime, kinds := range map[time.Duration][]string{-time.Second: {rpctest.Unary}, 0: rpctest.Kinds} {
		w.Verifier.Lifetime = lifetime
		for _, contentType := range []string{"application/proto", "application/json", "application/connect+proto", "application/grpc", "application/grpc-web+proto", "text/plain", ""} {
			for _, method := range kinds {
				res := httptest.NewRecorder()
				req := newHTTPRequest(t, http.MethodPost, rpctest.Procedure(rpctest.GuardedService, method), "Content-Type", contentType, "Authorization", "Bearer "+tokenGood)
				if strings.HasPrefix(contentType, "application/connect+") && method == rpctest.Unary {
					continue // No unary call.
				}
				ran := 0
				guarded := connectauth.Guard(w.Authorizer, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if ran++; rw != http.ResponseWriter(res) || r.Body != req.Body {
						t.Errorf("%s of %s: it is wrapped", contentType, method)
					}
				}))
				for range 2 { // The kind of a procedure is kept.
					guarded.ServeHTTP(res, req)
				}
				if ran != 2 {
					t.Errorf("%s of %s: the handler ran %d times", contentType, method, ran)
				}
			}
		}
	}
}

// written is a writer that cuts writes short.
type written struct {
	*httptest.ResponseRecorder

	most int
}

func (w *written) Write(data []byte) (int, error) {
	if len(data) > w.most {
		n, _ := w.ResponseRecorder.Write(data[:w.most])
		return n, io.ErrShortWrite
	}
	return w.ResponseRecorder.Write(data)
}

// openStream serves a stream with handler, in memory, with a token that expires
// after a second.
func openStream(t *testing.T, w http.ResponseWriter, contentType string, body io.Reader, handler http.HandlerFunc) {
	t.Helper()
	world := newWorld(t)
	world.Verifier.Lifetime = time.Second
	req := newHTTPRequest(t, http.MethodPost, rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi),
		"Content-Type", contentType, "Authorization", "Bearer "+tokenGood)
	req.Body = io.NopCloser(body)
	connectauth.Guard(world.Authorizer, handler).ServeHTTP(w, req.WithContext(context.Background()))
}

func envelope(flags byte, data string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(data))), data...)
}

// TestStreamWriter: the response writer of a stream keeps the optional methods of
// the server's, and counts the bytes that were written, not those that were passed
// to it.
func TestStreamWriter(t *testing.T) {
	t.Parallel()
	const stream = "application/connect+proto"
	t.Run("short writes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := &written{httptest.NewRecorder(), 7}
			openStream(t, w, stream, http.NoBody, func(rw http.ResponseWriter, _ *http.Request) {
				data := append(envelope(0, "abcdef"), envelope(0, "g")...)
				n, err := rw.Write(data)
				if n != 7 || !errors.Is(err, io.ErrShortWrite) {
					t.Errorf("wrote %d, %v", n, err)
				}
				time.Sleep(time.Second)
				if n, err := rw.Write(data[7:11]); n != 4 || err != nil {
					t.Errorf("the rest: wrote %d, %v", n, err)
				}
				if n, err := rw.Write(data[11:]); n != 0 || err == nil {
					t.Errorf("R9068-4.b: the next: wrote %d, %v", n, err)
				}
			})
			if !bytes.Equal(w.Body.Bytes(), envelope(0, "abcdef")) {
				t.Errorf("got %q", w.Body)
			}
		})
	})
	t.Run("the text form of gRPC-Web", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := httptest.NewRecorder()
			openStream(t, w, "application/grpc-web-text+proto", http.NoBody, func(rw http.ResponseWriter, _ *http.Request) {
				_, before := rw.Write([]byte("AAAAAAA="))
				time.Sleep(time.Second)
				_, after := rw.Write([]byte("gAAAAAA="))
				if before != nil || after == nil {
					t.Errorf("R9068-4.b: got %v, then %v", before, after)
				}
			})
			if w.Body.String() != "AAAAAAA=" {
				t.Errorf("R9068-4.b: got %q", w.Body)
			}
		})
	})
	t.Run("control", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		openStream(t, w, stream, strings.NewReader("x"), func(rw http.ResponseWriter, r *http.Request) {
			if _, ok := rw.(http.Flusher); !ok {
				t.Error("connect-go asks for a Flusher")
			}
			rw.WriteHeader(http.StatusAccepted)
			if n, err := rw.Write(nil); n != 0 || err != nil {
				t.Errorf("nothing: wrote %d, %v", n, err)
			}
			if err := http.NewResponseController(rw).Flush(); err != nil {
				t.Error(err)
			}
			if err := http.NewResponseController(rw).SetReadDeadline(time.Time{}); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("the writer is not unwrapped: %v", err)
			}
			if data, err := io.ReadAll(r.Body); string(data) != "x" || err != nil {
				t.Errorf("read %q, %v", data, err)
			}
			if err := r.Body.Close(); err != nil {
				t.Error(err)
			}
		})
		if w.Code != http.StatusAccepted || !w.Flushed {
			t.Errorf("got %d, flushed %t", w.Code, w.Flushed)
		}
	})
	t.Run("the end of the request", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			openStream(t, httptest.NewRecorder(), stream, http.NoBody, func(_ http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				n, err := r.Body.Read(make([]byte, 1))
				if denial, ok := connectauth.FromError(err); n != 0 || !ok || denial.Reason != challenge.ReasonInvalidToken {
					t.Errorf("R9068-4.b: read %d, %v", n, err)
				}
			})
		})
	})
}

// TestUndescribedProcedure: nothing is known of the kind of a procedure without a
// descriptor, so its messages end with the token (R9068-4.b).
func TestUndescribedProcedure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, allowNowhere)
		w.Verifier.Lifetime = time.Second
		res := httptest.NewRecorder()
		req := newHTTPRequest(t, http.MethodPost, nowhereUnary, "Content-Type", "application/grpc", "Authorization", "Bearer "+tokenGood)
		connectauth.Guard(w.Authorizer, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			_, err := rw.Write(envelope(0, "too late"))
			if denial, ok := connectauth.FromError(err); !ok || denial.Reason != challenge.ReasonInvalidToken {
				t.Errorf("R9068-4.c: got %v", err)
			}
		})).ServeHTTP(res, req)
		if res.Body.Len() != 0 {
			t.Errorf("R9068-4.b: got %q", res.Body)
		}
	})
}
