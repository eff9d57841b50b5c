package verifier

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// An answerLog writes about an introspection endpoint into the log: once when it
// fails, again from time to time, and once when it answers again. It is safe for
// concurrent use.
type answerLog struct {
	issuer string
	logger *slog.Logger

	mu       sync.Mutex
	failing  bool
	reminded time.Time
}

func (l *answerLog) record(err error, now time.Time) {
	l.mu.Lock()
	var level slog.Level
	var message string
	switch {
	case err == nil && l.failing:
		level, message = slog.LevelInfo, "the introspection endpoint of the issuer answers again"
	case err != nil && (!l.failing || now.Sub(l.reminded) >= remindInterval):
		level, message = slog.LevelWarn, "the introspection endpoint of the issuer does not answer"
		l.reminded = now
	}
	l.failing = err != nil
	l.mu.Unlock()
	if message == "" {
		return
	}
	attrs := []slog.Attr{slog.String("issuer", l.issuer)}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	logOf(l.logger).LogAttrs(context.Background(), level, message, attrs...)
}
