package policyfile

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Status is what a [Watcher] has done.
type Status struct {
	// Reloads is how often a policy was applied, without the first.
	Reloads uint64
	// Applied is when the policy in force was applied.
	Applied time.Time
	// Failures is how often a policy was not applied.
	Failures uint64
	// Failed is when that happened the last time; zero if it never did.
	Failed time.Time
	// Err is why the policy in force is not that of the file: every fault at once, or
	// what Apply returned. It is nil if it is that of the file.
	Err error
}

// Status returns what w has done. It does not wait for a policy that is being applied.
func (w *Watcher) Status() Status {
	w.statusMu.Lock()
	defer w.statusMu.Unlock()
	return w.status
}

func (w *Watcher) setStatus(change func(*Status)) {
	w.statusMu.Lock()
	defer w.statusMu.Unlock()
	change(&w.status)
}

// reloaded records that a policy was applied.
func (w *Watcher) reloaded(ctx context.Context) {
	w.setStatus(func(s *Status) {
		s.Reloads++
		s.Applied, s.Err = time.Now(), nil
	})
	w.log().LogAttrs(ctx, slog.LevelInfo, "policyfile: the policy was replaced", slog.String("path", w.path))
}

// restored records that the file is again what it was when the policy in force was
// applied.
func (w *Watcher) restored(ctx context.Context) {
	w.setStatus(func(s *Status) { s.Err = nil })
	w.log().LogAttrs(ctx, slog.LevelInfo, "policyfile: the file is again that of the policy in force", slog.String("path", w.path))
}

// failed records that a policy was not applied.
func (w *Watcher) failed(ctx context.Context, err error) {
	w.setStatus(func(s *Status) {
		s.Failures++
		s.Failed, s.Err = time.Now(), err
	})
	w.log().LogAttrs(ctx, slog.LevelError, "policyfile: the policy was not replaced, and the last good one stays in force",
		slog.String("path", w.path), slog.Any("faults", texts(err)))
}

func (w *Watcher) log() *slog.Logger {
	if w.logger == nil {
		return slog.Default()
	}
	return w.logger
}

// These bound one record of the log.
const (
	maxTexts = 2 * maxFaults
	maxText  = 2048
)

// texts returns the text of each error that is joined in err.
func texts(err error) []string {
	var found []string
	var visit func(error)
	visit = func(err error) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range joined.Unwrap() {
				visit(err)
			}
			return
		}
		found = append(found, clipTo(err.Error(), maxText))
	}
	visit(err)
	if len(found) > maxTexts {
		found = append(found[:maxTexts], fmt.Sprintf("and %d more", len(found)-maxTexts))
	}
	return found
}
