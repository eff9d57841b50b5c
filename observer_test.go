package drawbridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// watcher is an Observer that keeps what it sees.
type watcher struct {
	mu   sync.Mutex
	seen []drawbridge.Decision
}

func (w *watcher) ObserveDecision(_ context.Context, decision drawbridge.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, decision)
}

// take returns the one decision since the last call.
func (w *watcher) take(tb testing.TB) drawbridge.Decision {
	tb.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) != 1 {
		tb.Fatalf("observed %d decisions: %+v", len(w.seen), w.seen)
	}
	decision := w.seen[0]
	w.seen = nil
	return decision
}

// observe is an Observer that is a function.
type observe func(ctx context.Context, decision drawbridge.Decision)

func (f observe) ObserveDecision(ctx context.Context, decision drawbridge.Decision) { f(ctx, decision) }

// TestObserver: each decision is observed once, with what is known of it.
func TestObserver(t *testing.T) {
	t.Parallel()
	var seen watcher
	a := newAuthorizer(t, withAdmin, func(cfg *drawbridge.Config) { cfg.Observers = []drawbridge.Observer{&seen} })
	write := []string{rpctest.ScopeWrite}
	known := func(subject, scope string) drawbridge.Decision {
		return drawbridge.Decision{Issuer: issuer, Subject: subject, ClientID: "client-of-" + subject, GrantedScopes: []string{scope}}
	}
	writer, reader := known("writer", rpctest.ScopeWrite), known("reader", rpctest.ScopeRead)
	with := func(d drawbridge.Decision, change func(*drawbridge.Decision)) drawbridge.Decision {
		d.Procedure, d.Path, d.Peer, d.HasMethod = guarded, guarded, "192.0.2.1:1", true
		d.Service, d.Resource, d.RequiredScopes = rpctest.GuardedService, base, write
		change(&d)
		return d
	}
	for _, tt := range []struct {
		name  string
		req   sent
		want  drawbridge.Decision
		cause string
	}{
		{"let in", sent{Procedure: guarded, Authorization: bearer("t-writer")}, with(writer, func(d *drawbridge.Decision) { d.Allowed = true }), ""},
		{"plain HTTP", sent{Service: rpctest.GuardedService, Path: "/x", Method: "GET", Authorization: bearer("t-writer")}, with(writer, func(d *drawbridge.Decision) {
			d.Allowed, d.Procedure, d.Path, d.Method, d.HasMethod = true, "", "/x", "GET", false
		}), ""},
		{"public", sent{Procedure: public, Authorization: bearer("t-writer")}, with(drawbridge.Decision{}, func(d *drawbridge.Decision) {
			d.Allowed, d.Procedure, d.Path, d.Service, d.Resource, d.RequiredScopes = true, public, public, rpctest.PublicService, "", nil
		}), ""},
		{"no token", sent{Procedure: guarded}, with(drawbridge.Decision{}, func(d *drawbridge.Decision) {
			d.Reason = challenge.ReasonNoCredentials
		}), ""},
		{"a bad token", sent{Procedure: guarded, Authorization: bearer("t-unknown")}, with(drawbridge.Decision{}, func(d *drawbridge.Decision) {
			d.Reason = challenge.ReasonInvalidToken
		}), "invalid token: unknown"},
		{"too little", sent{Procedure: guarded, Authorization: bearer("t-reader")}, with(reader, func(d *drawbridge.Decision) {
			d.Reason = challenge.ReasonInsufficientScope
		}), ""},
		{"no rule", sent{Procedure: nowhere, Authorization: bearer("t-writer")}, with(writer, func(d *drawbridge.Decision) {
			d.Reason, d.Procedure, d.Path, d.HasMethod = challenge.ReasonNotFound, nowhere, nowhere, false
			d.Service, d.Resource, d.RequiredScopes = "", "", nil
		}), "no rule for this procedure"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := time.Now()
			tt.req.RemoteAddr = "192.0.2.1:1"
			_, err := authorize(t.Context(), a, tt.req)
			got := seen.take(t)
			if got.Allowed != (err == nil) {
				t.Errorf("allowed: %t, error: %v", got.Allowed, err)
			}
			if got.Start.Before(before) || got.Duration <= 0 || got.Duration > time.Since(before) {
				t.Errorf("start %v, duration %v", got.Start, got.Duration)
			}
			cause, sentence := "", ""
			if got.Cause != nil {
				cause = got.Cause.Error()
			}
			if err != nil {
				sentence = challenge.DenialOf(err).Challenge.ErrorDescription
			}
			if cause != tt.cause || got.Sentence != sentence {
				t.Errorf("cause %q, sentence %q", cause, got.Sentence)
			}
			got.Start, got.Duration, got.Cause, got.Sentence = time.Time{}, 0, nil, ""
			if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", tt.want); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestObserverOfCaller: decisions inside of a call are observed, too, but not
// those that only ask what a caller may use.
func TestObserverOfCaller(t *testing.T) {
	t.Parallel()
	var seen watcher
	var log journal
	a := newAuthorizer(t, withAdmin, func(cfg *drawbridge.Config) {
		cfg.Observers, cfg.Logger = []drawbridge.Observer{&seen}, slog.New(&log)
	})
	ctx := enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	seen.take(t)
	// A decision that stands is no further one.
	enter(ctx, t, a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	caller := a.Adapter().Caller(ctx)
	for procedure, want := range map[string]challenge.Reason{
		guarded: letIn, public: letIn, "/a.v1.A/Get": challenge.ReasonInsufficientScope, nowhere: challenge.ReasonNotFound,
	} {
		if denial := caller.Assess(ctx, procedure); (denial == nil) != (want == letIn) || denial != nil && denial.Reason != want {
			t.Errorf("Assess %s: got %v", procedure, denial)
		}
		if len(seen.seen) != 0 {
			t.Fatalf("observed %+v", seen.seen)
		}
		log.wantNothing(t)
		wantOutcome(t, a.Check(ctx, procedure), want)
		got := seen.take(t)
		if got.Allowed != (want == letIn) || got.Procedure != procedure || got.Subject != "writer" || want != letIn && got.Reason != want {
			t.Errorf("Check %s: observed %+v", procedure, got)
		}
		if want != letIn {
			log.take(t)
		}
	}
	caller.Expire(ctx, guarded)
	if got := seen.take(t); got.Allowed || got.Reason != challenge.ReasonInvalidToken || got.Subject != "writer" || got.Resource != base || !got.Start.IsZero() || got.Duration != 0 {
		t.Errorf("Expire: observed %+v", got)
	}
	log.take(t)
	req := sent{Service: rpctest.GuardedService}.Request()
	a.Adapter().Refuse(t.Context(), &req, challenge.ReasonForbiddenOrigin, nil)
	if got := seen.take(t); got.Reason != challenge.ReasonForbiddenOrigin || got.Subject != "" || got.Allowed {
		t.Errorf("Refuse: observed %+v", got)
	}
	log.take(t)
	a.Adapter().Refuse(ctx, &req, challenge.ReasonForbiddenOrigin, nil)
	if got := seen.take(t); got.Subject != "writer" {
		t.Errorf("Refuse within a call: observed %+v", got)
	}
	log.take(t)
	wantOutcome(t, a.Check(t.Context(), guarded), challenge.ReasonInternal)
	if got := seen.take(t); got.Reason != challenge.ReasonInternal || got.Procedure != guarded {
		t.Errorf("Check without a caller: observed %+v", got)
	}
	for name, caller := range map[string]*drawbridge.Caller{"no": nil, "a zero": new(drawbridge.Caller)} {
		if denial := caller.Assess(t.Context(), guarded); denial == nil || denial.Reason != challenge.ReasonInternal {
			t.Errorf("Assess with %s caller: got %v", name, denial)
		}
	}
	anonymous := a.Adapter().Caller(enter(t.Context(), t, a, sent{Procedure: public}))
	seen.take(t)
	if denial := anonymous.Assess(t.Context(), public); denial != nil {
		t.Errorf("Assess of a public procedure without a token: got %v", denial)
	}
	if denial := anonymous.Assess(t.Context(), guarded); denial == nil || denial.Reason != challenge.ReasonNoCredentials {
		t.Errorf("Assess without a token: got %v", denial)
	}
}

// TestObserverChangesNothing: an observer that panics is logged, the next one is
// called, and what one does to its Decision reaches neither the next nor a later
// call.
func TestObserverChangesNothing(t *testing.T) {
	t.Parallel()
	var seen watcher
	var log journal
	meddler := observe(func(_ context.Context, d drawbridge.Decision) {
		for _, scopes := range [][]string{d.RequiredScopes, d.GrantedScopes} {
			for i := range scopes {
				scopes[i] = "admin"
			}
		}
		panic("boom " + strings.Repeat("x", 1<<20))
	})
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Observers, cfg.Logger = []drawbridge.Observer{meddler, &seen}, slog.New(&log)
	})
	for range 3 {
		_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
		wantOutcome(t, err, letIn)
		if got := seen.take(t); !got.Allowed || got.GrantedScopes[0] != rpctest.ScopeWrite || got.RequiredScopes[0] != rpctest.ScopeWrite {
			t.Errorf("observed %+v", got)
		}
		entry := log.take(t)
		if entry["level"] != slog.LevelError || !strings.HasPrefix(fmt.Sprint(entry["cause"]), "an observer panicked: boom") ||
			!strings.Contains(fmt.Sprint(entry["stack"]), "observer_test.go") || len(fmt.Sprint(entry)) > 6<<10 {
			t.Errorf("logged %.400v", entry)
		}
	}
	_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-reader")})
	if got := denialOf(t, err, challenge.ReasonInsufficientScope).Challenge.Scopes; got[0] != rpctest.ScopeWrite {
		t.Errorf("asks for %q", got)
	}
}

// TestObserverSpan: an observer gets the caller's span, from the context or from
// the request.
func TestObserverSpan(t *testing.T) {
	t.Parallel()
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	var seen watcher
	var log journal
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Observers, cfg.Logger = []drawbridge.Observer{&seen}, slog.New(&log)
	})
	inContext := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	for _, tt := range []struct {
		name   string
		ctx    context.Context //nolint:containedctx // A row of a table.
		parent []string
		want   string // trace and span
	}{
		{"none", t.Context(), nil, ""},
		{"the request", t.Context(), []string{"00-" + traceID + "-" + spanID + "-01"}, traceID + spanID},
		{"the request, not sampled", t.Context(), []string{"00-" + traceID + "-" + spanID + "-00"}, traceID + spanID},
		{"a later version", t.Context(), []string{"cc-" + traceID + "-" + spanID + "-01-more"}, traceID + spanID},
		{"the context before the request", trace.ContextWithSpanContext(t.Context(), inContext), []string{"00-" + traceID + "-" + spanID + "-01"}, inContext.TraceID().String() + inContext.SpanID().String()},
		{"two fields", t.Context(), []string{"00-" + traceID + "-" + spanID + "-01", "00-" + traceID + "-" + spanID + "-01"}, ""},
		{"zeros", t.Context(), []string{"00-" + strings.Repeat("0", 32) + "-" + spanID + "-01"}, ""},
		{"in capitals", t.Context(), []string{"00-" + strings.ToUpper(traceID) + "-" + spanID + "-01"}, ""},
		{"not hexadecimal", t.Context(), []string{"00-" + strings.Repeat("x", 32) + "-" + spanID + "-01"}, ""},
		{"too long", t.Context(), []string{"00-" + traceID + "00-" + spanID + "-01"}, ""},
		{"too short", t.Context(), []string{"00-" + traceID[1:] + "-" + spanID + "-01"}, ""},
		{"more than version 0 has", t.Context(), []string{"00-" + traceID + "-" + spanID + "-01-more"}, ""},
		{"a version that is none", t.Context(), []string{"ff-" + traceID + "-" + spanID + "-01"}, ""},
		{"too few parts", t.Context(), []string{"00-" + traceID}, ""},
		{"too few parts of a later version", t.Context(), []string{"cc-" + traceID}, ""},
		{"a version of one digit", t.Context(), []string{"c-" + traceID + "-" + spanID + "-01"}, ""},
		{"endless", t.Context(), []string{"cc-" + traceID + "-" + spanID + "-01-" + strings.Repeat("-", 1<<20)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := authorize(tt.ctx, a, sent{Procedure: guarded, Header: http.Header{"Traceparent": tt.parent}})
			denialOf(t, err, challenge.ReasonNoCredentials)
			span := seen.take(t).Span
			got := ""
			if span.IsValid() {
				got = span.TraceID().String() + span.SpanID().String()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if isRemote := tt.want == traceID+spanID; span.IsRemote() != isRemote || isRemote && span.IsSampled() != strings.Contains(tt.parent[0], "-01") {
				t.Errorf("got %+v", span)
			}
			logged, _ := log.take(t)["trace_id"].(string)
			if !strings.HasPrefix(tt.want, logged) || (logged == "") != (tt.want == "") {
				t.Errorf("SEED-1: logged trace %q", logged)
			}
		})
	}
}

// TestLogLevels: the level of each reason is a choice.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Logger = slog.New(&log)
		cfg.LogLevels = map[challenge.Reason]slog.Level{challenge.ReasonNoCredentials: slog.LevelInfo, challenge.ReasonInternal: slog.LevelWarn}
	})
	for values, want := range map[string]slog.Level{"": slog.LevelInfo, "t-unknown": slog.LevelWarn} {
		req := sent{Procedure: guarded}
		if values != "" {
			req.Authorization = bearer(values)
		}
		if _, err := authorize(t.Context(), a, req); err == nil {
			t.Fatal("let in")
		}
		if got := log.take(t)["level"]; got != want {
			t.Errorf("%q: got %v, want %v", values, got, want)
		}
	}
	wantOutcome(t, a.Check(t.Context(), guarded), challenge.ReasonInternal)
	if got := log.take(t)["level"]; got != slog.LevelWarn {
		t.Errorf("internal: got %v", got)
	}
}
