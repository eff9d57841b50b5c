package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
)

// options are those of a run.
type options struct {
	duration time.Duration
	calls    int64 // 0 means that only the duration ends the run
	seed     uint64
	workers  int
	streams  int // workers whose streams outlive their tokens
	every    time.Duration
	pace     pace
	patience time.Duration // with goroutines that end after everything is closed

	tamper  func(*drawbridge.Config) // for the tests of the oracle
	isFatal bool                     // whether the first wrong decision ends the run
}

// errFailed means that the report says what is wrong.
var errFailed = errors.New("the soak failed")

// soak runs until the duration or the number of calls is reached, and reports. The
// error is errFailed, or that of something that did not start.
func soak(ctx context.Context, o options, out io.Writer) error {
	goroutines := runtime.NumGoroutine()
	fmt.Fprintf(out, "soak: seed %d, %d workers, %v, %d calls at most (0: no limit)\n", o.seed, o.workers, o.duration, o.calls)
	w, err := newWorld(ctx, o.workers+o.streams, o.tamper)
	if err != nil {
		return errors.Join(err, w.close())
	}
	r := &run{options: o, world: w, tally: newTally(out), begun: time.Now()}
	faults, err := r.do(ctx)
	if err := errors.Join(err, w.close()); err != nil {
		return err
	}
	now, remaining := left(goroutines, o.patience)
	fmt.Fprintf(out, "goroutines: %d before the start, %d after the end\n", goroutines, now)
	faults = append(faults, remaining...)
	if wrong := r.tally.wrong.Load(); wrong > 0 {
		faults = append(faults, fmt.Sprintf("%d wrong decisions (seed %d)", wrong, o.seed))
	}
	for _, fault := range faults {
		fmt.Fprintln(out, "soak: FAILED:", fault)
	}
	if len(faults) > 0 {
		return errFailed
	}
	fmt.Fprintln(out, "soak: passed")
	return nil
}

// run is a run.
type run struct {
	options

	world  *world
	tally  *tally
	begun  time.Time
	pause  sync.RWMutex
	events events
	first  sample // at a tenth of the run
}

// do makes all calls, and returns what has grown.
func (r *run) do(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.duration)
	defer cancel()
	newRNG := func(stream int) *rand.Rand {
		return rand.New(rand.NewPCG(r.seed, uint64(stream))) //nolint:gosec // Calls are no secret, and are drawn again from the same seed.
	}
	r.events = events{world: r.world, rng: newRNG(-1), pace: r.pace, policies: allRules(), keys: r.world.generations.at(1).keys}
	var eventsErr error
	var happening, working sync.WaitGroup
	happening.Go(func() {
		eventsErr = r.events.run(ctx)
		cancel()
	})
	var taken atomic.Int64
	next := func() bool {
		return (r.calls == 0 || taken.Add(1) <= r.calls) && (!r.isFatal || r.tally.wrong.Load() == 0)
	}
	for i := range r.workers + r.streams {
		worker := &worker{world: r.world, tally: r.tally, rng: newRNG(i), pause: &r.pause, slot: i}
		if i < r.workers {
			working.Go(func() { worker.run(ctx, next) })
		} else {
			happening.Go(func() { worker.outlive(ctx) })
		}
	}
	done := make(chan struct{})
	go func() {
		working.Wait()
		close(done)
	}()
	faults := r.watch(done)
	cancel()
	happening.Wait()
	r.report()
	return faults, eventsErr
}

// watch reports until the workers are done, and returns what has grown.
func (r *run) watch(done <-chan struct{}) []string {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	reported := r.begun
	for {
		select {
		case <-done:
			last := r.sample()
			r.line("end", last)
			if r.first.heap == 0 {
				r.first = last // it was over too soon
			}
			return growth(r.first, last)
		case <-ticker.C:
		}
		isTenth := r.first.heap == 0 && r.progress() >= 0.1
		if !isTenth && time.Since(reported) < r.every {
			continue
		}
		now := r.sample()
		switch {
		case isTenth:
			r.first = now
			r.line("10 %", now)
		default:
			reported = time.Now()
			r.line(time.Since(r.begun).Round(time.Second).String(), now)
		}
	}
}

// sample takes a sample between calls, whose garbage would be in it.
func (r *run) sample() sample {
	r.pause.Lock()
	defer r.pause.Unlock()
	return takeSample()
}

// progress is the part of the run that is done.
func (r *run) progress() float64 {
	part := float64(time.Since(r.begun)) / float64(r.duration)
	if r.calls > 0 {
		part = max(part, float64(r.tally.calls.Load())/float64(r.calls))
	}
	return part
}

// line prints a line about the present.
func (r *run) line(at string, s sample) {
	calls := r.tally.calls.Load()
	r.tally.printf("%s: %d calls (%.0f/s), %d wrong; heap %s, %d goroutines; %s\n", at, calls,
		float64(calls)/time.Since(r.begun).Seconds(), r.tally.wrong.Load(), mebibytes(s.heap), s.goroutines, r.tally.bySurface())
}

// report prints the totals.
func (r *run) report() {
	r.tally.matrix()
	c := r.events.counts
	r.tally.printf("events: %d reloads, %d new verifiers, %d key rotations, %d withdrawals, %d outages\n",
		c.reloads, c.verifiers, c.rotations, c.withdrawals, c.outages)
	r.tally.printf("observed: %d allowed, %d denied; %d log records\n",
		r.world.observed.allowed.Load(), r.world.observed.denied.Load(), r.world.records.logged.Load())
}
