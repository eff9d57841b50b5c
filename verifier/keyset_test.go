package verifier_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

func TestNoFetchBeforeTheFirstToken(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	f.fetches(t, 0, func() {})
	f.fetches(t, 1, func() { f.accepts(t, f.mint()) })
	if n := f.issuer.DiscoveryRequests(); n != 1 {
		t.Errorf("%d discovery requests", n)
	}
}

func TestOneFetchForAll(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	arrived, release := f.issuer.HoldKeySet()
	f.fetches(t, 1, func() {
		go func() {
			<-arrived
			release()
		}()
		inAllCalls(50, func(int) { f.accepts(t, f.mint()) })
	})
}

// TestCancelledCaller proves that a canceled call returns at once, and that the
// others that share its fetch succeed.
func TestCancelledCaller(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	raw := f.mint()
	arrived, release := f.issuer.HoldKeySet()
	f.fetches(t, 1, func() {
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := f.verifier.VerifyToken(ctx, raw, nil)
			first <- err
		}()
		<-arrived // so the fetch is the one of the first caller
		second := make(chan error)
		go func() {
			_, err := f.verifier.VerifyToken(t.Context(), raw, nil)
			second <- err
		}()
		cancel()
		if err := <-first; !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled caller: got %v", err)
		}
		release()
		if err := <-second; err != nil {
			t.Errorf("the other caller: got %v", err)
		}
	})
}

// TestFloodOfUnknownKeys proves that invented key IDs cost one fetch per
// second, and do not affect good tokens.
func TestFloodOfUnknownKeys(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	f.accepts(t, f.mint())
	flood := func() (invalid int64) {
		var n atomic.Int64
		inAllCalls(200, func(i int) {
			if _, err := f.verify(t, f.mint(unknownKey(i), forged)); errors.Is(err, token.ErrInvalid) {
				n.Add(1)
			}
		})
		return n.Load()
	}
	f.fetches(t, 0, func() { // within the cool-down of the first fetch
		if n := flood(); n != 0 {
			t.Errorf("%d tokens were called invalid on the word of an earlier fetch", n)
		}
	})
	for range 3 {
		f.Advance(coolDown)
		f.fetches(t, 1, func() {
			if flood() == 0 {
				t.Error("not even the token that began the fetch was called invalid")
			}
		})
		f.fetches(t, 0, func() { f.accepts(t, f.mint()) })
	}
}

// TestUnknownKey proves that a token with an unknown key is invalid only if a
// fetch that started after it arrived did not bring the key (RPC-2).
func TestUnknownKey(t *testing.T) {
	known := func(t *testing.T, f *fixture) { f.accepts(t, f.mint()) }
	idle := func(t *testing.T, f *fixture) {
		known(t, f)
		f.Advance(coolDown)
	}
	for _, row := range []struct {
		name    string
		before  func(*testing.T, *fixture)
		want    error
		fetches int
	}{
		{"RPC-2 no keys yet", func(*testing.T, *fixture) {}, token.ErrInvalid, 1},
		{"RPC-2 idle", idle, token.ErrInvalid, 1},
		{"RPC-2 just fetched", known, token.ErrUnavailable, 0},
		{"RPC-2 the cool-down is not over", func(t *testing.T, f *fixture) {
			known(t, f)
			f.Advance(coolDown - 1)
		}, token.ErrUnavailable, 0},
		{"RPC-2 a refresh is running already", func(t *testing.T, f *fixture) {
			known(t, f)
			f.Advance(interval)
			arrived, release := f.issuer.HoldKeySet()
			t.Cleanup(release)
			known(t, f)
			<-arrived
			release()
		}, token.ErrUnavailable, 0},
		{"RPC-2 the issuer is down", func(t *testing.T, f *fixture) {
			idle(t, f)
			f.issuer.HandleKeySet(authtest.Answer(http.StatusServiceUnavailable, "text/plain", "no"))
		}, token.ErrUnavailable, 1},
		{"RPC-2 the issuer was down just now", func(t *testing.T, f *fixture) {
			idle(t, f)
			f.issuer.Down()
			f.refuses(t, f.mint(unknownKey(0)), token.ErrUnavailable)
			f.issuer.Up()
		}, token.ErrUnavailable, 0},
	} {
		for name, alter := range map[string]func(*authtest.Token){
			"unknown kid":                  unknownKey(1),
			"no kid, and another key fits": func(t *authtest.Token) { forged(t); parameter("kid", authtest.Omit)(t) },
		} {
			t.Run(row.name+", "+name, func(t *testing.T) {
				f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
				row.before(t, f)
				f.fetches(t, row.fetches, func() { f.refuses(t, f.mint(alter), row.want) })
			})
		}
	}
}

// TestNewKey proves that a token that arrives before its key is at worst
// unavailable (RPC-2), and that the cool-down is measured from the start of a
// fetch.
func TestNewKey(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	arrived, release := f.issuer.HoldKeySet()
	go func() {
		<-arrived
		f.Advance(coolDown / 2)
		release()
	}()
	f.accepts(t, f.mint())
	f.issuer.RotateKeys()
	raw := f.mint()
	f.fetches(t, 0, func() { f.refuses(t, raw, token.ErrUnavailable) })
	f.Advance(coolDown/2 - 1)
	f.fetches(t, 0, func() { f.refuses(t, raw, token.ErrUnavailable) })
	f.Advance(1)
	f.fetches(t, 1, func() { f.accepts(t, raw) })
}

// TestRotationUnderFlood rotates the keys at each tenth of the cool-down while
// tokens with an invented key ID arrive. A good token is never invalid, and it
// is accepted one second after the rotation.
func TestRotationUnderFlood(t *testing.T) {
	const step = coolDown / 10
	for _, refresh := range []time.Duration{coolDown, interval} {
		t.Run(refresh.String(), func(t *testing.T) {
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{RefreshInterval: refresh}}})
			f.accepts(t, f.mint())
			first, start := f.issuer.KeySetRequests(), f.Now()
			bad := f.mint(unknownKey(1), forged)
			for phase := range 10 {
				for range phase {
					f.Advance(step)
					f.acceptsInFlood(t, bad, f.mint())
				}
				f.issuer.RotateKeys()
				published, raw := f.Now(), f.mint()
				for !f.acceptsInFlood(t, bad, raw) {
					if f.Advance(step); f.Now().Sub(published) > coolDown {
						t.Fatalf("not accepted after %v", coolDown)
					}
				}
			}
			f.verifier.AwaitFetch()
			if n, most := f.issuer.KeySetRequests()-first, int(f.Now().Sub(start)/coolDown); n > most {
				t.Errorf("%d key-set requests in %d s", n, most)
			}
		})
	}
}

// acceptsInFlood reports whether a good token is accepted among calls with a
// bad one.
func (f *fixture) acceptsInFlood(t *testing.T, bad, good string) (accepted bool) {
	t.Helper()
	inAllCalls(20, func(i int) {
		if i > 0 {
			_, _ = f.verify(t, bad)
			return
		}
		_, err := f.verify(t, good)
		if errors.Is(err, token.ErrInvalid) {
			t.Errorf("a good token: got %v", err)
		}
		accepted = err == nil
	})
	return accepted
}

// TestNewKeyDuringFetch publishes a key while a fetch is running. A caller that
// waits for this fetch is accepted if it brings the key; otherwise the fetch
// proves nothing (RPC-2).
func TestNewKeyDuringFetch(t *testing.T) {
	for _, row := range []struct {
		name    string
		hold    func(*fixture) (arrived <-chan struct{}, release func())
		takes   time.Duration
		want    error
		rest    time.Duration // before the token is tried again
		fetches int           // then
	}{
		{"RPC-2 it brings the key", func(f *fixture) (<-chan struct{}, func()) { return f.issuer.HoldKeySet() }, 0, nil, 0, 0},
		{"RPC-2 it does not", (*fixture).holdOldKeySet, 0, token.ErrUnavailable, coolDown, 1},
		{"RPC-2 it does not, and is slow", (*fixture).holdOldKeySet, coolDown, token.ErrUnavailable, 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{})
			f.accepts(t, f.mint())
			f.Advance(coolDown)
			arrived, release := row.hold(f)
			t.Cleanup(release)
			bad := f.goVerify(t.Context(), f.mint(unknownKey(1)))
			<-arrived
			f.issuer.RotateKeys()
			raw := f.mint()
			ctx, waiting := withWaiting(t.Context())
			good := f.goVerify(ctx, raw)
			<-waiting
			f.Advance(row.takes)
			release()
			if err := <-bad; !errors.Is(err, token.ErrInvalid) {
				t.Errorf("the token that began the fetch: got %v", err)
			}
			if err := <-good; !errors.Is(err, row.want) {
				t.Errorf("the good token: got %v, want %v", err, row.want)
			}
			f.Advance(row.rest)
			f.fetches(t, row.fetches, func() { f.accepts(t, raw) })
		})
	}
}

// holdOldKeySet is HoldKeySet with the key set of the time of the call.
func (f *fixture) holdOldKeySet() (arrived <-chan struct{}, release func()) {
	answer := authtest.Answer(http.StatusOK, "application/json", string(f.issuer.KeySet()))
	waiting, released := make(chan struct{}), make(chan struct{})
	f.issuer.HandleKeySet(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting <- struct{}{}
		<-released
		answer.ServeHTTP(w, r)
	}))
	return waiting, sync.OnceFunc(func() {
		f.issuer.HandleKeySet(nil)
		close(released)
	})
}

// goVerify verifies a token in the background.
func (f *fixture) goVerify(ctx context.Context, raw string) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := f.verifier.VerifyToken(ctx, raw, nil)
		result <- err
	}()
	return result
}

// A waitingContext reports when a caller starts to wait for its end.
type waitingContext struct {
	context.Context //nolint:containedctx // it is one

	waiting func()
}

func withWaiting(ctx context.Context) (_ context.Context, waiting <-chan struct{}) {
	begun := make(chan struct{})
	return waitingContext{ctx, sync.OnceFunc(func() { close(begun) })}, begun
}

func (c waitingContext) Done() <-chan struct{} {
	c.waiting()
	return c.Context.Done()
}
