package drawbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// report logs a denial: a warning with service, status and trace id (SEED-1).
// The record holds the cause, which the caller does not see.
func (s *state) report(ctx context.Context, name string, denial *challenge.DenialError, info *token.Info) {
	logger := s.logger
	if logger == nil {
		logger = slog.Default()
	}
	level := slog.LevelWarn
	if denial.Reason == challenge.ReasonInternal {
		level = slog.LevelError
	}
	if !logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("service", denial.Challenge.Realm),
		slog.String("procedure", clip(name, 256)),
		slog.Int("status", denial.Reason.HTTPStatus()),
		slog.String("reason", denial.Reason.String()),
	}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()))
	}
	if denial.Reason == challenge.ReasonInsufficientScope {
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

// causeOf describes the cause of a denial. An error of a verifier that unwraps
// to neither sentinel is marked, so that the log explains why it counts as
// unavailable. Its methods are foreign code, and may panic.
func causeOf(denial *challenge.DenialError) (attrs []slog.Attr) {
	defer func() {
		if value := recover(); value != nil {
			attrs = []slog.Attr{slog.String("cause", fmt.Sprintf("an error of type %T whose methods panic", denial.Cause))}
		}
	}()
	err := denial.Cause
	if recovered, ok := errors.AsType[*panicked.Error](err); ok {
		attrs = append(attrs, slog.String("stack", string(recovered.Stack)))
	}
	if denial.Reason == challenge.ReasonUnavailable && !errors.Is(err, token.ErrUnavailable) &&
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
