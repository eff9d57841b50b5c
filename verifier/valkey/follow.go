package valkey

import (
	"context"
	"errors"
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
	known    []mark // what the stream had in the last pass, and since
	tally    tally  // of the last pass, and since
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
		seen  []mark
		tally tally
	)
	for {
		marks, err := f.read(ctx, last, 0, &tally)
		if err != nil {
			return err
		}
		seen = append(seen, marks...)
		if len(marks) < readCount {
			break
		}
		last = marks[len(marks)-1].id
	}
	f.remember(ctx, seen)
	f.report(ctx, tally)
	return nil
}

// live applies what comes, until it is time for another pass: soon, or at once if the stream
// is not the one of the last pass.
func (f *follower) live(ctx context.Context) error {
	end := time.Now().Add(f.untilNextPass())
	for remaining := time.Until(end); remaining > 0; remaining = time.Until(end) {
		last, tally := f.last(), f.tally
		marks, err := f.read(ctx, last, max(time.Millisecond, min(remaining, f.pace.block)), &tally)
		if err != nil {
			return err
		}
		f.known = append(f.known, marks...)
		if tally.refused > f.tally.refused {
			if soon := time.Now().Add(f.pace.leastRetry); soon.Before(end) {
				end = soon
			}
		}
		f.report(ctx, tally)
		if last == (streamID{}) {
			continue
		}
		if has, err := f.has(ctx, last); err != nil || !has {
			return err
		}
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
func (f *follower) read(ctx context.Context, after streamID, block time.Duration, tally *tally) ([]mark, error) {
	entries, err := f.fetch(ctx, after, block, readCount)
	if err != nil {
		return nil, err
	}
	marks := make([]mark, len(entries))
	for i, entry := range entries {
		if marks[i].id, err = parseStreamID(entry.ID); err != nil {
			return nil, err
		}
		marks[i].needed = f.set(entry, tally)
	}
	return marks, nil
}

// fetch reads entries with the connection of the follower. rueidis would repeat XREAD over
// another connection if it knew the command.
func (f *follower) fetch(ctx context.Context, after streamID, block time.Duration, count int) ([]rueidis.XRangeEntry, error) {
	// rueidis does not heed the cancelation of a context that has a deadline.
	limited, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	defer time.AfterFunc(block+f.commands.timeout, cancel).Stop()

	command := f.client.B().Arbitrary("XREAD").Args(readArgs(block, count)...).Keys(f.key).Args(after.String()).Blocking()
	entries, err := entriesOf(f.client.Do(limited, command), f.key)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && limited.Err() != nil:
		return nil, errSlow
	default:
		return entries, err
	}
}

// readArgs returns the arguments of XREAD before the key.
func readArgs(block time.Duration, count int) []string {
	args := []string{"COUNT", strconv.Itoa(count)}
	if block > 0 {
		args = append(args, "BLOCK", strconv.FormatInt(block.Milliseconds(), 10))
	}
	return append(args, "STREAMS")
}

// entriesOf returns the answer to XREAD.
func entriesOf(answer rueidis.RedisResult, key string) ([]rueidis.XRangeEntry, error) {
	streams, err := answer.AsXRead()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return streams[key], err
}

// A tally counts the entries that were not applied.
type tally struct {
	refused   int   // by Apply
	malformed int   // written by something else
	first     error // of them
	full      error // an ErrCutoffsFull
}

// set applies an entry, and returns until when it is needed.
func (f *follower) set(e rueidis.XRangeEntry, t *tally) (needed int64) {
	decoded, err := decode(e.FieldValues)
	if err != nil {
		t.malformed++
		t.note(errors.New("entry " + e.ID + " " + err.Error()))
		return 0
	}
	needed = decoded.Until.Add(max(f.lifetime, decoded.lifetime)).UnixNano()
	if time.Since(decoded.Until) > f.lifetime {
		return needed
	}
	if err := f.apply(decoded.Cutoff); err != nil {
		t.refused++
		t.note(err)
		if t.full == nil && errors.Is(err, verifier.ErrCutoffsFull) {
			t.full = err
		}
	}
	return needed
}

func (t *tally) note(err error) {
	if t.first == nil {
		t.first = err
	}
}
