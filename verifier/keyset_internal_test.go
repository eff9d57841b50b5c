package verifier

import (
	"context"
	"testing"
	"time"
)

// TestNewerThan has a caller whose keys were replaced before it asks for newer
// ones. It gets those at once, even in the cool-down.
func TestNewerThan(t *testing.T) {
	s := newKeySet(JWTConfig{RefreshInterval: time.Minute}, nil, time.Now)
	fetches := 0
	s.fetch = func(context.Context) (published, error) {
		fetches++
		return published{}, nil
	}
	seen, err := s.newerThan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	replaced := newKeys("", published{}, seen, 2, time.Now())
	s.current.Store(replaced)
	if got, err := s.newerThan(t.Context(), seen); got != replaced || err != nil || fetches != 1 {
		t.Errorf("got %p and %v after %d fetches, want %p after one", got, err, fetches, replaced)
	}
	if got, err := s.newerThan(t.Context(), replaced); got != replaced || err != nil || fetches != 1 {
		t.Errorf("in the cool-down: got %p and %v after %d fetches", got, err, fetches)
	}
}

// TestRefreshIsNotDue has a caller that finds a refresh due which another
// caller has completed meanwhile.
func TestRefreshIsNotDue(t *testing.T) {
	s := newKeySet(JWTConfig{RefreshInterval: time.Minute}, nil, time.Now)
	s.fetch = func(context.Context) (published, error) { return published{}, nil }
	if _, err := s.newerThan(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	current := s.current.Load()
	if got, err := s.refresh(t.Context(), time.Now()); got != current || err != nil || s.running != nil {
		t.Errorf("got %p and %v, want %p and no fetch", got, err, current)
	}
	if !s.mu.TryLock() {
		t.Error("the lock is held")
	}
}
