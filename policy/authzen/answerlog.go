package authzen

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// minLogInterval is the least time between two records. Without it, a caller whose questions
// make the policy decision point fail would fill the log while others are answered.
const minLogInterval = time.Second

// An answerLog writes into the log once when the policy decision point stops answering, and
// once when it answers again. It is safe for concurrent use.
type answerLog struct {
	url    string
	logger *slog.Logger

	mu     sync.Mutex
	logged answering // what the log says
	at     time.Time // since when
}

// answering says how a policy decision point answers.
type answering uint8

const (
	answers answering = iota
	answersNot
	refuses
)

// record notes the outcome of a request.
func (l *answerLog) record(err error, now time.Time) {
	state, level, message := answers, slog.LevelInfo, "authzen: the policy decision point answers again"
	failed, _ := errors.AsType[*outage](err)
	switch {
	case err == nil:
	case failed != nil && failed.isRejection():
		return // The call is in the log, with the cause.
	case failed != nil && failed.isRefusal():
		state, level, message = refuses, slog.LevelError,
			"authzen: the policy decision point refuses the credentials of this server, which have to be corrected; calls that need it are unavailable"
	default:
		state, level, message = answersNot, slog.LevelWarn, "authzen: the policy decision point does not answer; calls that need it are unavailable"
	}
	if !l.turn(state, now) {
		return
	}
	attrs := []slog.Attr{slog.String("url", l.url)}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	logger := l.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(context.Background(), level, message, attrs...)
}

// turn reports whether a state is new and to be logged.
func (l *answerLog) turn(state answering, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == l.logged || now.Sub(l.at) < minLogInterval {
		return false
	}
	l.logged, l.at = state, now
	return true
}
