package policyfile

import (
	"context"
	"time"
)

const (
	// settleTime is how long a content has to stay the same before it counts: some
	// editors empty a file and write it afterwards, and what is written in parts may be a
	// policy at any length. It is also the least time between two looks.
	settleTime = 100 * time.Millisecond
	// maxRounds bounds how often a content that does not stay the same is read. The last
	// one counts then.
	maxRounds = 50
)

// Run follows the file until ctx ends, and applies what changes. It returns the error of
// ctx, and does not return before. It must not run twice at a time; the second returns an
// error.
//
// A change counts when the content has stayed the same for a tenth of a second, or after
// five seconds. Replace a file by renaming another to its name: then no part of it can
// be read for the whole, however slowly it is written.
func (w *Watcher) Run(ctx context.Context) error {
	if !w.running.CompareAndSwap(false, true) {
		return errRunning
	}
	defer w.running.Store(false)
	notifier := newNotifier(w.log)
	defer notifier.close()
	ticker := time.NewTicker(w.interval)
	defer ticker.Stop()
	for {
		// The file is read after its directories are watched, so that no change between
		// is missed.
		notifier.follow(ctx, w.path)
		w.refresh(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-notifier.changed:
			w.pause(ctx)
		case <-ticker.C:
		}
	}
}

// refresh loads what the path holds, if that was not tried before, as soon as it stays
// the same.
func (w *Watcher) refresh(ctx context.Context) {
	before := w.read()
	for round := 1; !w.wasSeen(before) && w.pause(ctx); round++ {
		now, isDone := w.loadIf(ctx, func(now content) bool { return now.digest == before.digest || round >= maxRounds })
		if isDone {
			return
		}
		before = now
	}
}

func (w *Watcher) wasSeen(c content) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return c.digest == w.seen
}

// loadIf reads what the path holds. If ready reports true, it loads that, unless it was
// tried in the meantime. It reads under the mutex, so that an older content never takes
// the place of a later one.
func (w *Watcher) loadIf(ctx context.Context, ready func(content) bool) (now content, isDone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now = w.read()
	if !ready(now) {
		return now, false
	}
	if now.digest != w.seen {
		_ = w.load(ctx, now, false) // It is in the log and in the status.
	}
	return now, true
}

func pauseFor(d time.Duration) func(context.Context) bool {
	return func(ctx context.Context) bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(d):
			return true
		}
	}
}
