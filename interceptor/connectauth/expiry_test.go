package connectauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// bidi is what a handler does with a stream.
type bidi = func(context.Context, *connect.BidiStream[rpctest.Message, rpctest.Message]) error

// serveBidi serves a stream, and returns its client.
func serveBidi(t *testing.T, handler bidi, server connect.HandlerOption, client connect.ClientOption) *connect.Client[rpctest.Message, rpctest.Message] {
	t.Helper()
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi)
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewBidiStreamHandler(procedure, handler, server))
	return connect.NewClient[rpctest.Message, rpctest.Message](rpctest.H2C(t), rpctest.ServeHTTP(t, mux)+procedure, client)
}

// untilExpiry waits until the token of the call has expired.
func untilExpiry(ctx context.Context) {
	info, _ := interceptor.TokenInfoFromContext(ctx)
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
					stream := serveBidi(t, row.handler, guard.option(w.Authorizer), over.option).CallBidiStream(t.Context())
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
				stream := serveBidi(t, func(ctx context.Context, stream *connect.BidiStream[rpctest.Message, rpctest.Message]) error {
					opened <- ctx
					message, err := stream.Receive() // It waits while the token expires.
					if err == nil {
						delivered <- message.GetValue()
					}
					return err
				}, guard.option(w.Authorizer), over.option).CallBidiStream(t.Context())
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

// TestExpiryIsLoggedOnce: a handler that goes on hoping gets the same answer
// again and again, and the log one record (SEED-1).
func TestExpiryIsLoggedOnce(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		for _, over := range protocols {
			w := newWorld(t)
			w.Verifier.Lifetime = -time.Second
			stream := serveBidi(t, func(_ context.Context, stream *connect.BidiStream[rpctest.Message, rpctest.Message]) error {
				var hoping sync.WaitGroup
				hoping.Go(func() {
					for range 100 {
						if err := stream.Send(&rpctest.Message{}); err == nil {
							t.Error("R9068-4.b: sent")
						}
					}
				})
				_, err := stream.Receive()
				_, again := stream.Receive()
				hoping.Wait()
				if err == nil || again == nil {
					t.Error("R9068-4.b: received")
				}
				return err
			}, guard.option(w.Authorizer), over.option).CallBidiStream(t.Context())
			stream.RequestHeader().Set("Authorization", "Bearer "+tokenGood)
			_ = stream.Send(&rpctest.Message{})
			_ = stream.Send(&rpctest.Message{})
			_, err := stream.Receive()
			checkExpired(t, err)
			if n := w.Log.Logged.Load(); n != 1 {
				t.Errorf("SEED-1: %s, %s: logged %d times", guard.name, over.name, n)
			}
			// The metadata carries a copy, where it reaches the client: over
			// gRPC it would be a trailer, from which net/http drops the field.
			var refused *connect.Error
			if !errors.As(err, &refused) {
				t.Fatal(err)
			}
			want := expiredHeader
			if over.name == "gRPC" {
				want = ""
			}
			if got := refused.Meta().Get("Www-Authenticate"); got != want {
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
	if !ok || denial.Kind != interceptor.KindInvalidToken || connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Fatalf("got %v", err)
	}
	challenge := denial.Challenge
	if challenge.Error != "invalid_token" || challenge.Realm != rpctest.GuardedService || challenge.ResourceMetadata != metadataURL {
		t.Errorf("SEED-3: got %+v", challenge)
	}
}

// TestStreamWithinToken: until the token expires, and where nobody knows when
// that is, streams are left alone.
func TestStreamWithinToken(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []time.Duration{0, time.Hour} {
		for _, guard := range guards {
			t.Run(lifetime.String()+"/"+guard.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.Verifier.Lifetime = lifetime
				server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(guard.option(w.Authorizer)))
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
// token expires meanwhile: it was good when it was asked for.
func TestUnaryWithinToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Verifier.Lifetime = -time.Second
	server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))
	if got := call(t, server, rpctest.GuardedService, rpctest.Unary, tokenGood); got.err != nil {
		t.Error(got.err)
	}
}
