package drawbridge

import (
	"cmp"
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
	if r.at != nil && r.at.requirement != nil && r.at.requirement.Source() != "" {
		attrs = append(attrs, slog.String("rule", clip(r.at.requirement.Source(), maxName)))
	}
	attrs = append(attrs, requiredOf(denial)...)
	if r.info != nil {
		attrs = append(attrs, factsOf(r.info, denial.Reason)...)
	}
	if denial.Cause != nil {
		attrs = append(attrs, causeOf(denial)...)
	}
	logger.LogAttrs(ctx, level, "drawbridge: access denied", attrs...)
}

// requiredOf describes what a caller has to come back with.
func requiredOf(denial *challenge.DenialError) []slog.Attr {
	asked := &denial.Challenge
	switch denial.Reason {
	case challenge.ReasonInsufficientScope:
		return []slog.Attr{slog.Any("required_scopes", clipList(asked.Scopes))}
	case challenge.ReasonInsufficientAuthentication:
	default:
		return nil
	}
	var attrs []slog.Attr
	if len(asked.Scopes) > 0 {
		attrs = append(attrs, slog.Any("required_scopes", clipList(asked.Scopes)))
	}
	if len(asked.ACRValues) > 0 {
		attrs = append(attrs, slog.Any("required_acr_values", clipList(asked.ACRValues)))
	}
	if asked.MaxAge != nil {
		attrs = append(attrs, slog.String("required_max_age", asked.MaxAge.String()))
	}
	return attrs
}

// factsOf describes the token of a caller: whom it speaks for, who acts and, if that
// is what was lacking, how and when the user authenticated.
func factsOf(info *token.Info, reason challenge.Reason) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("issuer", clip(info.Issuer, maxName)),
		slog.String("subject", clip(info.Subject, maxName)),
		slog.String("client_id", clip(info.ClientID, maxName)),
	}
	if info.Party != token.PartyUnknown {
		attrs = append(attrs, slog.String("party", info.Party.String()))
	}
	if actor := info.Actor; actor != nil {
		attrs = append(attrs, slog.String("actor", clip(cmp.Or(actor.Subject, actor.ClientID), maxName)))
		if actor.Issuer != "" && actor.Issuer != info.Issuer {
			attrs = append(attrs, slog.String("actor_issuer", clip(actor.Issuer, maxName)))
		}
	}
	if reason == challenge.ReasonInsufficientAuthentication {
		attrs = append(attrs, slog.String("acr", clip(info.ACR, maxName)))
		if !info.AuthTime.IsZero() {
			attrs = append(attrs, slog.Time("auth_time", info.AuthTime))
		}
	}
	return attrs
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

// clipList returns as many elements of a list as a record may hold.
func clipList(list []string) []string {
	length := 0
	for i, element := range list {
		if length += len(element); length > maxCause {
			return append(slices.Clone(list[:i]), "…")
		}
	}
	return list
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
