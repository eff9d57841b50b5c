package connectauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// bidi is the code of a handler.
type bidi = func(context.Context, *connect.BidiStream[rpctest.Message, rpctest.Message]) error

// serveBidi serves a stream, and returns its client.
func serveBidi(t *testing.T, w *world, guard guard, handler bidi, client connect.ClientOption) *connect.Client[rpctest.Message, rpctest.Message] {
	t.Helper()
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi)
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewBidiStreamHandler(procedure, handler, guard.option(w.Authorizer)))
	return connect.NewClient[rpctest.Message, rpctest.Message](rpctest.H2C(t), rpctest.ServeHTTP(t, guard.wrap(w.Authorizer, mux))+procedure, client)
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
	for _, row := range []struct {
		name     string
		lifetime time.Duration
		handler  bidi
	}{
		{"expired at once, on Receive", -time.Second, func(_ context.Context, stream *connect.BidiStream[rpctest.Message, rpctest.Message]) error {
			_, err := stream.Receive()
			return err
		}},
		{"expired at once, on Send", -time.Second, func(_ context.Context, stream *connect.BidiStream[rpctest.Message, rpctest.Message]) error {
			return stream.Send(&rpctest.Message{Value: "too late"})
		}},
		{"expired meanwhile, on Receive", ahead, func(ctx context.Context, stream *connect.BidiStream[rpctest.Message, rpctest.Message]) error {
			untilExpiry(ctx)
			_, err := stream.Receive()
			return err
		}},
		{"expired meanwhile, on Send", ahead, func(ctx context.Context, stream *connect.BidiStream[rpctest.Message, rpctest.Message]) error {
			untilExpiry(ctx)
			return stream.Send(&rpctest.Message{Value: "too late"})
		}},
	} {
		for _, guard := range guards {
			t.Run(row.name+"/"+guard.name, func(t *testing.T) {
				t.Parallel()
				for _, over := range protocols {
					w := newWorld(t)
					w.Verifier.Lifetime = row.lifetime
					stream := serveBidi(t, w, guard, row.handler, over.option).CallBidiStream(t.Context())
					stream.RequestHeader().Set("Authorization", "Bearer "+tokenGood)
					if err := stream.Send(&rpctest.Message{Value: "hello"}); err != nil && !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
					message, err := stream.Receive()
					if err == nil {
						t.Fatalf("%s: received %v", over.name, message)
					}
					checkExpired(t, err)
					if n := w.Log.Logged.Load(); n != 1 {
						t.Errorf("%s: SEED-1: logged %d times", over.name, n)
					}
					_ = stream.CloseRequest()
					_ = stream.CloseResponse()
				}
			})
		}
	}
}

// TestMessageAfterExpiry: a message that arrives after the token has expired is
// not delivered, though the handler began to wait for it before (R9068-4.b).
func TestMessageAfterExpiry(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		for _, over := range protocols {
			t.Run(guard.name+"/"+over.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.Verifier.Lifetime = 200 * time.Millisecond
				opened, delivered := make(chan context.Context, 1), make(chan string, 1)
				stream := serveBidi(t, w, guard, func(ctx context.Context, stream *connect.BidiStream[rpctest.Message, rpctest.Message]) error {
					opened <- ctx
					message, err := stream.Receive() // It waits while the token expires.
					if err == nil {
						delivered <- message.GetValue()
					}
					return err
				}, over.option).CallBidiStream(t.Context())
				stream.RequestHeader().Set("Authorization", "Bearer "+tokenGood)
				if err := stream.Send(nil); err != nil {
					t.Fatal(err)
				}
				untilExpiry(<-opened)
				_ = stream.Send(&rpctest.Message{Value: "too late"})
				_, err := stream.Receive()
				checkExpired(t, err)
				select {
				case message := <-delivered:
					t.Errorf("R9068-4.b: the handler got %q after the token had expired", message)
				default:
				}
				_ = stream.CloseRequest()
				_ = stream.CloseResponse()
			})
		}
	}
}

// TestExpiryIsLoggedOnce: a handler that keeps trying gets the same error each
// time, and the log gets one record (SEED-1).
func TestExpiryIsLoggedOnce(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		for _, over := range protocols {
			w := newWorld(t)
			w.Verifier.Lifetime = -time.Second
			stream := serveBidi(t, w, guard, func(_ context.Context, stream *connect.BidiStream[rpctest.Message, rpctest.Message]) error {
				var trying sync.WaitGroup
				trying.Go(func() {
					for range 100 {
						if err := stream.Send(&rpctest.Message{}); err == nil {
							t.Error("R9068-4.b: sent")
						}
					}
				})
				_, err := stream.Receive()
				_, again := stream.Receive()
				trying.Wait()
				if err == nil || again == nil {
					t.Error("R9068-4.b: received")
				}
				return err
			}, over.option).CallBidiStream(t.Context())
			stream.RequestHeader().Set("Authorization", "Bearer "+tokenGood)
			_ = stream.Send(&rpctest.Message{})
			_ = stream.Send(&rpctest.Message{})
			_, err := stream.Receive()
			checkExpired(t, err)
			if n := w.Log.Logged.Load(); n != 1 {
				t.Errorf("SEED-1: %s, %s: logged %d times", guard.name, over.name, n)
			}
			// The metadata carries a copy, where it reaches the client. Over gRPC
			// that is the header, which the guard alone does not write.
			var refused *connect.Error
			if !errors.As(err, &refused) {
				t.Fatal(err)
			}
			want := expiredHeader
			if over.name == "gRPC" && guard.name == "guard" {
				want = ""
			}
			if got := strings.Join(refused.Meta()["Www-Authenticate"], "; "); got != want {
				t.Errorf("RPC-3: %s, %s: in the metadata\n got %s\nwant %s", guard.name, over.name, got, want)
			}
			_ = stream.CloseRequest()
			_ = stream.CloseResponse()
		}
	}
}

const expiredHeader = challengeHeader + `, error="invalid_token", error_description="the access token is malformed, expired, revoked or not from a trusted issuer"`

func checkExpired(t *testing.T, err error) {
	t.Helper()
	denial, ok := connectauth.FromError(err)
	if !ok || denial.Reason != challenge.ReasonInvalidToken || connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("got %v", err)
		return
	}
	got := denial.Challenge
	if got.Error != "invalid_token" || got.Realm != rpctest.GuardedService || got.ResourceMetadataURL != metadataURL {
		t.Errorf("SEED-3: got %+v", got)
	}
}

// TestStreamWithinToken: a stream whose token has not expired, or does not expire,
// is not changed.
func TestStreamWithinToken(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []time.Duration{0, time.Hour} {
		for _, guard := range guards {
			t.Run(lifetime.String()+"/"+guard.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.Verifier.Lifetime = lifetime
				server := guard.serve(t, w)
				each(t, func(t *testing.T, over protocol, method string) {
					if got := call(t, server, rpctest.GuardedService, method, tokenGood, over.option); got.message != "hello from ada" {
						t.Errorf("got %+v", got)
					}
				})
			})
		}
	}
}

// TestUnaryWithinToken: a unary call that was let in is finished, even if the
// token expires meanwhile: it was valid when the call was decided.
func TestUnaryWithinToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Verifier.Lifetime = -time.Second
	server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))
	if got := call(t, server, rpctest.GuardedService, rpctest.Unary, tokenGood); got.err != nil {
		t.Error(got.err)
	}
}
