package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const coolDown = time.Second

// inAllCalls runs do concurrently and waits for the end of all.
func inAllCalls(n int, do func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { do(i) })
	}
	group.Wait()
}

func unknownKey(i int) func(*authtest.Token) {
	return parameter("kid", fmt.Sprintf("unknown-%d", i))
}

func TestNoFetchBeforeTheFirstToken(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	f.fetches(t, 0, func() {})
	f.fetches(t, 1, func() { f.accepts(t, f.mint()) })
	if n := f.issuer.DiscoveryRequests(); n != 1 {
		t.Errorf("%d discovery requests", n)
	}
}

func TestOneFetchForAll(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	arrived, release := f.issuer.HoldKeySet()
	f.fetches(t, 1, func() {
		go func() {
			<-arrived
			release()
		}()
		inAllCalls(50, func(int) { f.accepts(t, f.mint()) })
	})
}

// TestCancelledCaller proves that a caller who gives up gets an answer at once,
// and that those who share the fetch get theirs.
func TestCancelledCaller(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	token := f.mint()
	arrived, release := f.issuer.HoldKeySet()
	f.fetches(t, 1, func() {
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := f.verifier.VerifyToken(ctx, token)
			first <- err
		}()
		<-arrived // so the fetch is the one of the first caller
		second := make(chan error)
		go func() {
			_, err := f.verifier.VerifyToken(t.Context(), token)
			second <- err
		}()
		cancel()
		if err := <-first; !errors.Is(err, interceptor.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled caller: got %v", err)
		}
		release()
		if err := <-second; err != nil {
			t.Errorf("the other caller: got %v", err)
		}
	})
}

// TestFloodOfUnknownKeys proves that invented key ids cost one fetch a second,
// and that good tokens do not suffer.
func TestFloodOfUnknownKeys(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	f.accepts(t, f.mint())
	flood := func() (invalid int64) {
		var n atomic.Int64
		inAllCalls(200, func(i int) {
			if _, err := f.verify(t, f.mint(unknownKey(i), forged)); errors.Is(err, interceptor.ErrInvalidToken) {
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

// TestUnknownKey proves that a token is called invalid for its key only if a
// fetch that began after it had come did not bring that key (RPC-2).
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
		{"RPC-2 no keys yet", func(*testing.T, *fixture) {}, interceptor.ErrInvalidToken, 1},
		{"RPC-2 idle", idle, interceptor.ErrInvalidToken, 1},
		{"RPC-2 just fetched", known, interceptor.ErrUnavailable, 0},
		{"RPC-2 the cool-down is not over", func(t *testing.T, f *fixture) {
			known(t, f)
			f.Advance(coolDown - 1)
		}, interceptor.ErrUnavailable, 0},
		{"RPC-2 a refresh is running already", func(t *testing.T, f *fixture) {
			known(t, f)
			f.Advance(interval)
			arrived, release := f.issuer.HoldKeySet()
			t.Cleanup(release)
			known(t, f)
			<-arrived
			release()
		}, interceptor.ErrUnavailable, 0},
		{"RPC-2 the issuer is down", func(t *testing.T, f *fixture) {
			idle(t, f)
			f.issuer.HandleKeySet(authtest.Answer(http.StatusServiceUnavailable, "text/plain", "no"))
		}, interceptor.ErrUnavailable, 1},
		{"RPC-2 the issuer was down just now", func(t *testing.T, f *fixture) {
			idle(t, f)
			f.issuer.Down()
			f.refuses(t, f.mint(unknownKey(0)), interceptor.ErrUnavailable)
			f.issuer.Up()
		}, interceptor.ErrUnavailable, 0},
	} {
		for name, alter := range map[string]func(*authtest.Token){
			"unknown kid":                  unknownKey(1),
			"no kid, and another key fits": func(t *authtest.Token) { forged(t); parameter("kid", authtest.Omit)(t) },
		} {
			t.Run(row.name+", "+name, func(t *testing.T) {
				f := newFixture(t, verifier.JWTConfig{Logger: slog.New(slog.DiscardHandler)})
				row.before(t, f)
				f.fetches(t, row.fetches, func() { f.refuses(t, f.mint(alter), row.want) })
			})
		}
	}
}

// TestNewKey proves that a token which comes sooner than its key is at worst
// unavailable (RPC-2), and that the second of the cool-down counts from the
// beginning of a fetch.
func TestNewKey(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	arrived, release := f.issuer.HoldKeySet()
	go func() {
		<-arrived
		f.Advance(coolDown / 2)
		release()
	}()
	f.accepts(t, f.mint())
	f.issuer.RotateKeys()
	token := f.mint()
	f.fetches(t, 0, func() { f.refuses(t, token, interceptor.ErrUnavailable) })
	f.Advance(coolDown/2 - 1)
	f.fetches(t, 0, func() { f.refuses(t, token, interceptor.ErrUnavailable) })
	f.Advance(1)
	f.fetches(t, 1, func() { f.accepts(t, token) })
}

// TestRotationUnderFlood has keys rotate at each tenth of the cool-down while
// invented key ids keep coming. A good token is never called invalid, and is
// accepted a second after the rotation.
func TestRotationUnderFlood(t *testing.T) {
	const step = coolDown / 10
	for _, refresh := range []time.Duration{coolDown, interval} {
		t.Run(refresh.String(), func(t *testing.T) {
			f := newFixture(t, verifier.JWTConfig{RefreshInterval: refresh})
			f.accepts(t, f.mint())
			first, start := f.issuer.KeySetRequests(), f.Now()
			bad := f.mint(unknownKey(1), forged)
			for phase := range 10 {
				for range phase {
					f.Advance(step)
					f.acceptsInFlood(t, bad, f.mint())
				}
				f.issuer.RotateKeys()
				published, token := f.Now(), f.mint()
				for !f.acceptsInFlood(t, bad, token) {
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

// acceptsInFlood reports whether a good token is accepted while others come with
// a bad one.
func (f *fixture) acceptsInFlood(t *testing.T, bad, good string) (accepted bool) {
	t.Helper()
	inAllCalls(20, func(i int) {
		if i > 0 {
			_, _ = f.verify(t, bad)
			return
		}
		_, err := f.verify(t, good)
		if errors.Is(err, interceptor.ErrInvalidToken) {
			t.Errorf("a good token: got %v", err)
		}
		accepted = err == nil
	})
	return accepted
}

// TestNewKeyDuringFetch has a key published while a fetch is running that began
// before. Whoever waits for it gets the key if it brings it, and else learns
// nothing from it (RPC-2).
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
		{"RPC-2 it does not", (*fixture).holdOldKeySet, 0, interceptor.ErrUnavailable, coolDown, 1},
		{"RPC-2 it does not, and is slow", (*fixture).holdOldKeySet, coolDown, interceptor.ErrUnavailable, 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.JWTConfig{})
			f.accepts(t, f.mint())
			f.Advance(coolDown)
			arrived, release := row.hold(f)
			t.Cleanup(release)
			bad := f.goVerify(t.Context(), f.mint(unknownKey(1)))
			<-arrived
			f.issuer.RotateKeys()
			token := f.mint()
			ctx, waiting := withWaiting(t.Context())
			good := f.goVerify(ctx, token)
			<-waiting
			f.Advance(row.takes)
			release()
			if err := <-bad; !errors.Is(err, interceptor.ErrInvalidToken) {
				t.Errorf("the token that began the fetch: got %v", err)
			}
			if err := <-good; !errors.Is(err, row.want) {
				t.Errorf("the good token: got %v, want %v", err, row.want)
			}
			f.Advance(row.rest)
			f.fetches(t, row.fetches, func() { f.accepts(t, token) })
		})
	}
}

// holdOldKeySet is HoldKeySet with the answer that was right when it was called.
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
func (f *fixture) goVerify(ctx context.Context, token string) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := f.verifier.VerifyToken(ctx, token)
		result <- err
	}()
	return result
}

// A waitingContext tells when somebody begins to wait for its end.
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

func TestIssuerDownAtStart(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{Logger: slog.New(slog.DiscardHandler)})
	token := f.mint()
	f.issuer.Down()
	f.refuses(t, token, interceptor.ErrUnavailable)
	f.issuer.Up()
	f.fetches(t, 0, func() { f.refuses(t, token, interceptor.ErrUnavailable) }) // nobody waits in the cool-down
	f.Advance(coolDown)
	f.fetches(t, 1, func() { f.accepts(t, token) })
}

func TestIssuerDownLater(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{Logger: slog.New(slog.DiscardHandler)})
	f.accepts(t, f.mint())
	f.issuer.Down()
	f.Advance(coolDown)
	// The key may be new, and we cannot tell.
	f.refuses(t, f.mint(unknownKey(1)), interceptor.ErrUnavailable)
	f.refuses(t, f.mint(unknownKey(2)), interceptor.ErrUnavailable)
	f.accepts(t, f.mint())
	f.refuses(t, f.mint(forged), interceptor.ErrInvalidToken)
	f.issuer.Up()
	f.Advance(coolDown)
	f.refuses(t, f.mint(unknownKey(3)), interceptor.ErrInvalidToken)
}

// TestWithdrawnKey has a withdrawal noticed by the refresh, which tokens that
// are remembered set off as well as others.
func TestWithdrawnKey(t *testing.T) {
	for _, row := range []struct {
		name string
		size int
	}{
		{"remembered", 0},
		{"not remembered", -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.JWTConfig{CacheSize: row.size})
			token := f.mint()
			f.accepts(t, token)
			for range 3 {
				f.issuer.RotateKeys()
				f.issuer.WithdrawOldKeys()
				f.Advance(interval - 1)
				f.fetches(t, 0, func() { f.accepts(t, token) })
				f.Advance(1)
				f.fetches(t, 1, func() { f.accepts(t, token) })                             // in the background
				f.fetches(t, 0, func() { f.refuses(t, token, interceptor.ErrUnavailable) }) // it may be a new key
				f.Advance(coolDown)
				f.fetches(t, 1, func() { f.refuses(t, token, interceptor.ErrInvalidToken) })
				token = f.mint()
				f.accepts(t, token)
			}
		})
	}
}

// TestChangedKey has the key replaced by another one under the same id.
func TestChangedKey(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	token := f.mint()
	f.accepts(t, token)
	f.issuer.RotateKeys()
	f.issuer.WithdrawOldKeys()
	f.editKeySet(t, func(key map[string]any) { key["kid"] = "ES256-1" })
	f.Advance(interval)
	f.accepts(t, token)
	f.verifier.AwaitFetch()
	f.refuses(t, token, interceptor.ErrInvalidToken)
	f.accepts(t, f.mint(parameter("kid", "ES256-1")))
}

// TestAddedKey proves that a rotation which withdraws nothing does not cost the
// memory of what was verified.
func TestAddedKey(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	token := f.mint()
	before, _ := f.verify(t, token)
	f.issuer.RotateKeys()
	f.Advance(interval)
	f.fetches(t, 1, func() { f.accepts(t, token) })
	if after, _ := f.verify(t, token); after != before {
		t.Error("the token was verified again")
	}
}

// TestLongRest proves that a verifier which nobody used does not accept a
// withdrawn key once more before it looks.
func TestLongRest(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	token := f.mint()
	f.accepts(t, token)
	f.issuer.RotateKeys()
	f.issuer.WithdrawOldKeys()
	f.Advance(2*interval + 1)
	f.fetches(t, 1, func() { f.refuses(t, token, interceptor.ErrInvalidToken) })
}

func TestLongRestCancelled(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	token := f.mint()
	f.accepts(t, token)
	f.Advance(2*interval + 1)
	arrived, release := f.issuer.HoldKeySet()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := f.verifier.VerifyToken(ctx, token)
	if !errors.Is(err, interceptor.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	f.accepts(t, token)
}

// TestOutageLongerThanTheRest proves that keys are never given up because the
// issuer is out of reach, and that callers wait for it once only.
func TestOutageLongerThanTheRest(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{Logger: slog.New(slog.DiscardHandler)})
	token := f.mint()
	f.accepts(t, token)
	f.issuer.Down()
	f.Advance(3 * interval)
	f.accepts(t, token)
	f.verifier.AwaitFetch()
	f.issuer.Up()
	arrived, release := f.issuer.HoldKeySet()
	f.Advance(3 * interval)
	f.accepts(t, token) // although the answer is held back
	<-arrived
	release()
}

// TestRefreshFails proves how often a refresh is tried again.
func TestRefreshFails(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{Logger: slog.New(slog.DiscardHandler)})
	token := f.mint()
	f.accepts(t, token)
	f.issuer.HandleKeySet(authtest.Answer(http.StatusServiceUnavailable, "text/plain", "no"))
	f.Advance(interval)
	f.fetches(t, 1, func() { f.accepts(t, token) })
	f.Advance(10*time.Second - 1)
	f.fetches(t, 0, func() { f.accepts(t, token) })
	f.Advance(1)
	f.fetches(t, 1, func() { f.accepts(t, token) })
	f.issuer.Up()
	f.Advance(10 * time.Second)
	f.fetches(t, 1, func() { f.accepts(t, token) })
	f.Advance(interval - 1)
	f.fetches(t, 0, func() { f.accepts(t, token) })
}

// TestBadAnswer proves that nothing but a better key set takes the place of a
// good one, and that nothing is needed to recover.
func TestBadAnswer(t *testing.T) {
	const html = "<html><body>Down for maintenance</body></html>"
	json := func(body string) func(string) http.Handler {
		return func(string) http.Handler { return authtest.Answer(http.StatusOK, "application/json", body) }
	}
	for _, row := range []struct {
		name   string
		answer func(goodSet string) http.Handler
	}{
		{"empty", json("")},
		{"empty object", json("{}")},
		{"empty set", json(`{"keys":[]}`)},
		{"null", json("null")},
		{"null keys", json(`{"keys":null}`)},
		{"null among the keys", json(`{"keys":[null]}`)},
		{"an array", json("[]")},
		{"only keys of no use", json(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)},
		{"keys in another case", func(goodSet string) http.Handler {
			return authtest.Answer(http.StatusOK, "application/json", strings.Replace(goodSet, "keys", "Keys", 1))
		}},
		{"32 MiB", func(goodSet string) http.Handler {
			return authtest.Answer(http.StatusOK, "application/json", goodSet+strings.Repeat(" ", 32<<20))
		}},
		{"HTML", func(string) http.Handler { return authtest.Answer(http.StatusOK, "text/html", html) }},
		{"503", func(string) http.Handler { return authtest.Answer(http.StatusServiceUnavailable, "text/html", html) }},
		{"500 with a good set", func(goodSet string) http.Handler {
			return authtest.Answer(http.StatusInternalServerError, "application/json", goodSet)
		}},
		{"cut off", func(goodSet string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(len(goodSet)+1))
				_, _ = w.Write([]byte(goodSet))
			})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.JWTConfig{CacheSize: -1, Logger: slog.New(slog.DiscardHandler)})
			answer := row.answer(string(f.issuer.KeySet()))
			f.survives(t, func() { f.issuer.HandleKeySet(answer) })
		})
	}
}

// survives breaks the issuer, first before it ever answered and then later.
func (f *fixture) survives(t *testing.T, breakIssuer func()) {
	t.Helper()
	breakIssuer()
	f.refuses(t, f.mint(), interceptor.ErrUnavailable)
	f.issuer.Up()
	f.Advance(coolDown)
	f.accepts(t, f.mint())

	breakIssuer()
	f.Advance(interval)
	f.accepts(t, f.mint())
	f.verifier.AwaitFetch()
	f.accepts(t, f.mint())
	f.refuses(t, f.mint(unknownKey(1)), interceptor.ErrUnavailable)
}

// TestBadDiscovery has answers that are no discovery document. The library that
// reads it panics on null.
func TestBadDiscovery(t *testing.T) {
	for _, body := range []string{"", "null", "[]", "{}", "1", `"x"`, "[null]", "<html>"} {
		t.Run(body, func(t *testing.T) {
			f := newFixture(t, verifier.JWTConfig{CacheSize: -1, Logger: slog.New(slog.DiscardHandler)})
			f.survives(t, func() {
				f.issuer.HandleDiscovery(authtest.Answer(http.StatusOK, "application/json", body))
			})
		})
	}
}

// TestFetchBreaks has a fetch that ends in no regular way. It is a failed one to
// the callers, and the log has what there is to know of it.
func TestFetchBreaks(t *testing.T) {
	for _, row := range []struct {
		name   string
		breaks func()
		log    []string
	}{
		{"panic", func() { panic("the transport broke") }, []string{"panicked", "the transport broke", "stack=", "keyset_test.go"}},
		{"runtime.Goexit", runtime.Goexit, []string{"without an answer"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			lines := make(logLines, 10)
			breaks := row.breaks
			f := newFixture(t, verifier.JWTConfig{
				HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
					breaks()
					return http.DefaultTransport.RoundTrip(r)
				})},
				Logger: slog.New(slog.NewTextHandler(lines, nil)),
			})
			inAllCalls(20, func(int) { f.refuses(t, f.mint(), interceptor.ErrUnavailable) })
			line := <-lines
			for _, part := range row.log {
				if !strings.Contains(line, part) {
					t.Errorf("log has %q, want %q in it", line, part)
				}
			}
			breaks = func() {}
			f.Advance(coolDown)
			f.accepts(t, f.mint())
			if line := <-lines; !strings.Contains(line, "available again") {
				t.Errorf("log has %q as the second line", line)
			}
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestTokenWithoutKeyID proves that such a token is accepted if it is clear
// which key it means.
func TestTokenWithoutKeyID(t *testing.T) {
	noKeyID := parameter("kid", authtest.Omit)
	t.Run("one key", func(t *testing.T) {
		f := newFixture(t, verifier.JWTConfig{})
		f.accepts(t, f.mint(noKeyID))
		f.Advance(coolDown)
		f.fetches(t, 1, func() { f.refuses(t, f.mint(noKeyID, forged), interceptor.ErrInvalidToken) })
	})
	t.Run("one key of each algorithm", func(t *testing.T) {
		f := newFixture(t, verifier.JWTConfig{}, "ES256", "EdDSA")
		f.accepts(t, f.mint(noKeyID))
		f.accepts(t, f.mint(noKeyID, algorithm("EdDSA")))
	})
	t.Run("two keys", func(t *testing.T) {
		f := newFixture(t, verifier.JWTConfig{})
		f.issuer.RotateKeys()
		f.refuses(t, f.mint(noKeyID), interceptor.ErrInvalidToken)
		f.Advance(coolDown)
		f.fetches(t, 0, func() { f.refuses(t, f.mint(noKeyID), interceptor.ErrInvalidToken) })
	})
	t.Run("no key of the algorithm", func(t *testing.T) {
		f := newFixture(t, verifier.JWTConfig{})
		f.refuses(t, f.mint(noKeyID, parameter("alg", "EdDSA")), interceptor.ErrInvalidToken)
	})
	t.Run("replaced key", func(t *testing.T) {
		f := newFixture(t, verifier.JWTConfig{})
		f.accepts(t, f.mint(noKeyID))
		f.issuer.RotateKeys()
		f.issuer.WithdrawOldKeys()
		f.Advance(coolDown)
		f.fetches(t, 1, func() { f.accepts(t, f.mint(noKeyID)) })
	})
}

// TestSharedKeyID has two keys under one id: tokens of either are good, and of
// no other.
func TestSharedKeyID(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	same := parameter("kid", "same")
	old := f.mint(same)
	f.issuer.RotateKeys()
	f.editKeySet(t, func(key map[string]any) { key["kid"] = "same" })
	f.accepts(t, old)
	f.accepts(t, f.mint(same))
	f.refuses(t, f.mint(same, forged), interceptor.ErrInvalidToken)
}

func TestKeyPublishedTwice(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	key := strings.TrimSuffix(strings.TrimPrefix(string(f.issuer.KeySet()), `{"keys":[`), `]}`)
	f.issuer.HandleKeySet(authtest.Answer(200, "application/json", `{"keys":[`+key+","+key+`]}`))
	f.accepts(t, f.mint(parameter("kid", authtest.Omit)))
}

// TestOneKeyOneAlgorithm proves R8725-3.1.
func TestOneKeyOneAlgorithm(t *testing.T) {
	withoutAlg := func(key map[string]any) { delete(key, "alg") }
	for _, row := range []struct {
		name     string
		accepted []string
		edit     func(map[string]any)
		token    func(*authtest.Token)
		want     error
	}{
		{"R8725-3.1 named", nil, func(map[string]any) {}, algorithm("RS256"), nil},
		{"R8725-3.1 named otherwise", nil, func(key map[string]any) { key["alg"] = "PS256" }, algorithm("RS256"), interceptor.ErrInvalidToken},
		{"R8725-3.1 another of the family", nil, func(map[string]any) {}, parameter("alg", "PS256"), interceptor.ErrInvalidToken},
		{"R8725-3.1 another family", nil, func(map[string]any) {}, parameter("alg", "ES256"), interceptor.ErrInvalidToken},
		{"R8725-3.1 not named, first RSA algorithm", []string{"ES256", "RS256", "PS256"}, withoutAlg, algorithm("RS256"), nil},
		{"R8725-3.1 not named, second RSA algorithm", []string{"ES256", "PS256", "RS256"}, withoutAlg, algorithm("RS256"), interceptor.ErrInvalidToken},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.JWTConfig{Algorithms: row.accepted}, "RS256")
			f.editKeySet(t, row.edit)
			token := f.mint(row.token)
			f.fetches(t, 1, func() {
				if _, err := f.verify(t, token); !errors.Is(err, row.want) {
					t.Errorf("got %v, want %v", err, row.want)
				}
			})
			f.Advance(coolDown)
			f.fetches(t, 0, func() { _, _ = f.verify(t, token) }) // the key is known, so there is nothing to fetch
		})
	}
}

// TestLog proves that an outage is told once, with the age of the keys, again
// while it lasts, and that its end is told.
func TestLog(t *testing.T) {
	lines := make(logLines, 10)
	f := newFixture(t, verifier.JWTConfig{Logger: slog.New(slog.NewTextHandler(lines, nil))})
	attempt := func() {
		f.Advance(coolDown)
		_, _ = f.verify(t, f.mint(unknownKey(1)))
	}
	expect := func(part string) {
		t.Helper()
		if line := <-lines; !strings.Contains(line, part) {
			t.Errorf("log has %q, want %q in it", line, part)
		}
	}
	f.issuer.Down()
	attempt()
	expect("keys=none")
	attempt() // is not told, or else the next line is not the expected one
	f.issuer.Up()
	attempt()
	expect("available again")
	f.issuer.Down()
	attempt()
	expect("keys_age=1s")
	attempt()
	f.Advance(time.Minute)
	attempt()
	expect("keys_age=1m3s")
}

// logLines receives each record of a text log.
type logLines chan string

func (l logLines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// TestAtTheSameTime has keys rotate under load, for the race detector. No token is
// ever called invalid for a key that is too new.
func TestAtTheSameTime(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{CacheSize: 8, RefreshInterval: time.Second})
	inAllCalls(8, func(i int) {
		for range 30 {
			if i == 0 {
				f.issuer.RotateKeys()
			}
			f.Advance(time.Second / 10)
			if _, err := f.verifier.VerifyToken(t.Context(), f.mint()); errors.Is(err, interceptor.ErrInvalidToken) {
				t.Errorf("a good token: got %v", err)
			}
		}
	})
}
