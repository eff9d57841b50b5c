package valkey

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/redis/rueidis"
)

// readCount is how many cut-offs are read at once.
const readCount = 1000

// A pace is how often a follower does what.
type pace struct {
	block                 time.Duration // how long a command waits for new cut-offs
	reread                time.Duration // after what time all are read again
	leastRetry, mostRetry time.Duration // the same if some were not applied
	leastDelay, mostDelay time.Duration // before it connects again
}

var defaultPace = pace{
	block:  5 * time.Second,
	reread: 10 * time.Minute, leastRetry: 10 * time.Second, mostRetry: 5 * time.Minute,
	leastDelay: 100 * time.Millisecond, mostDelay: 5 * time.Second,
}

// A follower is one call of Follow.
type follower struct {
	*Cutoffs

	acquired chan rueidis.DedicatedClient // nil if none is being acquired
	client   rueidis.DedicatedClient
	known    []streamID // what the stream had in the last pass, and since
	tally    tally      // of the last pass, and since
	reported tally
	retry    time.Duration
	policy   error     // as reported
	since    time.Time // when the connection was lost; zero if it is there
}

// A session follows with one connection, until that breaks. A dedicated connection shows
// that it has broken; a client as a whole connects again behind the back of its user.
func (f *follower) session(ctx context.Context) error {
	if err := f.acquire(ctx); err != nil {
		return err
	}
	defer f.client.Close()
	for {
		if err := f.pass(ctx); err != nil {
			return err
		}
		f.connected(ctx)
		if err := f.live(ctx); err != nil {
			return err
		}
	}
}

// acquire gets a connection. The client itself would wait without regard to a context,
// for the network or for space in its pool.
func (f *follower) acquire(ctx context.Context) error {
	if f.acquired == nil {
		acquired := make(chan rueidis.DedicatedClient, 1)
		f.acquired = acquired
		go func() {
			client, _ := f.commands.client.Dedicate()
			acquired <- client
		}()
	}
	select {
	case f.client = <-f.acquired:
		f.acquired = nil
		return nil
	case <-time.After(max(f.commands.timeout, f.pace.mostDelay)):
		return errors.New("the client has no connection to spare")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// abandon closes a connection that comes too late.
func (f *follower) abandon() {
	if acquired := f.acquired; acquired != nil {
		go func() { (<-acquired).Close() }()
	}
}

// pass reads the stream from the beginning.
func (f *follower) pass(ctx context.Context) error {
	if err := f.checkPolicy(ctx); err != nil {
		return err
	}
	var (
		last  streamID
		seen  []streamID
		tally tally
	)
	for {
		ids, err := f.read(ctx, last, 0, &tally)
		if err != nil {
			return err
		}
		seen = append(seen, ids...)
		if len(ids) < readCount {
			break
		}
		last = ids[len(ids)-1]
	}
	if lost := f.lost(seen); lost > 0 {
		logOf(f.logger).LogAttrs(ctx, slog.LevelError, "the server has lost cut-offs: they hold here, and replicas that start do not get them", slog.Int("count", lost))
	}
	f.known = seen
	f.report(ctx, tally)
	return nil
}

// lost returns how many cut-offs that were there before, and should still be, are not in
// the stream. Both lists are sorted.
func (f *follower) lost(seen []streamID) (count int) {
	oldest := milliseconds(time.Since(time.Unix(0, 0)) - f.lifetime)
	for _, id := range f.known {
		for len(seen) > 0 && seen[0].compare(id) < 0 {
			seen = seen[1:]
		}
		if (len(seen) == 0 || seen[0] != id) && id.milliseconds > oldest {
			count++
		}
	}
	return count
}

// live applies what comes, until it is time for another pass.
func (f *follower) live(ctx context.Context) error {
	end := time.Now().Add(f.untilNextPass())
	for remaining := time.Until(end); remaining > 0; remaining = time.Until(end) {
		var last streamID
		if len(f.known) > 0 {
			last = f.known[len(f.known)-1]
		}
		tally := f.tally
		ids, err := f.read(ctx, last, max(time.Millisecond, min(remaining, f.pace.block)), &tally)
		if err != nil {
			return err
		}
		f.known = append(f.known, ids...)
		if tally.refused > f.tally.refused {
			if soon := time.Now().Add(f.pace.leastRetry); soon.Before(end) {
				end = soon
			}
		}
		f.report(ctx, tally)
	}
	return nil
}

func (f *follower) untilNextPass() time.Duration {
	if f.tally.refused == 0 {
		f.retry = 0
		return f.pace.reread
	}
	f.retry = min(max(2*f.retry, f.pace.leastRetry), f.pace.mostRetry)
	return f.retry
}

// read reads and applies the entries after one, readCount at most. If there are none, it
// waits for them, unless block is zero. It adds to the tally.
func (f *follower) read(ctx context.Context, after streamID, block time.Duration, tally *tally) ([]streamID, error) {
	entries, err := f.fetch(ctx, after, block)
	if err != nil {
		return nil, err
	}
	ids := make([]streamID, len(entries))
	for i, entry := range entries {
		if ids[i], err = parseStreamID(entry.ID); err != nil {
			return nil, err
		}
		f.set(entry, tally)
	}
	return ids, nil
}

// fetch is XREAD. rueidis would repeat it over another connection if it knew the command.
func (f *follower) fetch(ctx context.Context, after streamID, block time.Duration) ([]rueidis.XRangeEntry, error) {
	// rueidis does not heed the cancelation of a context that has a deadline.
	limited, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	defer time.AfterFunc(block+f.commands.timeout, cancel).Stop()

	command := f.client.B().Arbitrary("XREAD").Args("COUNT", strconv.Itoa(readCount))
	if block > 0 {
		command = command.Args("BLOCK", strconv.FormatInt(block.Milliseconds(), 10))
	}
	streams, err := f.client.Do(limited, command.Args("STREAMS").Keys(f.key).Args(after.String()).Blocking()).AsXRead()
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, errSlow
	default:
		return streams[f.key], err
	}
}

// A tally counts the entries that were not applied.
type tally struct {
	refused   int   // by Apply
	malformed int   // written by something else
	first     error // of them
	full      error // an ErrCutoffsFull
}

// set applies an entry.
func (f *follower) set(entry rueidis.XRangeEntry, t *tally) {
	cutoff, err := decode(entry.FieldValues)
	if err != nil {
		t.malformed++
		t.note(errors.New("entry " + entry.ID + " " + err.Error()))
		return
	}
	if time.Since(cutoff.Until) > f.lifetime {
		return
	}
	if err := f.apply(cutoff); err != nil {
		t.refused++
		t.note(err)
		if t.full == nil && errors.Is(err, verifier.ErrCutoffsFull) {
			t.full = err
		}
	}
}

func (t *tally) note(err error) {
	if t.first == nil {
		t.first = err
	}
}
