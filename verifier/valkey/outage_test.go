package valkey_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// TestAcceptWhileDown: the option accepts proofs while the server is down, once by each
// process, and the log says so.
func TestAcceptWhileDown(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var log logs
	dangerous := func(c *valkey.ProofStoreConfig) {
		c.DangerouslyAcceptWhileDown, c.Logger, c.Timeout = true, log.logger(), 500*time.Millisecond
	}
	store, replica := newStore(t, s.client(), dangerous), newStore(t, s.client(), dangerous)
	recovers(t, store, "before")
	recovers(t, replica, "by the replica")
	if err := use(store, "k", "by the replica"); !errors.Is(err, proof.ErrUsed) {
		t.Errorf("while the server is up: got %v", err)
	}
	if n := store.AcceptedWhileDown(); n != 0 || log.String() != "" {
		t.Errorf("%d were accepted: %s", n, log.String())
	}

	s.stop()
	for i := range 5 {
		if err := use(store, "k", strconv.Itoa(i)); err != nil {
			t.Errorf("got %v", err)
		}
		if err := use(store, "k", strconv.Itoa(i)); !errors.Is(err, proof.ErrUsed) {
			t.Errorf("again: got %v", err)
		}
	}
	for _, id := range []string{"before", "by the replica"} {
		if err := use(store, "k", id); !errors.Is(err, proof.ErrUsed) {
			t.Errorf("%s: got %v", id, err)
		}
	}
	if err := use(replica, "k", "before"); err != nil {
		t.Errorf("the replica has to ask the server, and accepts it: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Consume(ctx, hashOf("k"), hashOf("canceled"), time.Now().Add(time.Minute)); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a request that has ended: got %v", err)
	}
	if err := store.Check(t.Context()); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("Check: got %v", err)
	}
	if n := log.count("level=ERROR", "DangerouslyAcceptWhileDown", "accepted=1", "error="); n != 2 {
		t.Errorf("%d records of two stores:\n%s", n, log.String())
	}

	s.start()
	recovers(t, store, "after")
	// The probes for the recovery may have been accepted during the outage.
	if n := store.AcceptedWhileDown(); n < 5 {
		t.Errorf("%d were accepted", n)
	}
	eventually(t, func() error {
		if log.count("level=WARN", "once again", "accepted=") == 0 {
			use(store, "k", time.Now().String())
			return errors.New("the end is not in the log:\n" + log.String())
		}
		return nil
	})
	if err := use(store, "k", "0"); !errors.Is(err, proof.ErrUsed) {
		t.Errorf("used during the outage: got %v", err)
	}
	if n := newStore(t, s.client()).AcceptedWhileDown(); n != 0 {
		t.Errorf("%d were accepted without the option", n)
	}
}

// TestAcceptWhileSlow: a server that is silent is down.
func TestAcceptWhileSlow(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var log logs
	store := newStore(t, s.client(), func(c *valkey.ProofStoreConfig) {
		c.DangerouslyAcceptWhileDown, c.Logger, c.Timeout = true, log.logger(), 100*time.Millisecond
	})
	recovers(t, store, "1")
	s.pause()
	defer s.resume()
	if err := use(store, "k", "2"); err != nil {
		t.Errorf("got %v", err)
	}
	if err := use(store, "k", "2"); !errors.Is(err, proof.ErrUsed) {
		t.Errorf("got %v", err)
	}
}

// TestAcceptWhileDownIsBounded: the memory of the process bounds what one key can do.
func TestAcceptWhileDownIsBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var log logs
	store := newStore(t, s.client(), func(c *valkey.ProofStoreConfig) {
		c.DangerouslyAcceptWhileDown, c.Logger = true, log.logger()
	})
	var refused error
	for i := range 10_001 {
		if refused = use(store, "k", strconv.Itoa(i)); refused != nil {
			break
		}
	}
	if n := store.AcceptedWhileDown(); n != 10_000 || !errors.Is(refused, token.ErrUnavailable) {
		t.Errorf("accepted %d, then %v", n, refused)
	}
	if err := use(store, "another", "1"); err != nil {
		t.Errorf("another client: got %v", err)
	}
}

// TestLoadIsNoOutage: what clients alone can bring about does not end the protection.
func TestLoadIsNoOutage(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var log logs
	limit := func(c *valkey.ProofStoreConfig) { c.Timeout, c.Logger = 300*time.Millisecond, log.logger() }
	dangerous := func(c *valkey.ProofStoreConfig) { c.DangerouslyAcceptWhileDown = true }
	store, usual := newStore(t, s.client(), limit, dangerous), newStore(t, s.client(), limit)
	recovers(t, store, "1")
	recovers(t, usual, "1")

	// All places are taken.
	for _, store := range []*valkey.ProofStore{store, usual} {
		release := store.Occupy()
		start := time.Now()
		wantUnavailable(t, store, "too many")
		if waited := time.Since(start); waited < 600*time.Millisecond || waited > patience/2 {
			t.Errorf("two commands with a Timeout of 300 ms took %v", waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if err := store.Consume(ctx, hashOf("k"), hashOf("ended"), time.Now().Add(time.Minute)); !errors.Is(err, context.Canceled) || !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("the request ends: got %v", err)
		}
		release()
		recovers(t, store, "2")
	}

	// The server answers others.
	s.pause()
	others, end := context.WithCancel(t.Context())
	go func() {
		for others.Err() == nil {
			store.Answered()
			time.Sleep(time.Millisecond)
		}
	}()
	err := use(store, "k", "3")
	end()
	if !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("others are answered: got %v", err)
	}
	if n := store.AcceptedWhileDown(); n != 0 || log.String() != "" {
		t.Errorf("%d were accepted: %s", n, log.String())
	}
	eventually(t, func() error { return use(store, "k", time.Now().String()) }) // None is answered.
	if n := store.AcceptedWhileDown(); n != 1 {
		t.Errorf("%d were accepted", n)
	}
	s.resume()
}

// TestWaitsForPlace: a request that finds no place waits for one.
func TestWaitsForPlace(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := newStore(t, s.client())
	recovers(t, store, "1")
	time.AfterFunc(20*time.Millisecond, store.Occupy())
	start := time.Now()
	if err := use(store, "k", "2"); err != nil || time.Since(start) < 10*time.Millisecond {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
	wantUsed(t, store, "2")

	// A place that is free too late leaves the server less than the Timeout.
	late := newStore(t, s.client(), func(c *valkey.ProofStoreConfig) { c.Timeout = 400 * time.Millisecond })
	recovers(t, late, "3")
	s.pause()
	time.AfterFunc(100*time.Millisecond, late.Occupy())
	if err := use(late, "k", "4"); !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("got %v", err)
	}
	s.resume()
}
