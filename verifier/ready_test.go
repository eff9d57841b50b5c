package verifier_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// ready checks the result of Ready; the reason is empty for a verifier that is
// ready.
func (f *fixture) ready(t *testing.T, reason string) {
	t.Helper()
	err := f.verifier.Ready()
	if (err == nil) != (reason == "") || err != nil && (!errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), reason)) {
		t.Errorf("got %v, want %q", err, reason)
	}
}

func TestWarm(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	f.fetches(t, 1, func() {
		if err := f.verifier.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	f.ready(t, "")
	f.fetches(t, 0, func() {
		f.Advance(coolDown)
		if err := f.verifier.Warm(t.Context()); err != nil {
			t.Error(err)
		}
		f.accepts(t, f.mint())
	})
}

func TestWarmDuringOutage(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	f.issuer.Down()
	for range 2 { // the second time in the cool-down
		if err := f.verifier.Warm(t.Context()); !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), "metadata") {
			t.Errorf("got %v", err)
		}
	}
	f.issuer.Up()
	f.Advance(coolDown)
	if err := f.verifier.Warm(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWarmCancelled(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	arrived, release := f.issuer.HoldKeySet()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if err := f.verifier.Warm(ctx); !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	f.ready(t, "has not been fetched yet")
	release()
	f.verifier.AwaitFetch()
	f.ready(t, "")
}

// TestReadyFetches proves that a probe alone makes a verifier ready, also after an
// outage, with one fetch per second at most.
func TestReadyFetches(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	f.issuer.HandleKeySet(authtest.Answer(503, "text/plain", "no"))
	f.fetches(t, 1, func() { f.ready(t, "has not been fetched yet") })
	f.fetches(t, 0, func() {
		inAllCalls(10, func(int) { f.ready(t, "503") })
		f.Advance(coolDown - 1)
		f.ready(t, "503")
	})
	f.issuer.Up()
	f.Advance(1)
	arrived, release := f.issuer.HoldKeySet()
	f.fetches(t, 1, func() {
		f.ready(t, "503")
		<-arrived
		inAllCalls(10, func(int) { f.ready(t, "503") }) // while it runs
		f.Advance(coolDown)
		f.ready(t, "503")
		release()
	})
	f.fetches(t, 0, func() { f.ready(t, "") })
}

// TestReadyStays proves that an outage takes no server out of service.
func TestReadyStays(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	f.accepts(t, f.mint())
	f.issuer.Down()
	f.Advance(100 * interval)
	f.fetches(t, 0, func() { f.ready(t, "") })
	f.accepts(t, f.mint())
	f.verifier.AwaitFetch()
	f.ready(t, "")
}
