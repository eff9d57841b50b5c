package valkey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// errNotFollowing is the state before Follow has read all cut-offs, and after it.
var errNotFollowing = errors.New("they are not followed")

// Cutoffs carries cut-offs to all replicas, by a stream on a Valkey or Redis server: one
// that [Cutoffs.CutOff] records at any replica is applied by [Cutoffs.Follow] at each. It
// is safe for concurrent use. It belongs to one Apply, and to the verifiers behind that: a
// Verifier that replaces another needs Cutoffs of its own, or it has none of the earlier
// ones.
//
// A cut-off takes about 150 bytes of the server, for Lifetime and at least a day, and each
// replica that follows remembers 24 bytes of it. Their number has no other bound.
type Cutoffs struct {
	commands *commands
	eviction *evictionCheck // nil if none is asked for
	apply    func(verifier.Cutoff) error
	key      string
	lifetime time.Duration
	logger   *slog.Logger
	pace     pace

	following atomic.Bool

	mu    sync.Mutex
	state cutoffState
}

// A cutoffState is what [Cutoffs.Ready] reports.
type cutoffState struct {
	connection error // nil once all cut-offs have been read
	policy     error // of the server about eviction
	full       error // an ErrCutoffsFull
}

// NewCutoffs returns Cutoffs. It sends nothing to the server, which may be down. If the
// configuration has faults, the error reports all of them; see package fault.
func NewCutoffs(config CutoffsConfig) (*Cutoffs, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	c := &Cutoffs{
		commands: newCommands(config.Client, config.Timeout),
		apply:    config.Apply,
		key:      config.Prefix + "cutoffs",
		lifetime: config.Lifetime,
		logger:   config.Logger,
		pace:     defaultPace,
		state:    cutoffState{connection: errNotFollowing},
	}
	if !config.DangerouslyAssumeNoEviction {
		// The stream does not end by itself, so that the policies for keys that do leave
		// it alone.
		c.eviction = &evictionCheck{client: config.Client, allowed: func(policy string) bool {
			return policy == "noeviction" || strings.HasPrefix(policy, "volatile-")
		}}
	}
	return c, nil
}

// CutOff applies a cut-off in this process, and records it for all others, which apply it
// within milliseconds. It may be the CutOff of a [verifier.LogoutConfig].
//
// An error means that it does not hold everywhere: call CutOff again, which does no harm
// if it holds already. The error unwraps to [token.ErrUnavailable] if it was not recorded,
// or may not have been; to [verifier.ErrCutoffsFull] if it was recorded, and not applied
// here; or else it says what is wrong with the cut-off, or is that of Apply, and nothing
// was done.
func (c *Cutoffs) CutOff(ctx context.Context, cutoff verifier.Cutoff) error {
	if cutoff.Until.IsZero() {
		cutoff.Until = time.Now() // for all replicas
	}
	fields, err := encode(&entry{cutoff, c.lifetime})
	if err != nil {
		return err
	}
	if time.Since(cutoff.Until) > c.lifetime {
		return fmt.Errorf("valkey: Cutoff.Until is more than the Lifetime of %v ago", c.lifetime)
	}
	full := c.apply(cutoff)
	if full != nil && !errors.Is(full, verifier.ErrCutoffsFull) {
		return full
	}
	id, err := c.record(ctx, fields)
	if err != nil {
		err = &serverError{"a cut-off was not recorded for other replicas", err}
		if full != nil {
			err = fmt.Errorf("%w; %w", full, err)
		}
		return err
	}
	c.remove(ctx, id)
	return full
}

// record adds an entry to the stream.
func (c *Cutoffs) record(ctx context.Context, fields []string) (streamID, error) {
	var id streamID
	err := c.commands.run(ctx, func(ctx context.Context) error {
		// A second entry for the same cut-off has no effect.
		command := c.commands.client.B().Arbitrary("XADD").Keys(c.key).Args("*").Args(fields...).Build().ToRetryable()
		text, err := c.commands.client.Do(ctx, command).ToString()
		if err != nil {
			return err
		}
		id, err = parseStreamID(text)
		return err
	})
	if err != nil {
		return streamID{}, err // The command may still run, and set id.
	}
	return id, nil
}

// Ready returns nil if this process has applied all cut-offs and receives those that
// come. It is for a readiness probe: a replica that starts should not serve before. It
// asks nothing of the server, and may be late by Timeout and five seconds.
//
// Otherwise the error unwraps to [token.ErrUnavailable] if cut-offs are not received at
// the moment, or the server may evict them, and to [verifier.ErrCutoffsFull] if some were
// received and are not applied. Ready does not report those on which Apply failed for
// another reason, such as that the verifier does not know their issuer. They are in the
// log, and are tried again.
func (c *Cutoffs) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s := c.state; {
	case s.connection != nil:
		return &serverError{"cut-offs are not received", s.connection}
	case s.policy != nil:
		return &serverError{"cut-offs", s.policy}
	default:
		return s.full
	}
}

// Follow applies the cut-offs of all replicas until ctx ends: first those that are
// recorded, then each that comes. It returns the error of ctx, and does not return
// before. It must not run twice at a time; the second returns an error.
//
// When a connection is lost, it connects again, and reads everything from the beginning,
// because a server that took over may have other entries: none is missed, and applying
// one twice has no effect. It does so every ten minutes as well, to apply those that
// Apply has refused, at first after ten seconds, and to find out whether the server has
// lost some. It does so within five seconds if the last of them is gone. Lost ones hold at
// the replicas that had received them. The log says so: they have to be recorded again for
// others.
func (c *Cutoffs) Follow(ctx context.Context) error {
	if !c.following.CompareAndSwap(false, true) {
		return errors.New("valkey: Follow runs already")
	}
	defer c.following.Store(false)
	f := &follower{Cutoffs: c}
	defer f.abandon()
	for delay := c.pace.leastDelay; ; delay = min(2*delay, c.pace.mostDelay) {
		err := f.session(ctx)
		if ctx.Err() != nil {
			_ = c.setConnection(errNotFollowing)
			return ctx.Err()
		}
		if f.interrupted(ctx, err) {
			delay = c.pace.leastDelay
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

func (c *Cutoffs) setConnection(err error) (previous error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	previous = c.state.connection
	c.state.connection = err
	return previous
}
