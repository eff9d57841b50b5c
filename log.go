package drawbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"unicode/utf8"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// These bound, in bytes, what a caller, its token or foreign code can write into a
// record.
const (
	maxName  = 256 // of a procedure, a subject, a client, an issuer
	maxCause = 1024
	maxStack = 4096
)

// log returns the logger of the records.
func (s *state) log() *slog.Logger {
	if s.logger == nil {
		return slog.Default()
	}
	return s.logger
}

// logDenial logs a denial: a warning with service, status and trace id (SEED-1).
// The record holds the cause, which the caller does not see.
func (s *state) logDenial(ctx context.Context, req *Request, r *record) {
	logger, denial := s.log(), r.denial
	level, chosen := s.levels[denial.Reason]
	switch {
	case chosen:
	case denial.Reason == challenge.ReasonInternal:
		level = slog.LevelError
	default:
		level = slog.LevelWarn
	}
	if !logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("service", denial.Challenge.Realm),
		slog.String("procedure", clip(req.name(), maxName)),
		slog.Int("status", denial.Reason.HTTPStatus()),
		slog.String("reason", denial.Reason.String()),
	}
	if span := spanOf(ctx, req); span.HasTraceID() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()))
	}
	if denial.Reason == challenge.ReasonInsufficientScope {
		attrs = append(attrs, slog.Any("required_scopes", clipScopes(denial.Challenge.Scopes)))
	}
	if r.info != nil {
		attrs = append(attrs,
			slog.String("issuer", clip(r.info.Issuer, maxName)),
			slog.String("subject", clip(r.info.Subject, maxName)),
			slog.String("client_id", clip(r.info.ClientID, maxName)))
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
		attrs = append(attrs, slog.String("stack", clip(string(recovered.Stack), maxStack)))
	}
	if denial.Reason == challenge.ReasonUnavailable && !errors.Is(err, token.ErrUnavailable) &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(err, errUnclassified)
	}
	return append(attrs, slog.String("cause", clip(err.Error(), maxCause)))
}

// clipScopes returns as many scopes as a record may hold.
func clipScopes(scopes []string) []string {
	length := 0
	for i, scope := range scopes {
		if length += len(scope); length > maxCause {
			return append(slices.Clone(scopes[:i]), "…")
		}
	}
	return scopes
}

// clip bounds what a caller can write into a log. It does not cut a character in
// two.
func clip(s string, longest int) string {
	if len(s) <= longest {
		return s
	}
	for longest > 0 && !utf8.RuneStart(s[longest]) {
		longest--
	}
	return s[:longest] + "…"
}
