package valkey

import (
	"context"
	"log/slog"
	"time"
)

// connected says that all cut-offs were read, if that was not so before.
func (f *follower) connected(ctx context.Context) {
	_ = f.setConnection(nil)
	if f.since.IsZero() {
		return
	}
	logOf(f.logger).LogAttrs(ctx, slog.LevelInfo, "cut-offs are received again", slog.Time("since", f.since))
	f.since = time.Time{}
}

// interrupted says that no cut-offs are received, once. It reports whether they were
// before.
func (f *follower) interrupted(ctx context.Context, cause error) bool {
	wasConnected := f.setConnection(cause) == nil
	if f.since.IsZero() {
		f.since = time.Now()
		logOf(f.logger).LogAttrs(ctx, slog.LevelWarn, "cut-offs of other replicas are not received",
			slog.Any("error", &serverError{"XREAD", cause}))
	}
	return wasConnected
}

// report keeps a tally, and puts it into the log if it has changed.
func (f *follower) report(ctx context.Context, t tally) {
	f.tally = t
	f.mu.Lock()
	f.state.full = t.full
	f.mu.Unlock()
	if t.refused == f.reported.refused && t.malformed == f.reported.malformed {
		return
	}
	f.reported = t
	if t.first == nil {
		logOf(f.logger).LogAttrs(ctx, slog.LevelInfo, "all cut-offs are applied")
		return
	}
	logOf(f.logger).LogAttrs(ctx, slog.LevelError, "cut-offs are not applied, so that tokens are accepted that should be refused",
		slog.Int("refused", t.refused), slog.Int("malformed", t.malformed), slog.String("first", printable(t.first.Error())))
}

// checkPolicy keeps what the server does to keys when it is full. Its error is that there
// is no answer.
func (f *follower) checkPolicy(ctx context.Context) error {
	if f.eviction == nil {
		return nil
	}
	err := f.commands.run(ctx, f.eviction.ensure)
	if err != nil && !isPolicy(err) {
		return err
	}
	f.mu.Lock()
	f.state.policy = err
	f.mu.Unlock()
	if err != nil && f.policy == nil {
		logOf(f.logger).LogAttrs(ctx, slog.LevelError, "the server may lose cut-offs", slog.Any("error", &serverError{"eviction", err}))
	}
	f.policy = err
	return nil
}
