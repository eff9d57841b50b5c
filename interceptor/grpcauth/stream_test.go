package grpcauth_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// openBidi serves a stream with handler, and opens it.
func openBidi(ctx context.Context, t *testing.T, w *world, handler grpc.StreamHandler) grpc.ClientStream {
	t.Helper()
	options := append(grpcauth.ServerOptions(w.Authorizer), grpc.UnknownServiceHandler(handler))
	conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, grpc.NewServer(options...)))
	stream, err := conn.NewStream(bearer(ctx, tokenGood), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// untilExpiry waits until the token of the call has expired.
func untilExpiry(ctx context.Context) {
	info, _ := token.FromContext(ctx)
	expired, cancel := context.WithDeadline(ctx, info.Expiry)
	defer cancel()
	<-expired.Done()
}

// TestStreamOutlivesToken: a stream ends with the first message in either
// direction after the token has expired (R9068-4.b, R9068-4.c).
func TestStreamOutlivesToken(t *testing.T) {
	t.Parallel()
	const ahead = 100 * time.Millisecond
	receive := func(_ any, stream grpc.ServerStream) error { return stream.RecvMsg(new(rpctest.Message)) }
	send := func(_ any, stream grpc.ServerStream) error {
		return stream.SendMsg(&rpctest.Message{Value: "too late"})
	}
	after := func(then grpc.StreamHandler) grpc.StreamHandler {
		return func(srv any, stream grpc.ServerStream) error {
			untilExpiry(stream.Context())
			return then(srv, stream)
		}
	}
	for _, row := range []struct {
		name     string
		lifetime time.Duration
		handler  grpc.StreamHandler
	}{
		{"expired at once, on RecvMsg", -time.Second, receive},
		{"expired at once, on SendMsg", -time.Second, send},
		{"expired meanwhile, on RecvMsg", ahead, after(receive)},
		{"expired meanwhile, on SendMsg", ahead, after(send)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Verifier.Lifetime = row.lifetime
			stream := openBidi(t.Context(), t, w, row.handler)
			if err := stream.SendMsg(&rpctest.Message{Value: "hello"}); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			message := new(rpctest.Message)
			err := stream.RecvMsg(message)
			denial, ok := grpcauth.FromError(err)
			if !ok || denial.Reason != challenge.ReasonInvalidToken || status.Code(err) != codes.Unauthenticated {
				t.Fatalf("received %v, %v", message, err)
			}
			got := denial.Challenge
			if got.Error != "invalid_token" || got.Realm != rpctest.GuardedService || got.ResourceMetadataURL != metadataURL {
				t.Errorf("SEED-3: got %+v", got)
			}
			if header, _ := stream.Header(); len(header.Get("www-authenticate")) != 1 {
				t.Errorf("RPC-3: the header was not sent yet, and holds %v", header)
			}
			if n := w.Log.Logged.Load(); n != 1 {
				t.Errorf("SEED-1: logged %d times", n)
			}
		})
	}
}

// TestMessageAfterExpiry: a message that arrives after the token has expired is
// not delivered, though the handler began to wait for it before (R9068-4.b).
func TestMessageAfterExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Verifier.Lifetime = 200 * time.Millisecond
	opened, delivered := make(chan context.Context, 1), make(chan string, 1)
	stream := openBidi(t.Context(), t, w, func(_ any, stream grpc.ServerStream) error {
		opened <- stream.Context()
		message := new(rpctest.Message)
		err := stream.RecvMsg(message) // It waits while the token expires.
		if err == nil {
			delivered <- message.GetValue()
		}
		return err
	})
	untilExpiry(<-opened)
	_ = stream.SendMsg(&rpctest.Message{Value: "too late"})
	err := stream.RecvMsg(new(rpctest.Message))
	if denial, ok := grpcauth.FromError(err); !ok || denial.Reason != challenge.ReasonInvalidToken {
		t.Errorf("R9068-4.c: got %v", err)
	}
	select {
	case message := <-delivered:
		t.Errorf("R9068-4.b: the handler got %q after the token had expired", message)
	default:
	}
}

// TestExpiryIsLoggedOnce: a handler that keeps trying gets the same error each
// time, and the log gets one record (SEED-1).
func TestExpiryIsLoggedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Verifier.Lifetime = -time.Second
	stream := openBidi(t.Context(), t, w, func(_ any, stream grpc.ServerStream) error {
		var trying sync.WaitGroup
		trying.Go(func() {
			for range 100 {
				if err := stream.SendMsg(&rpctest.Message{}); err == nil {
					t.Error("R9068-4.b: sent")
				}
			}
		})
		err := stream.RecvMsg(new(rpctest.Message))
		again := stream.RecvMsg(new(rpctest.Message))
		trying.Wait()
		if err == nil || !errors.Is(again, err) {
			t.Errorf("R9068-4.b: received %v, then %v", err, again)
		}
		return err
	})
	_ = stream.SendMsg(&rpctest.Message{})
	_ = stream.SendMsg(&rpctest.Message{})
	err := stream.RecvMsg(new(rpctest.Message))
	if denial, ok := grpcauth.FromError(err); !ok || denial.Reason != challenge.ReasonInvalidToken {
		t.Errorf("R9068-4.c: got %v", err)
	}
	if header, _ := stream.Header(); len(header.Get("www-authenticate")) != 1 {
		t.Errorf("RPC-3: the header holds %v", header)
	}
	if n := w.Log.Logged.Load(); n != 1 {
		t.Errorf("SEED-1: logged %d times", n)
	}
}

// TestRefusedMessageIsIgnored: the client learns that the stream was cut off, even
// if the handler ignores that a message was refused (R9068-4.c).
func TestRefusedMessageIsIgnored(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]grpc.StreamHandler{
		"on SendMsg": func(_ any, stream grpc.ServerStream) error {
			_ = stream.SendMsg(&rpctest.Message{Value: "too late"})
			return nil
		},
		"on RecvMsg": func(_ any, stream grpc.ServerStream) error {
			_ = stream.RecvMsg(new(rpctest.Message))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Verifier.Lifetime = -time.Second
			stream := openBidi(t.Context(), t, w, handler)
			_ = stream.SendMsg(&rpctest.Message{Value: "hello"})
			err := stream.RecvMsg(new(rpctest.Message))
			if denial, ok := grpcauth.FromError(err); !ok || denial.Reason != challenge.ReasonInvalidToken {
				t.Errorf("R9068-4.c: got %v", err)
			}
		})
	}
}

// TestStreamWithinToken: a stream whose token has not expired, or does not expire,
// is not changed; nor is one that needs no token.
func TestStreamWithinToken(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []time.Duration{0, time.Hour} {
		w := newWorld(t)
		w.Verifier.Lifetime = lifetime
		conn := w.serve(t, grpcauth.ServerOptions(w.Authorizer)...)
		for _, method := range rpctest.Kinds {
			if got := call(t.Context(), conn, rpctest.GuardedService, method, tokenGood); got.message != "hello from ada" {
				t.Errorf("%s: got %+v", method, got)
			}
			if got := call(t.Context(), conn, rpctest.PublicService, method, ""); got.message != "hello from anybody" {
				t.Errorf("%s: got %+v", method, got)
			}
		}
	}
}

// TestClientLeaves: when a client goes away in the middle of a stream, the
// handler ends and nothing of it stays behind.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ended := make(chan error, 1)
	ctx, leave := context.WithCancel(t.Context())
	stream := openBidi(ctx, t, w, func(_ any, stream grpc.ServerStream) error {
		err := leavingHandler(stream)
		ended <- err
		return err
	})
	if err := stream.SendMsg(&rpctest.Message{Value: "hello"}); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(new(rpctest.Message)); err != nil {
		t.Fatal(err)
	}
	if rpctest.Running("leavingHandler") != 1 {
		t.Error("the search for goroutines finds none")
	}
	leave()
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("the handler ended with %v", err)
	}
	patience, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for rpctest.Running("leavingHandler") > 0 {
		select {
		case <-patience.Done():
			t.Fatal("a goroutine is left")
		default:
			runtime.Gosched()
		}
	}
}

// leavingHandler echoes until the stream ends. Its name is looked for among the
// stacks.
func leavingHandler(stream grpc.ServerStream) error {
	message := new(rpctest.Message)
	for {
		if err := stream.RecvMsg(message); err != nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}
