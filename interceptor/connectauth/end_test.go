package connectauth_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// lifetime is that of the token of a request to a stream.
const lifetime = time.Second

// slowBody is a request with one message whose client half-closes after a while.
type slowBody struct {
	message io.Reader
	pause   time.Duration
}

func (b *slowBody) Read(data []byte) (int, error) {
	n, err := b.message.Read(data)
	if errors.Is(err, io.EOF) {
		time.Sleep(b.pause)
		b.pause = 0
	}
	return n, err
}

func (*slowBody) Close() error { return nil }

// streamed is what became of a stream.
type streamed struct {
	committed bool         // by the handler
	message   bool         // whether the response has one
	code      connect.Code // 0 if the call succeeded
}

// handlerOf returns the handler of a method. It receives all messages, commits, works
// for a while, and responds with one message.
func handlerOf(method string, work time.Duration, got *streamed, option connect.HandlerOption) http.Handler {
	type message = rpctest.Message
	procedure := rpctest.Procedure(rpctest.GuardedService, method)
	commit := func() *message {
		got.committed = true
		time.Sleep(work)
		return &message{Value: "committed"}
	}
	switch method {
	case rpctest.Client:
		return connect.NewClientStreamHandler(procedure, func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[message], error) {
			for stream.Receive() {
			}
			if err := stream.Err(); err != nil {
				return nil, err
			}
			return connect.NewResponse(commit()), nil
		}, option)
	case rpctest.Server:
		return connect.NewServerStreamHandler(procedure, func(_ context.Context, _ *connect.Request[message], stream *connect.ServerStream[message]) error {
			return stream.Send(commit())
		}, option)
	default:
		return connect.NewBidiStreamHandler(procedure, func(_ context.Context, stream *connect.BidiStream[message, message]) error {
			for {
				if _, err := stream.Receive(); errors.Is(err, io.EOF) {
					return stream.Send(commit())
				} else if err != nil {
					return err
				}
			}
		}, option)
	}
}

// TestEndOfRequest: a handler does not learn that a client sends nothing more, and so
// does not commit, if the token has expired before. Once it has learned it in time,
// the one response of a client stream is sent, as that of a unary call is; a stream
// of responses ends with the next one (R9068-4.b).
func TestEndOfRequest(t *testing.T) {
	t.Parallel()
	const refused = connect.CodeUnauthenticated
	for _, row := range []struct {
		name, method string
		pause, work  time.Duration // before the end of the request and before the response
		want         streamed
	}{
		{"in time", rpctest.Client, 0, 0, streamed{true, true, 0}},
		{"the end comes too late", rpctest.Client, lifetime, 0, streamed{false, false, refused}},
		{"the response takes longer", rpctest.Client, 0, lifetime, streamed{true, true, 0}},
		{"in time", rpctest.Bidi, 0, 0, streamed{true, true, 0}},
		{"the end comes too late", rpctest.Bidi, lifetime, 0, streamed{false, false, refused}},
		{"the response takes longer", rpctest.Bidi, 0, lifetime, streamed{true, false, refused}},
		{"in time", rpctest.Server, 0, 0, streamed{true, true, 0}},
		{"the end comes too late", rpctest.Server, lifetime, 0, streamed{false, false, refused}},
		{"the response takes longer", rpctest.Server, 0, lifetime, streamed{true, false, refused}},
	} {
		for _, guard := range guards {
			for _, over := range protocols {
				t.Run(row.name+"/"+row.method+"/"+guard.name+"/"+over.name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						if got := serveInMemory(t, guard, over, row.method, row.pause, row.work); got != row.want {
							t.Errorf("R9068-4.b: got %+v, want %+v", got, row.want)
						}
					})
				})
			}
		}
	}
}

// serveInMemory serves one request of a stream.
func serveInMemory(t *testing.T, guard guard, over protocol, method string, pause, work time.Duration) (got streamed) {
	t.Helper()
	w := newWorld(t)
	w.Verifier.Lifetime = lifetime
	message, err := proto.Marshal(&rpctest.Message{Value: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	req := newHTTPRequest(t, http.MethodPost, rpctest.Procedure(rpctest.GuardedService, method), "Content-Type", over.stream, "Authorization", "Bearer "+tokenGood)
	req.ProtoMajor, req.ProtoMinor, req.Proto = 2, 0, "HTTP/2.0"
	req.Body = &slowBody{bytes.NewReader(envelope(0, string(message))), pause}
	res := httptest.NewRecorder()
	guard.wrap(w.Authorizer, handlerOf(method, work, &got, guard.option(w.Authorizer))).ServeHTTP(res, req.WithContext(context.Background()))
	got.message, got.code = responseOf(t, res)
	if want := one(got.code != 0); w.Log.Logged.Load() != want {
		t.Errorf("SEED-1: logged %d times, want %d", w.Log.Logged.Load(), want)
	}
	return got
}

// responseOf reads the response of a stream in any protocol.
func responseOf(t *testing.T, res *httptest.ResponseRecorder) (message bool, code connect.Code) {
	t.Helper()
	status := res.Result().Trailer.Get("Grpc-Status")
	if status == "" {
		status = res.Header().Get("Grpc-Status")
	}
	for rest := res.Body.Bytes(); len(rest) > 0; {
		size := 5 + binary.BigEndian.Uint32(rest[1:])
		data := rest[5:size]
		switch rest[0] {
		case 0:
			message = true
		case 1 << 1: // the end of Connect
			var end struct{ Error struct{ Code connect.Code } }
			if err := json.Unmarshal(data, &end); err != nil {
				t.Fatal(err)
			}
			return message, end.Error.Code
		case 1 << 7: // the trailers of gRPC-Web
			_, after, _ := strings.Cut(string(data), "grpc-status: ")
			status, _, _ = strings.Cut(after, "\r\n")
		}
		rest = rest[size:]
	}
	number, err := strconv.ParseUint(status, 10, 32)
	if err != nil {
		t.Fatalf("the response has no status: %v %q", res.Header(), res.Body)
	}
	return message, connect.Code(number)
}

// TestEndIsAcceptedOnce: a handler that has learned in time that the client sends
// nothing more may ask again.
func TestEndIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.Verifier.Lifetime = lifetime
			procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Client)
			handler := connect.NewClientStreamHandler(procedure, func(_ context.Context, stream *connect.ClientStream[rpctest.Message]) (*connect.Response[rpctest.Message], error) {
				for stream.Receive() {
				}
				time.Sleep(lifetime)
				if stream.Receive() || stream.Err() != nil {
					t.Errorf("%s: the end was accepted, and then %v", guard.name, stream.Err())
				}
				return connect.NewResponse(new(rpctest.Message)), nil
			}, guard.option(w.Authorizer))
			res := httptest.NewRecorder()
			req := newHTTPRequest(t, http.MethodPost, procedure, "Content-Type", "application/connect+proto", "Authorization", "Bearer "+tokenGood)
			req.Body = &slowBody{strings.NewReader(""), 0}
			guard.wrap(w.Authorizer, handler).ServeHTTP(res, req.WithContext(context.Background()))
			if message, code := responseOf(t, res); !message || code != 0 {
				t.Errorf("%s: got %q", guard.name, res.Body)
			}
		})
	}
}

// TestEndOfRequestIgnored: a handler that ignores that it was cut off does not look
// successful.
func TestEndOfRequestIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Verifier.Lifetime = lifetime
		req := newHTTPRequest(t, http.MethodPost, rpctest.Procedure(rpctest.GuardedService, rpctest.Client), "Content-Type", "application/grpc", "Authorization", "Bearer "+tokenGood)
		req.Body = &slowBody{strings.NewReader(""), lifetime}
		res := httptest.NewRecorder()
		connectauth.Guard(w.Authorizer, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			rw.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		})).ServeHTTP(res, req.WithContext(context.Background()))
		if _, code := responseOf(t, res); code != connect.CodeUnauthenticated {
			t.Errorf("R9068-4.b: got %v", code)
		}
	})
}
