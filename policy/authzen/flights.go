package authzen

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// flights has runs for keys, and any number of callers wait for one. A run does not end when
// a caller gives up. The zero value is ready for use.
type flights[K comparable, V any] struct {
	mu      sync.Mutex
	running map[K]*flight[V] // the last run for each key
}

type flight[V any] struct {
	begun  time.Time
	done   chan struct{} // closed at the end
	result V             // read only after done
	err    error
}

// errNoEnd is the result of a run that exited its goroutine.
var errNoEnd = fmt.Errorf("%w: the request to the policy decision point did not end", token.ErrUnavailable)

// A run is what callers wait for.
type run[V any] struct {
	// known returns the result without a run, if that is possible.
	known func() (V, bool)
	// do makes the run. It must not panic.
	do func() (V, error)
	// now is the present, and a run that began before since is too old.
	now, since time.Time
}

// join returns the result of the run for a key. It starts one if there is none.
func (f *flights[K, V]) join(ctx context.Context, key K, wanted run[V]) (V, error) {
	f.mu.Lock()
	running := f.running[key]
	if running == nil || running.begun.Before(wanted.since) {
		// The last run may have ended since the caller looked.
		if result, ok := wanted.known(); ok {
			f.mu.Unlock()
			return result, nil
		}
		running = f.start(key, wanted)
	}
	f.mu.Unlock()
	select {
	case <-running.done:
		return running.result, running.err
	case <-ctx.Done():
		var none V
		return none, givenUp(ctx)
	}
}

// start is called with the lock.
func (f *flights[K, V]) start(key K, wanted run[V]) *flight[V] {
	if f.running == nil {
		f.running = make(map[K]*flight[V])
	}
	started := &flight[V]{begun: wanted.now, done: make(chan struct{})}
	f.running[key] = started
	started.err = errNoEnd
	go func() {
		// Also if the user's transport exits the goroutine.
		defer func() {
			f.mu.Lock()
			if f.running[key] == started {
				delete(f.running, key)
			}
			f.mu.Unlock()
			close(started.done)
		}()
		started.result, started.err = wanted.do()
	}()
	return started
}
