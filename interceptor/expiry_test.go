package interceptor_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

var guarded = rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)

// callerOf returns the caller of a call with a token of a lifetime.
func callerOf(tb testing.TB, w *rpctest.World, lifetime time.Duration) (context.Context, *drawbridge.Caller) {
	tb.Helper()
	w.Verifier.Lifetime = lifetime
	ctx, err := w.Authorize(tb.Context(), toyRequest(guarded, rpctest.TokenGood))
	if err != nil {
		tb.Fatal(err)
	}
	return ctx, w.Adapter().Caller(ctx)
}

// TestExpiry: from the expiry of the token on, every message is refused with the
// same denial, which is logged once (R9068-4.b, SEED-1).
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rpctest.NewWorld(t)
		ctx, caller := callerOf(t, w, time.Minute)
		var e interceptor.Expiry
		e.Start(ctx, caller, guarded)
		if !e.Ends() {
			t.Fatal("the stream has no end")
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if denial := e.Check(); denial != nil {
			t.Fatalf("before the expiry: got %v", denial)
		}
		time.Sleep(time.Nanosecond)
		first := e.Check()
		if first == nil || first.Reason != challenge.ReasonInvalidToken || first.Challenge.Realm != rpctest.GuardedService || !errors.Is(first, token.ErrInvalid) {
			t.Fatalf("R9068-4.b: at the expiry: got %+v", first)
		}
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if denial := e.Check(); denial != first {
					t.Errorf("R9068-4.b: got another denial: %v", denial)
				}
			})
		}
		group.Wait()
		if got := w.Log.Logged.Load(); got != 1 {
			t.Errorf("SEED-1: logged %d times", got)
		}
	})
}

// TestExpiryAtEnd: the end of a request is refused like a message. If it comes in
// time, the response of a client stream is not refused any more; other streams end
// with the next message (R9068-4.b).
func TestExpiryAtEnd(t *testing.T) {
	t.Parallel()
	for _, isClientStream := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := rpctest.NewWorld(t)
			ctx, caller := callerOf(t, w, time.Minute)
			var late, inTime interceptor.Expiry
			late.Start(ctx, caller, guarded)
			inTime.Start(ctx, caller, guarded)
			if denial := inTime.CheckEnd(isClientStream); denial != nil {
				t.Fatalf("before the expiry: got %v", denial)
			}
			time.Sleep(time.Minute)
			if denial := late.CheckEnd(isClientStream); denial == nil || denial != late.Check() {
				t.Errorf("R9068-4.b: at the expiry: got %v", denial)
			}
			for range 2 {
				if denial := inTime.Check(); (denial == nil) != isClientStream {
					t.Errorf("a client stream: %t: the response: got %v", isClientStream, denial)
				}
				if denial := inTime.CheckEnd(isClientStream); (denial == nil) != isClientStream {
					t.Errorf("a client stream: %t: the end again: got %v", isClientStream, denial)
				}
			}
		})
	}
}

// TestExpiryConcurrently: messages that are checked at the same time get the same
// denial, which is logged once.
func TestExpiryConcurrently(t *testing.T) {
	t.Parallel()
	w := rpctest.NewWorld(t)
	ctx, caller := callerOf(t, w, time.Millisecond)
	var e interceptor.Expiry
	e.Start(ctx, caller, guarded)
	time.Sleep(2 * time.Millisecond)
	denials := make(chan *challenge.DenialError, 8)
	var group sync.WaitGroup
	for range cap(denials) {
		group.Go(func() { denials <- e.Check() })
	}
	group.Wait()
	close(denials)
	first := <-denials
	for denial := range denials {
		if denial == nil || denial != first {
			t.Errorf("got %v and %v", first, denial)
		}
	}
	if got := w.Log.Logged.Load(); got != 1 {
		t.Errorf("SEED-1: logged %d times", got)
	}
}

// TestExpiryWithoutEnd: a stream without a token, or with one that does not
// expire, has no end.
func TestExpiryWithoutEnd(t *testing.T) {
	t.Parallel()
	w := rpctest.NewWorld(t)
	ctx, forever := callerOf(t, w, 0)
	for name, start := range map[string]func(*interceptor.Expiry){
		"the zero Expiry":                 func(*interceptor.Expiry) {},
		"no caller":                       func(e *interceptor.Expiry) { e.Start(ctx, nil, guarded) },
		"a caller without a token":        func(e *interceptor.Expiry) { e.Start(ctx, new(drawbridge.Caller), guarded) },
		"a token that has no expiry time": func(e *interceptor.Expiry) { e.Start(ctx, forever, guarded) },
	} {
		var e interceptor.Expiry
		start(&e)
		if denial := e.Check(); e.Ends() || denial != nil {
			t.Errorf("%s: ends: %t, got %v", name, e.Ends(), denial)
		}
	}
}
