package otel_test

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/otel"
)

const eventName = "drawbridge.decision"

// from returns a change that names the caller's span.
func from(span trace.SpanContext) func(*drawbridge.Decision) {
	return func(d *drawbridge.Decision) { d.Span = span }
}

// TestSpan: without a recording span in the context, a decision is a span in the
// caller's trace, or a denial one of a new trace.
func TestSpan(t *testing.T) {
	t.Parallel()
	noCredentials := denied(challenge.ReasonNoCredentials)
	ended := sampled.WithRemote(false)
	public := func(cfg *otel.Config) { cfg.PublicEndpoint = true }
	for _, tt := range []struct {
		name     string
		ctx      trace.SpanContext // of the context
		decision drawbridge.Decision
		change   func(*otel.Config)
		parent   trace.SpanContext // of the span; zero means a new trace
		isLinked bool
		isNone   bool
	}{
		{name: "the caller's trace, let in", decision: allowed(from(sampled)), parent: sampled},
		{name: "the caller's trace, denied", decision: allowed(from(sampled), noCredentials), parent: sampled},
		{name: "the caller's trace in the context", ctx: sampled, decision: allowed(from(sampled), noCredentials), parent: sampled},
		{name: "a span that has ended", ctx: ended, decision: allowed(from(ended)), parent: ended},
		{name: "a caller who does not sample", decision: allowed(from(unsampled), noCredentials), isNone: true},
		{name: "a span in the context that is not sampled", ctx: unsampled, decision: allowed(from(unsampled)), isNone: true},
		{name: "no trace, let in", decision: allowed(), isNone: true},
		{name: "no trace, denied", decision: allowed(noCredentials)},
		{name: "a public endpoint, let in", change: public, decision: allowed(from(sampled)), isNone: true},
		{name: "a public endpoint, denied", change: public, decision: allowed(from(sampled), noCredentials), isLinked: true},
		{name: "a public endpoint, the trace in the context", ctx: sampled, change: public, decision: allowed(from(sampled), noCredentials), isLinked: true},
		{name: "a public endpoint, not sampled", change: public, decision: allowed(from(unsampled), noCredentials), isLinked: true},
		{name: "a public endpoint, no trace", change: public, decision: allowed(noCredentials)},
		{name: "a public endpoint, a span of the server", ctx: ended, change: public, decision: allowed(from(ended)), parent: ended},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.change == nil {
				tt.change = func(*otel.Config) {}
			}
			s := newSDK()
			ctx := trace.ContextWithSpanContext(t.Context(), tt.ctx)
			s.observer(t, tt.change).ObserveDecision(ctx, tt.decision)
			spans := s.spans.Ended()
			if tt.isNone {
				if len(spans) != 0 {
					t.Errorf("got %v", spans)
				}
				return
			}
			if len(spans) != 1 {
				t.Fatalf("got %d spans", len(spans))
			}
			span := spans[0]
			if !span.Parent().Equal(tt.parent) || tt.parent.IsValid() && span.SpanContext().TraceID() != tt.parent.TraceID() {
				t.Errorf("got %+v, whose parent is %+v, want %+v", span.SpanContext(), span.Parent(), tt.parent)
			}
			if links := span.Links(); len(links) != 0 != tt.isLinked || tt.isLinked && !links[0].SpanContext.Equal(tt.decision.Span) {
				t.Errorf("links %+v", links)
			}
			if span.Name() != eventName || span.SpanKind() != trace.SpanKindInternal || len(span.Events()) != 0 {
				t.Errorf("got %s, %s, events %v", span.Name(), span.SpanKind(), span.Events())
			}
			if !span.StartTime().Equal(start) || span.EndTime().Sub(start) != time.Millisecond {
				t.Errorf("from %v to %v", span.StartTime(), span.EndTime())
			}
		})
	}
}

// TestSampler: the sampler sees the attributes, and decides about a new trace.
func TestSampler(t *testing.T) {
	t.Parallel()
	s := newSDK(sdktrace.WithSampler(unless{"no_credentials"}))
	o := s.observer(t)
	for _, reason := range []challenge.Reason{challenge.ReasonNoCredentials, challenge.ReasonInvalidToken} {
		o.ObserveDecision(t.Context(), allowed(denied(reason)))
	}
	if spans := s.spans.Ended(); len(spans) != 1 || !strings.Contains(write(spans[0].Attributes()), "error.type=invalid_token") {
		t.Errorf("got %v", spans)
	}
}

// unless is a sampler that drops spans with an error.type.
type unless struct{ reason string }

func (u unless) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	for _, a := range p.Attributes {
		if a.Key == "error.type" && a.Value.AsString() == u.reason {
			return sdktrace.SamplingResult{Decision: sdktrace.Drop}
		}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
}

func (u unless) Description() string { return "unless " + u.reason }

// TestSpanStatus: the status of a span is an error if the server is at fault. A
// denial outside of a decision is a moment.
func TestSpanStatus(t *testing.T) {
	t.Parallel()
	for reason := range challenge.Reason(challenge.Reasons) {
		s := newSDK()
		before := time.Now()
		s.observer(t).ObserveDecision(t.Context(), allowed(denied(reason), func(d *drawbridge.Decision) { d.Start, d.Duration = time.Time{}, 0 }))
		span := s.spans.Ended()[0]
		want := sdktrace.Status{Code: codes.Unset}
		if reason == challenge.ReasonInternal || reason == challenge.ReasonUnavailable {
			want = sdktrace.Status{Code: codes.Error, Description: reason.Message()}
		}
		if got := span.Status(); got != want {
			t.Errorf("%v: got %+v, want %+v", reason, got, want)
		}
		if span.StartTime().Before(before) || !span.EndTime().Equal(span.StartTime()) {
			t.Errorf("%v: from %v to %v", reason, span.StartTime(), span.EndTime())
		}
	}
}

// TestEvent: a recording span in the context gets an event and nothing else, and
// an exemplar of the metrics names it.
func TestEvent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		decision drawbridge.Decision
		want     string
	}{
		"let in": {allowed(), "drawbridge.decision.duration=0.001 drawbridge.outcome=allowed drawbridge.resource=https://api.example.com " +
			"drawbridge.service=drawbridge.test.v1.GuardedService rpc.method=drawbridge.test.v1.GuardedService/Unary"},
		"denied": {allowed(denied(challenge.ReasonUnavailable)), "drawbridge.decision.duration=0.001 drawbridge.outcome=denied drawbridge.resource=https://api.example.com " +
			"drawbridge.service=drawbridge.test.v1.GuardedService error.type=unavailable rpc.method=drawbridge.test.v1.GuardedService/Unary"},
		"too little, outside of a decision": {
			allowed(denied(challenge.ReasonInsufficientScope), func(d *drawbridge.Decision) { d.Start, d.Duration, d.Resource = time.Time{}, 0, "" }),
			`drawbridge.outcome=denied drawbridge.required_scopes=["guarded:write"] ` +
				"drawbridge.service=drawbridge.test.v1.GuardedService error.type=insufficient_scope rpc.method=drawbridge.test.v1.GuardedService/Unary",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSDK()
			ctx, span := s.traces.Tracer("server").Start(t.Context(), "request")
			tt.decision.Span = span.SpanContext()
			s.observer(t).ObserveDecision(ctx, tt.decision)
			span.End()
			spans := s.spans.Ended()
			if len(spans) != 1 || len(spans[0].Events()) != 1 || spans[0].Status().Code != codes.Unset || len(spans[0].Attributes()) != 0 {
				t.Fatalf("got %v", spans)
			}
			event := spans[0].Events()[0]
			if got := write(event.Attributes); event.Name != eventName || got != tt.want {
				t.Errorf("got %s\n%s\nwant\n%s", event.Name, got, tt.want)
			}
		})
	}
}

// TestExemplars: the metrics lead to the span that has the decision.
func TestExemplars(t *testing.T) {
	t.Parallel()
	s := newSDK()
	s.observer(t).ObserveDecision(t.Context(), allowed(from(sampled)))
	exemplars := s.exemplars(t)
	if len(exemplars) != 2 {
		t.Fatalf("got %d exemplars", len(exemplars))
	}
	want := s.spans.Ended()[0].SpanContext().SpanID()
	for _, got := range exemplars {
		if trace.SpanID(got) != want {
			t.Errorf("got %x, want %s", got, want)
		}
	}
}

// TestIdentity: who called is recorded only if that was asked for, in bounds, and
// never in metrics.
func TestIdentity(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1<<16)
	many := make([]string, 1000)
	for i := range many {
		many[i] = "scope:" + strings.Repeat("x", i)
	}
	for _, tt := range []struct {
		name     string
		decision drawbridge.Decision
		want     map[attribute.Key]string
	}{
		{"a token", allowed(denied(challenge.ReasonInsufficientScope)), map[attribute.Key]string{
			"enduser.id": "ada", "drawbridge.client.id": "agent", "drawbridge.issuer": "https://login.example.com",
			"drawbridge.granted_scopes": `["guarded:write"]`, "network.peer.address": "192.0.2.1", "network.peer.port": "4711",
		}},
		{"no token", drawbridge.Decision{Peer: "pipe"}, nil},
		{"IPv6", drawbridge.Decision{Peer: "[2001:db8::1]:443"}, map[attribute.Key]string{"network.peer.address": "2001:db8::1", "network.peer.port": "443"}},
		{"long values", drawbridge.Decision{Subject: "x" + long, ClientID: "\xff"}, map[attribute.Key]string{
			"enduser.id": "x" + long[:2*127] + "…", "drawbridge.client.id": "",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, isAsked := range []bool{false, true} {
				s := newSDK()
				o := s.observer(t, func(cfg *otel.Config) { cfg.Identity = isAsked })
				o.ObserveDecision(t.Context(), tt.decision)
				checkIdentity(t, s.spans.Ended()[0].Attributes(), tt.want, isAsked)
			}
		})
	}
	s := newSDK()
	s.observer(t, func(cfg *otel.Config) { cfg.Identity = true }).ObserveDecision(t.Context(), drawbridge.Decision{GrantedScopes: many})
	if got := write(s.spans.Ended()[0].Attributes()); len(got) > 2048 || !strings.Contains(got, "scope:xx") || !strings.Contains(got, "…") {
		t.Errorf("recorded %d B: %.200s", len(got), got)
	}
}

func checkIdentity(t *testing.T, attributes []attribute.KeyValue, want map[attribute.Key]string, isAsked bool) {
	t.Helper()
	found := make(map[attribute.Key]string)
	for _, a := range attributes {
		switch {
		case strings.HasPrefix(string(a.Key), "enduser."), strings.HasPrefix(string(a.Key), "network."), a.Key == "drawbridge.client.id",
			a.Key == "drawbridge.issuer", a.Key == "drawbridge.granted_scopes":
			found[a.Key] = a.Value.String()
		}
	}
	if !isAsked {
		want = nil
	}
	if len(found) != len(want) {
		t.Errorf("asked for: %t; got %q, want %q", isAsked, found, want)
	}
	for key, value := range want {
		if found[key] != value {
			t.Errorf("%s: got %.300q, want %.300q", key, found[key], value)
		}
	}
}

var _ drawbridge.Observer = (*otel.Observer)(nil)
