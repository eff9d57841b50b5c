package verifier

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
)

// remindInterval is the time between warnings as long as fetches fail.
const remindInterval = time.Minute

// A fetchLog decides what is logged about the fetches of a key set: the first
// failure, reminders as long as fetches fail, the first success after them, and
// the keys that were passed over whenever they are others.
type fetchLog struct {
	issuer string
	logger *slog.Logger // nil means slog.Default() at the time of the record

	failing  bool
	reminded time.Time     // the time of the last warning
	unusable string        // the keys that were passed over the last time
	written  chan struct{} // closed when the last records have been written
}

// A fetchRecord is one message.
type fetchRecord struct {
	level   slog.Level
	message string
	attrs   []slog.Attr
}

// record takes note of the result of a fetch. It returns a function that logs it,
// because the caller holds a lock, and a log handler may be slow. current are the
// keys that were in use before.
func (l *fetchLog) record(unusable unusableKeys, err error, current *keys, now time.Time) (log func()) {
	var records []fetchRecord
	if err != nil {
		records = l.failure(err, current, now)
	} else {
		records = l.success(unusable)
	}
	l.failing = err != nil
	logger := logOf(l.logger)
	before, written := l.written, make(chan struct{})
	l.written = written
	return func() {
		// The records are in the order of the fetches, however slow the handler is.
		if before != nil {
			<-before
		}
		defer close(written)
		for _, r := range records {
			logger.LogAttrs(context.Background(), r.level, r.message, r.attrs...)
		}
	}
}

func (l *fetchLog) failure(err error, current *keys, now time.Time) []fetchRecord {
	if l.failing && now.Sub(l.reminded) < remindInterval {
		return nil
	}
	l.reminded = now
	attrs := []slog.Attr{slog.String("issuer", l.issuer), slog.Any("error", err), age(current, now)}
	if panicking, ok := errors.AsType[*panicked.Error](err); ok {
		attrs = append(attrs, slog.String("stack", string(panicking.Stack)))
	}
	return []fetchRecord{{slog.LevelWarn, "the key set of the issuer cannot be fetched", attrs}}
}

func (l *fetchLog) success(unusable unusableKeys) (records []fetchRecord) {
	issuer := slog.String("issuer", l.issuer)
	if l.failing {
		records = append(records, fetchRecord{slog.LevelInfo, "the key set of the issuer is available again", []slog.Attr{issuer}})
	}
	text := unusable.String()
	if text != l.unusable && text != "" {
		records = append(records, fetchRecord{
			unusable.level(), "unusable keys of the issuer are passed over",
			[]slog.Attr{issuer, slog.Int("number", len(unusable)), slog.String("keys", text)},
		})
	}
	l.unusable = text
	return records
}

// age returns the age of the keys in use as an attribute.
func age(current *keys, now time.Time) slog.Attr {
	if current == nil {
		return slog.String("keys", "none")
	}
	return slog.Duration("keys_age", now.Sub(current.fetched))
}

// logOf returns the logger of a configuration.
func logOf(logger *slog.Logger) *slog.Logger { return cmp.Or(logger, slog.Default()) }
