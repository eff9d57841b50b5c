package valkey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// evictionInterval is after what time a server that does not evict is asked again.
	evictionInterval = time.Minute
	// evictionRetry is the same for one that evicts, or could not be asked.
	evictionRetry = time.Second
)

// The reasons against a server.
var (
	errEvicts        = errors.New("the server evicts keys: its maxmemory-policy must be noeviction")
	errPolicyUnknown = errors.New("the server does not say in INFO memory whether it evicts keys")
)

// isPolicy reports whether err is about the policy of the server, and not about its
// connection.
func isPolicy(err error) bool { return errors.Is(err, errEvicts) || errors.Is(err, errPolicyUnknown) }

// An evictionCheck finds out whether a server may remove keys to make space. It is safe
// for concurrent use.
type evictionCheck struct {
	client rueidis.Client
	// allowed reports whether a maxmemory-policy leaves the keys alone.
	allowed func(policy string) bool

	mu      sync.Mutex
	passed  bool  // as of the last answer
	err     error // why not
	next    time.Time
	running chan struct{} // closed when the check ends; nil if none runs
}

// ensure returns nil if the server was found not to evict. It asks again if that was
// some time ago. Of concurrent calls one asks. The others wait for it, unless the server
// passed before.
func (e *evictionCheck) ensure(ctx context.Context) error {
	e.mu.Lock()
	if time.Now().Before(e.next) || e.passed && e.running != nil {
		defer e.mu.Unlock()
		return e.err
	}
	if running := e.running; running != nil {
		e.mu.Unlock()
		select {
		case <-running:
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	running := make(chan struct{})
	e.running = running
	e.mu.Unlock()
	answer := e.ask(ctx)

	e.mu.Lock()
	defer e.mu.Unlock()
	// A server that cannot be reached now is what it was: the next command shows that it
	// cannot be reached.
	if answer.told || !e.passed {
		e.passed, e.err = answer.err == nil, answer.err
	}
	e.next = time.Now().Add(evictionRetry)
	if e.passed && answer.told {
		e.next = time.Now().Add(evictionInterval)
	}
	e.running = nil
	close(running)
	return e.err
}

// An evictionAnswer is what a node says about its policy.
type evictionAnswer struct {
	err  error
	told bool // whether the node has answered
}

// ask asks all nodes. A node of a cluster that cannot be reached does not count, unless
// none can.
func (e *evictionCheck) ask(ctx context.Context) evictionAnswer {
	nodes := e.client.Nodes()
	answers := make(chan evictionAnswer, len(nodes))
	for _, node := range nodes {
		go func() { answers <- e.askNode(ctx, node) }()
	}
	all := evictionAnswer{err: errors.New("the client knows no server")}
	for range nodes {
		switch answer := <-answers; {
		case answer.told && answer.err != nil:
			return answer
		case answer.told || !all.told:
			all = answer
		}
	}
	return all
}

func (e *evictionCheck) askNode(ctx context.Context, node rueidis.Client) evictionAnswer {
	text, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
	if err == nil {
		return evictionAnswer{e.judge(text), true}
	}
	if answer, ok := rueidis.IsRedisErr(err); ok && (strings.HasPrefix(answer.Error(), "NOPERM") || strings.HasPrefix(answer.Error(), "ERR")) {
		return evictionAnswer{fmt.Errorf("%w: %w", errPolicyUnknown, err), true}
	}
	return evictionAnswer{err, false}
}

// judge judges the answer of INFO memory.
func (e *evictionCheck) judge(info string) error {
	fields := make(map[string]string)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields[name] = value
	}
	limit, policy := fields["maxmemory"], fields["maxmemory_policy"]
	switch {
	case limit == "0":
		return nil
	case limit == "" || policy == "":
		return errPolicyUnknown
	case !e.allowed(policy):
		return fmt.Errorf("%w, and is %.32q", errEvicts, policy)
	default:
		return nil
	}
}
