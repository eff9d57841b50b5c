package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// gossip is a verifier that knows people, and fails in several ways.
type gossip struct{ *known }

func (g gossip) VerifyToken(ctx context.Context, token string) (*interceptor.TokenInfo, error) {
	switch {
	case strings.HasPrefix(token, "t-down"):
		return nil, fmt.Errorf("%w: 503 from the issuer", interceptor.ErrUnavailable)
	case strings.HasPrefix(token, "t-odd"):
		return nil, errors.New("odd failure")
	case strings.HasPrefix(token, "t-cancelled"):
		return nil, fmt.Errorf("asking the issuer: %w", context.Canceled)
	case strings.HasPrefix(token, "t-late"):
		return nil, fmt.Errorf("asking the issuer: %w", context.DeadlineExceeded)
	case strings.HasPrefix(token, "t-panic"):
		panic("boom")
	case strings.HasPrefix(token, "t-nil"):
		return nil, nil //nolint:nilnil // A verifier with a bug.
	default:
		return g.known.VerifyToken(ctx, token)
	}
}

// TestLog: one record for each denial, with what an operator looks for, and
// without what he must not see (SEED-1).
func TestLog(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Logger, cfg.Verifier = slog.New(&log), gossip{people()}
	})
	traceID := trace.TraceID{1, 2, 3, 15: 16}
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: trace.SpanID{1}}))
	for _, tt := range []struct {
		name   string
		ctx    context.Context //nolint:containedctx // A row of a table.
		req    interceptor.Request
		status int64
		want   record // in addition to service, procedure, status and level
	}{
		{"SEED-1 no token", t.Context(), interceptor.Request{Procedure: guarded}, 401, record{"reason": "no_credentials"}},
		{"SEED-1 no token, plain HTTP", t.Context(), interceptor.Request{Service: rpctest.GuardedService}, 401, record{"reason": "no_credentials"}},
		{"SEED-1 trace id", traced, interceptor.Request{Procedure: guarded}, 401, record{"reason": "no_credentials", "trace_id": traceID.String()}},
		{"SEED-1 malformed", t.Context(), interceptor.Request{Procedure: guarded, Authorization: []string{"Bearer t-writer t-reader"}}, 400, record{"reason": "invalid_request", "cause": "malformed Authorization field"}},
		{"SEED-1 two", t.Context(), interceptor.Request{Procedure: guarded, Authorization: []string{"Bearer t-writer", "Bearer t-reader"}}, 400, record{"reason": "invalid_request", "cause": "more than one credential"}},
		{"SEED-1 bad token", traced, interceptor.Request{Procedure: guarded, Authorization: bearer("t-stranger")}, 401, record{"reason": "invalid_token", "cause": "invalid token: stranger", "trace_id": traceID.String()}},
		{"SEED-1 a long token", t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-" + strings.Repeat("x", 1<<20))}, 401, record{"reason": "invalid_token", "cause": "invalid token: longer than 16384 bytes"}},
		{"SEED-1 too little", t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-reader")}, 403, record{"reason": "insufficient_scope", "required_scopes": "[guarded:write]", "subject": "reader", "client_id": "client-of-reader"}},
		{"SEED-1 no rule", t.Context(), interceptor.Request{Procedure: nowhere, Authorization: bearer("t-writer")}, 404, record{"reason": "not_found", "cause": "no rule for this procedure", "subject": "writer", "client_id": "client-of-writer"}},
		{"SEED-1 the issuer is down", t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-down")}, 503, record{"reason": "unavailable", "cause": "token verification is unavailable: 503 from the issuer"}},
		{"SEED-1 an odd verifier", t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-odd")}, 503, record{"reason": "unavailable", "cause": "odd failure\nthe verifier returned an error that is neither ErrInvalidToken nor ErrUnavailable"}},
		{"SEED-1 a call that was cancelled is no odd verifier", t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-cancelled")}, 503, record{"reason": "unavailable", "cause": "asking the issuer: context canceled"}},
		{"SEED-1 nor is one that came too late", t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-late")}, 503, record{"reason": "unavailable", "cause": "asking the issuer: context deadline exceeded"}},
		{"SEED-1 an ambiguous path", t.Context(), interceptor.Request{Service: rpctest.GuardedService, Path: "/a/../b"}, 400, record{"reason": "invalid_request", "cause": "path that routers read in different ways"}},
		{"SEED-1 a verifier without an answer", t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-nil")}, 500, record{"reason": "internal", "cause": "the verifier returned neither an error nor a TokenInfo"}},
		{"SEED-1 a verifier that panics", t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-panic")}, 500, record{"reason": "internal", "cause": "the verifier panicked: boom"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.Authorize(tt.ctx, tt.req)
			if err == nil {
				t.Fatal("let in")
			}
			entry := log.take(t)
			if text := strings.ReplaceAll(fmt.Sprint(entry), "client-of-", ""); strings.Contains(text, "t-") {
				t.Errorf("SEED-1: the token is in %.400s", text)
			}
			procedure := tt.req.Procedure + tt.req.Service
			service, _, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
			tt.want["level"], tt.want["msg"] = slog.LevelWarn, "drawbridge: access denied"
			if tt.status == 500 {
				tt.want["level"] = slog.LevelError
			}
			tt.want["service"], tt.want["procedure"], tt.want["status"] = service, procedure, tt.status
			delete(entry, "stack")
			if got, want := fmt.Sprint(entry), fmt.Sprint(tt.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	for _, req := range []interceptor.Request{{Procedure: guarded, Authorization: bearer("t-writer")}, {Procedure: public}} {
		_, err := a.Authorize(traced, req)
		wantOutcome(t, err, letIn)
	}
	log.wantNothing(t)
}

// TestLogIsBounded: a caller cannot fill a log with one call.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Logger = slog.New(&log) })
	for _, req := range []interceptor.Request{
		{Procedure: "/" + strings.Repeat("a", 1<<20) + "/Get"},
		{Procedure: strings.Repeat("/", 1<<20)},
		{Service: strings.Repeat("a", 1<<20)},
		{Service: strings.Repeat("é", 1<<20), Path: strings.Repeat("/..", 1<<18)},
	} {
		if _, err := a.Authorize(t.Context(), req); err == nil {
			t.Fatal("let in")
		}
		if size := len(fmt.Sprint(log.take(t))); size > 2048 {
			t.Errorf("logged %d bytes", size)
		}
	}
}

// TestDefaultLogger must run alone: it replaces what the process shares.
func TestDefaultLogger(t *testing.T) {
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Logger = nil })
	var log journal
	before := slog.Default()
	slog.SetDefault(slog.New(&log)) // after New: the default of the time of the record counts
	defer slog.SetDefault(before)
	_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded})
	denialOf(t, err, interceptor.KindNoCredentials)
	if entry := log.take(t); entry["service"] != rpctest.GuardedService {
		t.Errorf("SEED-1: logged %v", entry)
	}
}
