package drawbridge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// flaky is a verifier that knows people, and fails in several ways.
type flaky struct{ *known }

func (f flaky) VerifyToken(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
	switch {
	case strings.HasPrefix(raw, "t-down"):
		return nil, fmt.Errorf("%w: 503 from the issuer", token.ErrUnavailable)
	case strings.HasPrefix(raw, "t-odd"):
		return nil, errors.New("odd failure")
	case strings.HasPrefix(raw, "t-canceled"):
		return nil, fmt.Errorf("asking the issuer: %w", context.Canceled)
	case strings.HasPrefix(raw, "t-late"):
		return nil, fmt.Errorf("asking the issuer: %w", context.DeadlineExceeded)
	case strings.HasPrefix(raw, "t-panic"):
		panic("boom")
	case strings.HasPrefix(raw, "t-nil"):
		return nil, nil //nolint:nilnil // A verifier with a bug.
	default:
		return f.known.VerifyToken(ctx, raw, resource)
	}
}

// TestLog: one record for each denial, with what an operator looks for, and
// without the token (SEED-1).
func TestLog(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Logger, cfg.Verifier = slog.New(&log), flaky{people()}
	})
	traceID := trace.TraceID{1, 2, 3, 15: 16}
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: trace.SpanID{1}}))
	for _, tt := range []struct {
		name   string
		ctx    context.Context //nolint:containedctx // A row of a table.
		req    sent
		status int64
		want   record // in addition to service, procedure, status and level
	}{
		{"SEED-1 no token", t.Context(), sent{Procedure: guarded}, 401, record{"reason": "no_credentials"}},
		{"SEED-1 no token, plain HTTP", t.Context(), sent{Service: rpctest.GuardedService}, 401, record{"reason": "no_credentials"}},
		{"SEED-1 trace id", traced, sent{Procedure: guarded}, 401, record{"reason": "no_credentials", "trace_id": traceID.String()}},
		{"SEED-1 malformed", t.Context(), sent{Procedure: guarded, Authorization: []string{"Bearer t-writer t-reader"}}, 400, record{"reason": "invalid_request", "cause": "malformed Authorization field"}},
		{"SEED-1 two", t.Context(), sent{Procedure: guarded, Authorization: []string{"Bearer t-writer", "Bearer t-reader"}}, 400, record{"reason": "invalid_request", "cause": "more than one credential"}},
		{"SEED-1 bad token", traced, sent{Procedure: guarded, Authorization: bearer("t-unknown")}, 401, record{"reason": "invalid_token", "cause": "invalid token: unknown", "trace_id": traceID.String()}},
		{"SEED-1 a long token", t.Context(), sent{Procedure: guarded, Authorization: bearer("t-" + strings.Repeat("x", 1<<20))}, 401, record{"reason": "invalid_token", "cause": "invalid token: longer than 16384 bytes"}},
		{"SEED-1 too little", t.Context(), sent{Procedure: guarded, Authorization: bearer("t-reader")}, 403, record{"reason": "insufficient_scope", "required_scopes": "[guarded:write]", "issuer": issuer, "subject": "reader", "client_id": "client-of-reader"}},
		{"SEED-1 no rule", t.Context(), sent{Procedure: nowhere, Authorization: bearer("t-writer")}, 404, record{"reason": "not_found", "cause": "no rule for this procedure", "issuer": issuer, "subject": "writer", "client_id": "client-of-writer"}},
		{"SEED-1 the issuer is down", t.Context(), sent{Procedure: guarded, Authorization: bearer("t-down")}, 503, record{"reason": "unavailable", "cause": "token verification is unavailable: 503 from the issuer"}},
		{"SEED-1 an odd verifier", t.Context(), sent{Procedure: guarded, Authorization: bearer("t-odd")}, 503, record{"reason": "unavailable", "cause": "odd failure\nthe error is neither token.ErrInvalid nor token.ErrUnavailable"}},
		{"SEED-1 a canceled call is not an odd verifier", t.Context(), sent{Procedure: guarded, Authorization: bearer("t-canceled")}, 503, record{"reason": "unavailable", "cause": "asking the issuer: context canceled"}},
		{"SEED-1 nor is one that timed out", t.Context(), sent{Procedure: guarded, Authorization: bearer("t-late")}, 503, record{"reason": "unavailable", "cause": "asking the issuer: context deadline exceeded"}},
		{"SEED-1 an ambiguous path", t.Context(), sent{Service: rpctest.GuardedService, Path: "/a/../b"}, 400, record{"reason": "invalid_request", "cause": `path "/a/../b", which routers read in different ways`}},
		{"SEED-1 a verifier without an answer", t.Context(), sent{Procedure: guarded, Authorization: bearer("t-nil")}, 500, record{"reason": "internal", "cause": "the verifier returned neither an error nor an Info"}},
		{"SEED-1 a verifier that panics", t.Context(), sent{Procedure: guarded, Authorization: bearer("t-panic")}, 500, record{"reason": "internal", "cause": "the verifier panicked: boom"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := authorize(tt.ctx, a, tt.req)
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
	for _, req := range []sent{{Procedure: guarded, Authorization: bearer("t-writer")}, {Procedure: public}} {
		_, err := authorize(traced, a, req)
		wantOutcome(t, err, letIn)
	}
	log.wantNothing(t)
}

// TestLogIsBounded: a caller cannot write much into a log with one call.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Logger = slog.New(&log) })
	for _, req := range []sent{
		{Procedure: "/" + strings.Repeat("a", 1<<20) + "/Get"},
		{Procedure: strings.Repeat("/", 1<<20)},
		{Service: strings.Repeat("a", 1<<20)},
		{Service: strings.Repeat("é", 1<<20), Path: strings.Repeat("/..", 1<<18)},
	} {
		if _, err := authorize(t.Context(), a, req); err == nil {
			t.Fatal("let in")
		}
		if size := len(fmt.Sprint(log.take(t))); size > 2048 {
			t.Errorf("logged %d bytes", size)
		}
	}
}

// TestLogIsBoundedByToken: nor does what a token or a policy holds.
func TestLogIsBoundedByToken(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1<<16)
	verifier := people()
	verifier.tokens["t-reader"].Subject, verifier.tokens["t-reader"].ClientID = long, "x"+long
	verifier.tokens["t-writer"].Audience = slices.Repeat([]string{long}, 64)
	verifier.tokens["t-admin"].Issuer = long
	var log journal
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Logger, cfg.Verifier = slog.New(&log), verifier
		var scopes []string
		for i := range 1000 {
			scopes = append(scopes, fmt.Sprint("scope-", i))
		}
		cfg.Policy.Services["a.v1.A"] = policy.Service{NoDescriptor: true, Rule: policy.Rule{Scopes: scopes}}
	})
	for _, raw := range []string{"t-reader", "t-writer", "t-admin"} {
		if _, err := authorize(t.Context(), a, sent{Procedure: "/a.v1.A/Get", Authorization: bearer(raw)}); err == nil {
			t.Fatal("let in")
		}
		text := fmt.Sprint(log.take(t))
		if len(text) > 4096 || !utf8.ValidString(text) {
			t.Errorf("%s: logged %d bytes: %.200s", raw, len(text), text)
		}
	}
}

// TestDefaultLogger must run alone: it replaces the logger of the process.
func TestDefaultLogger(t *testing.T) {
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Logger = nil })
	var log journal
	before := slog.Default()
	slog.SetDefault(slog.New(&log)) // after New: the default at the time of the record counts
	defer slog.SetDefault(before)
	_, err := authorize(t.Context(), a, sent{Procedure: guarded})
	denialOf(t, err, challenge.ReasonNoCredentials)
	if entry := log.take(t); entry["service"] != rpctest.GuardedService {
		t.Errorf("SEED-1: logged %v", entry)
	}
}
