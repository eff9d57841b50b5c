package verifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchTimeout bounds discovery and key set together.
	fetchTimeout = 10 * time.Second
	// coolDown is the least time between the beginnings of two fetches, so that
	// a flood of tokens with invented key ids costs the issuer a fetch a second.
	// Nobody waits for its end.
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
// Keys are never given up for nothing. When a fetch fails, or brings no usable
// key, the last good ones stay in use however old they get: an outage of the
// issuer must not lock everyone out. So a key that was withdrawn is trusted until
// a fetch succeeds. A warning tells how old the keys are.
//
// A key that is not there may have been published since the keys were fetched.
// Nobody is told that it does not exist unless a fetch that began after his
// token had arrived did not bring it.
//
// There is one fetch at a time. It has a context of its own: a caller that
// gives up takes nobody with it.
type keySet struct {
	issuer   string
	interval time.Duration
	logger   *slog.Logger
	now      func() time.Time
	fetch    func(context.Context) ([]*publicKey, error)

	current  atomic.Pointer[keys] // nil until a fetch succeeds
	due      atomic.Int64         // when to refresh, as elapsed counts
	start    time.Time
	attempts atomic.Uint64 // that have begun; written under mu

	mu       sync.Mutex
	running  *attempt  // nil when there is none
	begun    time.Time // when the last attempt did
	lastErr  error     // of the last attempt that ended
	reminded time.Time // when a failure was last logged
}

// An attempt is one fetch, which any number of callers may wait for.
type attempt struct {
	serial uint64        // 1 for the first
	done   chan struct{} // closed at the end
	err    error         // to be read after done
}

// errNoAnswer is the result of a fetch that ended its goroutine.
var errNoAnswer = errors.New("the fetch ended without an answer")

// An arrival is when a token came, by the clock and by the count of the attempts
// that had begun.
type arrival struct {
	now      time.Time
	attempts uint64
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
func (s *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature, came arrival) ([]byte, uint64, error) {
	keys, err := s.load(ctx, came.now)
	if err != nil {
		return nil, 0, err
	}
	payload, err := keys.verify(jws)
	if errors.Is(err, errNoKey) && keys.predate(came) {
		if keys, err = s.newerThan(ctx, keys); err != nil {
			return nil, 0, err
		}
		payload, err = keys.verify(jws)
	}
	switch {
	case err == nil:
		return payload, keys.epoch, nil
	case errors.Is(err, errNoKey) && keys.predate(came):
		return nil, 0, unavailable(fmt.Errorf("%w, but it may be newer than the last fetch", err))
	default:
		return nil, 0, invalid(err)
	}
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
// looked at, or the same again in the cool-down. If it joins an attempt, it does
// not join another one when that ends: a flood cannot make it wait for ever.
func (s *keySet) newerThan(ctx context.Context, seen *keys) (*keys, error) {
	s.mu.Lock()
	if current := s.current.Load(); current != seen {
		s.mu.Unlock()
		return current, nil
	}
	if s.running == nil && s.now().Sub(s.begun) < coolDown {
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
		s.begun = s.now()
		s.running = &attempt{serial: s.attempts.Add(1), done: make(chan struct{})}
		go s.run(s.running)
	}
	return s.running
}

// run makes an attempt, and ends it whatever the fetch does: it runs code of
// others on the answers of others, the transport of the user among it.
func (s *keySet) run(a *attempt) {
	var published []*publicKey
	err := errNoAnswer
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value: value, stack: debug.Stack()}
		}
		tell := s.finish(a, published, err)
		close(a.done)
		tell()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	published, err = s.fetch(ctx)
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
		s.current.Store(newKeys(published, s.current.Load(), a.serial, now))
		next = s.interval
	}
	s.due.Store(int64(s.elapsed(now) + next))
	s.lastErr, s.running = err, nil
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
		attrs := s.describe(err, now)
		return func() {
			logger.LogAttrs(context.Background(), slog.LevelWarn, "the key set of the issuer cannot be fetched", attrs...)
		}
	default:
		return func() {}
	}
}

// describe returns what there is to know about a failure.
func (s *keySet) describe(err error, now time.Time) []slog.Attr {
	attrs := []slog.Attr{slog.String("issuer", s.issuer), slog.Any("error", err), s.age(now)}
	if panicked, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(panicked.stack)))
	}
	return attrs
}

// age describes how old the keys in use are.
func (s *keySet) age(now time.Time) slog.Attr {
	current := s.current.Load()
	if current == nil {
		return slog.String("keys", "none")
	}
	return slog.Duration("keys_age", now.Sub(current.fetched))
}
