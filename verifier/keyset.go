package verifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
)

const (
	// fetchTimeout bounds the requests for discovery document and key set
	// together.
	fetchTimeout = 10 * time.Second
	// coolDown is the least time between the starts of two fetches. A flood of
	// tokens with invented key IDs costs the issuer one fetch per second. No
	// caller waits for the cool-down to end.
	coolDown = time.Second
	// retryInterval is the time between background fetches as long as they
	// fail.
	retryInterval = 10 * time.Second
)

// A keySet holds the keys of the issuer. It fetches them when they are first
// needed, in the background when they are older than the refresh interval, and
// when a token names an unknown key.
//
// If a fetch fails, or returns no usable key, the last good keys stay in use,
// however old they get: an outage of the issuer must not lock out all callers.
// A withdrawn key is therefore trusted until a fetch succeeds. A warning in the
// log states the age of the keys.
//
// An unknown key may have been published since the keys were fetched. It is
// reported as unknown only after a fetch that started after the token arrived.
//
// One fetch runs at a time. It has its own context, so a caller that gives up
// does not fail the others.
type keySet struct {
	issuer   string
	interval time.Duration
	now      func() time.Time
	fetch    func(context.Context) (published, error)

	current  atomic.Pointer[keys] // nil until a fetch succeeds
	due      atomic.Int64         // the elapsed time at which to refresh
	start    time.Time
	attempts atomic.Uint64 // the number of attempts started; written under mu
	fetches  atomic.Uint64 // the number of attempts that ended well
	failures atomic.Uint64 // and of the others

	mu      sync.Mutex
	running *attempt  // nil if there is none
	begun   time.Time // the start of the last attempt
	lastErr error     // of the last attempt that ended
	log     fetchLog
}

// An attempt is one fetch, which any number of callers may wait for.
type attempt struct {
	serial uint64        // 1 for the first
	done   chan struct{} // closed at the end
	err    error         // read only after done
}

// errNoAnswer is the result of a fetch that ended its goroutine.
var errNoAnswer = errors.New("the fetch ended without an answer")

// An arrival is the time at which a token arrived, and the number of attempts
// that had started by then.
type arrival struct {
	now      time.Time
	attempts uint64
}

func newKeySet(config JWTConfig, logger *slog.Logger, now func() time.Time) *keySet {
	return &keySet{
		issuer:   config.Issuer,
		interval: config.RefreshInterval,
		now:      now,
		fetch:    newProvider(config).fetch,
		start:    now(),
		log:      fetchLog{issuer: config.Issuer, logger: logger},
	}
}

// holds reports whether the keys of an epoch are still in use, and no refresh
// is due.
func (s *keySet) holds(epoch uint64, now time.Time) bool {
	current := s.current.Load()
	return current != nil && current.epoch == epoch && !s.isDue(now)
}

func (s *keySet) isDue(now time.Time) bool {
	return s.elapsed(now) >= time.Duration(s.due.Load())
}

// verify checks a signature, and returns the epoch of the keys that were used.
func (s *keySet) verify(ctx context.Context, token *signed, came arrival) (uint64, error) {
	keys, err := s.load(ctx, came.now)
	if err != nil {
		return 0, err
	}
	err = keys.verify(token)
	if errors.Is(err, errNoKey) && keys.predate(came) {
		if keys, err = s.newerThan(ctx, keys); err != nil {
			return 0, err
		}
		err = keys.verify(token)
	}
	switch {
	case err == nil:
		return keys.epoch, nil
	case errors.Is(err, errNoKey) && keys.predate(came):
		return 0, unavailable(fmt.Errorf("%w, but it may be newer than the last fetch", err))
	default:
		return 0, invalid(err)
	}
}

// load returns the keys to verify with, and starts a refresh if one is due.
// Usually it neither waits nor locks nor allocates.
func (s *keySet) load(ctx context.Context, now time.Time) (*keys, error) {
	current := s.current.Load()
	switch {
	case current == nil:
		return s.newerThan(ctx, nil)
	case s.isDue(now):
		return s.refresh(ctx, now)
	default:
		return current, nil
	}
}

// refresh starts a fetch that is due. It waits for the result only after a long
// idle period: the keys are then more than two intervals old although the
// issuer is reachable, as far as is known. After a failed fetch it does not
// wait.
func (s *keySet) refresh(ctx context.Context, now time.Time) (*keys, error) {
	s.mu.Lock()
	current := s.current.Load()
	if !s.isDue(now) {
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

// newerThan returns keys that were fetched after the given ones, or the same
// ones during the cool-down. After the end of an attempt that it joined, it
// does not join another one, so a flood cannot keep it waiting.
func (s *keySet) newerThan(ctx context.Context, seen *keys) (*keys, error) {
	s.mu.Lock()
	if current := s.current.Load(); current != seen {
		s.mu.Unlock()
		return current, nil
	}
	if s.running == nil && !s.isCool() {
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

// isIdle reports whether no attempt is running, and none has started within the
// cool-down.
func (s *keySet) isIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running == nil && s.isCool()
}

// isCool reports whether an attempt may start. The caller holds s.mu.
func (s *keySet) isCool() bool { return s.now().Sub(s.begun) >= coolDown }

// join returns the running attempt, or starts one.
// The caller holds s.mu.
func (s *keySet) join() *attempt {
	if s.running == nil {
		s.begun = s.now()
		s.running = &attempt{serial: s.attempts.Add(1), done: make(chan struct{})}
		go s.run(s.running)
	}
	return s.running
}

// run makes an attempt, and ends it even if the fetch panics or exits the
// goroutine. The fetch runs libraries, and the transport of the user, on input
// from the network.
func (s *keySet) run(a *attempt) {
	var result published
	err := errNoAnswer
	defer func() {
		if value := recover(); value != nil {
			err = panicked.New("the fetch of the key set", value)
		}
		log := s.finish(a, result, err)
		close(a.done)
		log()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	result, err = s.fetch(ctx)
}

// finish stores the result of an attempt. It returns the function that logs it,
// to be called without the lock, because a log handler may be slow.
func (s *keySet) finish(a *attempt, result published, err error) (log func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	log = s.log.record(result.unusable, err, s.current.Load(), now)
	next := min(s.interval, retryInterval)
	if err != nil {
		s.failures.Add(1)
	} else {
		s.fetches.Add(1)
		s.current.Store(newKeys(s.issuer, result, s.current.Load(), a.serial, now))
		next = s.interval
	}
	s.due.Store(int64(s.elapsed(now) + next))
	s.lastErr, s.running = err, nil
	a.err = err
	return log
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

// elapsed is a duration, not an instant, so that setting the wall clock does
// not change when a refresh is due.
func (s *keySet) elapsed(now time.Time) time.Duration { return now.Sub(s.start) }
