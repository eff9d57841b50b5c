package interceptor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// report logs a denial: a warning with service, status and trace id (SEED-1).
// What the caller is not told stands here.
func (a *Authorizer) report(ctx context.Context, name string, denial *ChallengeError, info *TokenInfo) {
	logger := a.logger
	if logger == nil {
		logger = slog.Default()
	}
	level := slog.LevelWarn
	if denial.Kind == KindInternal {
		level = slog.LevelError
	}
	if !logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("service", denial.Challenge.Realm),
		slog.String("procedure", clip(name, 256)),
		slog.Int("status", denial.Kind.HTTPStatus()),
		slog.String("reason", denial.Kind.String()),
	}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()))
	}
	if denial.Kind == KindInsufficientScope {
		attrs = append(attrs, slog.Any("required_scopes", denial.Challenge.Scopes))
	}
	if info != nil {
		attrs = append(attrs, slog.String("subject", info.Subject), slog.String("client_id", info.ClientID))
	}
	if denial.Cause != nil {
		attrs = append(attrs, causeOf(denial)...)
	}
	logger.LogAttrs(ctx, level, "drawbridge: access denied", attrs...)
}

// causeOf describes the cause of a denial. Errors of verifiers that keep to no
// sentinel are marked, so that whoever reads the log knows why an odd failure
// counts as unavailable. Their methods are somebody else's, and may panic.
func causeOf(denial *ChallengeError) (attrs []slog.Attr) {
	defer func() {
		if value := recover(); value != nil {
			attrs = []slog.Attr{slog.String("cause", fmt.Sprintf("an error of type %T whose methods panic", denial.Cause))}
		}
	}()
	err := denial.Cause
	if panicked, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(panicked.stack)))
	}
	if denial.Kind == KindUnavailable && !errors.Is(err, ErrUnavailable) &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(err, errUnclassified)
	}
	return append(attrs, slog.String("cause", clip(err.Error(), 1024)))
}

// clip bounds what a caller can write into a log.
func clip(s string, longest int) string {
	if len(s) <= longest {
		return s
	}
	return s[:longest] + "…"
}
