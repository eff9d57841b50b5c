package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A kind is a flood, and the good tokens that come during it.
type kind struct {
	name        string
	concurrency int
	bad         func(i int) error // sends a bad token, which has to be refused
	good        []good            // in turn
	requests    func() int        // that the issuer has seen
}

// A good verifies a good token.
type good struct {
	name string
	call func() error
}

// measure measures one kind.
func measure(ctx context.Context, o options, k kind) (*result, error) {
	r := &result{flood: k.name}
	for _, g := range k.good {
		r.good = append(r.good, &comparison{name: g.name})
	}
	// One round is not counted: connections are made and keys fetched.
	for round := range o.rounds + 1 {
		alone, err := k.verifyGood(ctx, o.rate, o.lasts, nil)
		if err != nil {
			return nil, err
		}
		before, begun := k.requests(), time.Now()
		done := make(chan struct{})
		var floodErr error
		var sent int
		go func() {
			defer close(done)
			sent, floodErr = k.sendBad(ctx, o.bad, o.lasts)
		}()
		flooded, err := k.verifyGood(ctx, o.rate, 0, done)
		<-done
		if err := errors.Join(err, floodErr, ctx.Err()); err != nil {
			return nil, err
		}
		if round == 0 {
			continue
		}
		r.bad, r.lasted, r.requests = r.bad+sent, r.lasted+time.Since(begun), r.requests+k.requests()-before
		for i, c := range r.good {
			c.add(alone[i], flooded[i])
		}
	}
	return r, nil
}

// verifyGood verifies good tokens at a rate until a time has passed or done is closed.
// It spins between them: a timer would let the processor go to sleep.
func (k kind) verifyGood(ctx context.Context, rate int, lasts time.Duration, done <-chan struct{}) ([]latencies, error) {
	took := make([]latencies, len(k.good))
	pause := time.Second / time.Duration(rate)
	begun := time.Now()
	due := begun
	for i := 0; ; i++ {
		for time.Now().Before(due) {
		}
		select {
		case <-done:
			return took, nil
		default:
		}
		if ctx.Err() != nil || done == nil && time.Since(begun) >= lasts {
			return took, ctx.Err()
		}
		n := i % len(k.good)
		start := time.Now()
		err := k.good[n].call()
		took[n] = append(took[n], time.Since(start))
		if err != nil {
			return nil, err
		}
		// After a call that took long, those that are late are left out.
		due = due.Add(pause)
		if now := time.Now(); due.Before(now) {
			due = now
		}
	}
}

// sendBad sends bad tokens as fast as they are refused, until their number and a time
// are reached.
func (k kind) sendBad(ctx context.Context, number int, lasts time.Duration) (sent int, err error) {
	var count atomic.Int64
	faults := make([]error, k.concurrency)
	begun := time.Now()
	var group sync.WaitGroup
	for i := range k.concurrency {
		group.Go(func() {
			for faults[i] == nil && ctx.Err() == nil && (count.Load() < int64(number) || time.Since(begun) < lasts) {
				faults[i] = k.bad(int(count.Add(1)))
			}
		})
	}
	group.Wait()
	return int(count.Load()), errors.Join(faults...)
}
