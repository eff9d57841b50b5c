package verifier

import (
	"context"
	"fmt"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
)

const (
	// maxFlights bounds the requests to an introspection endpoint at one time. Further
	// tokens wait for their turn, so that a flood of invented ones is not passed on.
	maxFlights = 64
	// maxRenewals bounds the further requests about tokens that were active when they
	// were last asked about. They do not wait behind a flood of invented ones.
	maxRenewals = 16
)

// flights has at most one request for each token on its way, which any number of
// callers wait for. A request has its own context, so a caller that gives up does
// not fail the others. The zero value is ready for use.
type flights struct {
	mu       sync.Mutex
	running  map[digest]*flight
	turns    chan struct{} // has an element for each running request
	renewals chan struct{} // has one for each further request
}

type flight struct {
	turn   chan struct{} // that the request takes an element of
	done   chan struct{} // closed at the end
	result *entry        // read only after done
	err    error
}

// join returns the result of the request for a key. If there is none, it returns what
// known returns, or else calls ask. A renewal is about a token that was active.
func (f *flights) join(ctx context.Context, key digest, isRenewal bool, known func() (*entry, error), ask func(context.Context) (*entry, error)) (*entry, error) {
	f.mu.Lock()
	if f.running == nil {
		f.running = make(map[digest]*flight)
		f.turns, f.renewals = make(chan struct{}, maxFlights), make(chan struct{}, maxRenewals)
	}
	running := f.running[key]
	turns, renewals := f.turns, f.renewals
	f.mu.Unlock()
	if !isRenewal {
		renewals = nil // It is never this token's turn there.
	}
	if running == nil {
		// A caller that waits for a turn is not in the table yet.
		turn := turns
		select {
		case turns <- struct{}{}:
		case renewals <- struct{}{}:
			turn = renewals
		case <-ctx.Done():
			return nil, unavailable(fmt.Errorf("while waiting to ask the authorization server: %w", ctx.Err()))
		}
		running = f.start(key, turn, known, ask)
	}
	select {
	case <-running.done:
		return running.result, running.err
	case <-ctx.Done():
		return nil, unavailable(fmt.Errorf("while the authorization server was being asked: %w", ctx.Err()))
	}
}

// start makes a request, unless another one was started meanwhile or has ended. The
// caller has a turn, which is given back.
func (f *flights) start(key digest, turn chan struct{}, known func() (*entry, error), ask func(context.Context) (*entry, error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if running := f.running[key]; running != nil {
		<-turn
		return running
	}
	started := &flight{turn: turn, done: make(chan struct{})}
	if started.result, started.err = known(); started.result != nil || started.err != nil {
		<-turn
		close(started.done)
		return started
	}
	f.running[key] = started
	go f.run(key, started, ask)
	return started
}

// run makes a request, and ends it even if a library or the user's transport panics
// or exits the goroutine.
func (f *flights) run(key digest, started *flight, ask func(context.Context) (*entry, error)) {
	started.err = unavailable(errNoAnswer)
	defer func() {
		if value := recover(); value != nil {
			started.err = unavailable(panicked.New("the introspection", value))
		}
		f.mu.Lock()
		delete(f.running, key)
		f.mu.Unlock()
		<-started.turn
		close(started.done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	started.result, started.err = ask(ctx)
}
