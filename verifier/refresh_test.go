package verifier_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestWithdrawnKey proves that a refresh notices the withdrawal of a key, and
// that remembered tokens trigger the refresh as well as others.
func TestWithdrawnKey(t *testing.T) {
	for _, row := range []struct {
		name string
		size int
	}{
		{"remembered", 0},
		{"not remembered", -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{CacheSize: row.size})
			raw := f.mint()
			f.accepts(t, raw)
			for range 3 {
				f.issuer.RotateKeys()
				f.issuer.WithdrawOldKeys()
				f.Advance(interval - 1)
				f.fetches(t, 0, func() { f.accepts(t, raw) })
				f.Advance(1)
				f.fetches(t, 1, func() { f.accepts(t, raw) })                       // in the background
				f.fetches(t, 0, func() { f.refuses(t, raw, token.ErrUnavailable) }) // it may be a new key
				f.Advance(coolDown)
				f.fetches(t, 1, func() { f.refuses(t, raw, token.ErrInvalid) })
				raw = f.mint()
				f.accepts(t, raw)
			}
		})
	}
}

// TestChangedKey replaces the key by another one with the same ID.
func TestChangedKey(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	raw := f.mint()
	f.accepts(t, raw)
	f.issuer.RotateKeys()
	f.issuer.WithdrawOldKeys()
	f.editKeySet(t, func(key map[string]any) { key["kid"] = "ES256-1" })
	f.Advance(interval)
	f.accepts(t, raw)
	f.verifier.AwaitFetch()
	f.refuses(t, raw, token.ErrInvalid)
	f.accepts(t, f.mint(parameter("kid", "ES256-1")))
}

// TestAddedKey proves that tokens stay remembered when a rotation withdraws no
// key.
func TestAddedKey(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	raw := f.mint()
	before, _ := f.verify(t, raw)
	f.issuer.RotateKeys()
	f.Advance(interval)
	f.fetches(t, 1, func() { f.accepts(t, raw) })
	if after, _ := f.verify(t, raw); after != before {
		t.Error("the token was verified again")
	}
}

// TestIdle proves that after a long idle period the verifier refreshes its keys
// before it accepts a token.
func TestIdle(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	raw := f.mint()
	f.accepts(t, raw)
	f.issuer.RotateKeys()
	f.issuer.WithdrawOldKeys()
	f.Advance(2*interval + 1)
	f.fetches(t, 1, func() { f.refuses(t, raw, token.ErrInvalid) })
}

func TestIdleCancelled(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	raw := f.mint()
	f.accepts(t, raw)
	f.Advance(2*interval + 1)
	arrived, release := f.issuer.HoldKeySet()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := f.verifier.VerifyToken(ctx, raw, nil)
	if !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	f.accepts(t, raw)
}

// TestRefreshFails proves how often a refresh is retried.
func TestRefreshFails(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	raw := f.mint()
	f.accepts(t, raw)
	f.issuer.HandleKeySet(authtest.Answer(http.StatusServiceUnavailable, "text/plain", "no"))
	f.Advance(interval)
	f.fetches(t, 1, func() { f.accepts(t, raw) })
	f.Advance(10*time.Second - 1)
	f.fetches(t, 0, func() { f.accepts(t, raw) })
	f.Advance(1)
	f.fetches(t, 1, func() { f.accepts(t, raw) })
	f.issuer.Up()
	f.Advance(10 * time.Second)
	f.fetches(t, 1, func() { f.accepts(t, raw) })
	f.Advance(interval - 1)
	f.fetches(t, 0, func() { f.accepts(t, raw) })
}

// TestAtTheSameTime rotates keys under load, for the race detector. No token is
// invalid because its key is too new.
func TestAtTheSameTime(t *testing.T) {
	f := newFixture(t, verifier.Config{CacheSize: 8, JWT: []verifier.JWTConfig{{RefreshInterval: time.Second}}})
	inAllCalls(8, func(i int) {
		for range 30 {
			if i == 0 {
				f.issuer.RotateKeys()
			}
			f.Advance(time.Second / 10)
			if _, err := f.verifier.VerifyToken(t.Context(), f.mint(), nil); errors.Is(err, token.ErrInvalid) {
				t.Errorf("a good token: got %v", err)
			}
		}
	})
}
