package verifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchTimeout bounds discovery and key set together.
	fetchTimeout = 10 * time.Second
	// coolDown is the least time between two fetches. Within it, an unknown key
	// is answered at once with what is known, so that a flood of tokens with
	// invented key ids costs the issuer a fetch a second.
	coolDown = time.Second
	// retryInterval is the time between background fetches while they fail.
	retryInterval = 10 * time.Second
	// remindInterval is the time between warnings while fetches fail.
	remindInterval = time.Minute
)

// A keySet holds the keys of the issuer. It fetches them when they are first
// needed, again in the background when they are older than the refresh
// interval, and again when a token names a key that is not there.
//
// Keys are never given up for nothing. When a fetch fails, the last good ones
// stay in use however old they get, since an issuer that is out of reach
// cannot withdraw a key, and an outage of it must not become one of ours. A
// warning tells their age.
//
// There is one fetch at a time. It has a context of its own: a caller that
// gives up takes nobody with it.
type keySet struct {
	issuer   string
	interval time.Duration
	logger   *slog.Logger
	now      func() time.Time
	fetch    func(context.Context) ([]*publicKey, error)

	current atomic.Pointer[keys] // nil until a fetch succeeds
	due     atomic.Int64         // when to refresh, as elapsed counts
	start   time.Time

	mu       sync.Mutex
	running  *attempt  // nil when there is none
	ended    time.Time // when the last fetch did
	lastErr  error     // of the last fetch
	reminded time.Time // when a failure was last logged
}

// An attempt is one fetch, which any number of callers may wait for.
type attempt struct {
	done chan struct{} // closed at the end
	err  error         // to be read after done
}

func newKeySet(config JWTConfig, now func() time.Time) *keySet {
	return &keySet{
		issuer:   config.Issuer,
		interval: config.RefreshInterval,
		logger:   config.Logger,
		now:      now,
		fetch:    newProvider(config).fetch,
		start:    now(),
	}
}

// verify returns the payload of a token with a good signature, and the epoch of
// the keys that it was checked with.
func (s *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature, now time.Time) ([]byte, uint64, error) {
	keys, err := s.load(ctx, now)
	if err != nil {
		return nil, 0, err
	}
	payload, err := keys.verify(jws)
	if errors.Is(err, errNoKey) {
		if keys, err = s.newerThan(ctx, keys); err != nil {
			return nil, 0, err
		}
		payload, err = keys.verify(jws)
	}
	if err != nil {
		return nil, 0, invalid(err)
	}
	return payload, keys.epoch, nil
}

// load returns the keys to judge by, and sees to it that they are refreshed.
// As a rule it does not wait, takes no lock and no memory.
func (s *keySet) load(ctx context.Context, now time.Time) (*keys, error) {
	current := s.current.Load()
	switch {
	case current == nil:
		return s.newerThan(ctx, nil)
	case s.elapsed(now) < time.Duration(s.due.Load()):
		return current, nil
	default:
		return s.refresh(ctx, now)
	}
}

// refresh starts a fetch that is due. It waits for it only after a long rest:
// then the keys are more than two intervals old, although the issuer may be
// well. If the last fetch failed there is no use in waiting.
func (s *keySet) refresh(ctx context.Context, now time.Time) (*keys, error) {
	s.mu.Lock()
	current := s.current.Load()
	if s.elapsed(now) < time.Duration(s.due.Load()) {
		s.mu.Unlock()
		return current, nil
	}
	running := s.join()
	rested := s.lastErr == nil && now.Sub(current.fetched) > 2*s.interval
	s.mu.Unlock()
	if !rested {
		return current, nil
	}
	if err := running.wait(ctx); err != nil {
		return nil, err
	}
	return s.current.Load(), nil // the old ones if the fetch failed
}

// newerThan returns keys that were fetched after those that the caller has
// looked at, or the same again if they are so new that there is no use in
// fetching.
func (s *keySet) newerThan(ctx context.Context, seen *keys) (*keys, error) {
	s.mu.Lock()
	if current := s.current.Load(); current != seen {
		s.mu.Unlock()
		return current, nil
	}
	if s.running == nil && s.now().Sub(s.ended) < coolDown {
		defer s.mu.Unlock()
		if s.lastErr != nil {
			return nil, unavailable(s.lastErr)
		}
		return seen, nil
	}
	running := s.join()
	s.mu.Unlock()
	if err := running.wait(ctx); err != nil {
		return nil, err
	}
	if running.err != nil {
		return nil, unavailable(running.err)
	}
	return s.current.Load(), nil
}

// join returns the attempt that is running, and starts one if there is none.
// The caller holds s.mu.
func (s *keySet) join() *attempt {
	if s.running == nil {
		s.running = &attempt{done: make(chan struct{})}
		go s.run(s.running)
	}
	return s.running
}

func (s *keySet) run(a *attempt) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	published, err := s.fetch(ctx)
	tell := s.finish(a, published, err)
	close(a.done)
	tell()
}

// finish takes over the result of an attempt. It returns what is to be logged,
// because a handler of the logger may take its time.
func (s *keySet) finish(a *attempt, published []*publicKey, err error) (tell func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	tell = s.message(err, now)
	next := min(s.interval, retryInterval)
	if err == nil {
		s.current.Store(newKeys(published, s.current.Load(), now))
		next = s.interval
	}
	s.due.Store(int64(s.elapsed(now) + next))
	s.ended, s.lastErr, s.running = now, err, nil
	a.err = err
	return tell
}

// wait returns an error only if ctx ends first.
func (a *attempt) wait(ctx context.Context) error {
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return unavailable(fmt.Errorf("while the key set was being fetched: %w", ctx.Err()))
	}
}

// elapsed is a duration and not an instant, so that a wall clock that is set
// does not move it.
func (s *keySet) elapsed(now time.Time) time.Duration { return now.Sub(s.start) }

// message tells when fetches begin to fail, now and then while they do, and
// when they succeed again. The caller holds s.mu.
func (s *keySet) message(err error, now time.Time) func() {
	logger := cmp.Or(s.logger, slog.Default())
	switch {
	case err == nil && s.lastErr != nil:
		return func() {
			logger.Info("the key set of the issuer is available again", slog.String("issuer", s.issuer))
		}
	case err != nil && (s.lastErr == nil || now.Sub(s.reminded) >= remindInterval):
		s.reminded = now
		age := s.age(now)
		return func() {
			logger.Warn("the key set of the issuer cannot be fetched", slog.String("issuer", s.issuer), slog.Any("error", err), age)
		}
	default:
		return func() {}
	}
}

// age describes how old the keys in use are.
func (s *keySet) age(now time.Time) slog.Attr {
	current := s.current.Load()
	if current == nil {
		return slog.String("keys", "none")
	}
	return slog.Duration("keys_age", now.Sub(current.fetched))
}
