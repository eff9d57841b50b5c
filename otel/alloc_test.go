package otel_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/otel"
)

// ways are the ways that decisions go, each with what the API and the SDK need for
// it.
func ways(tb testing.TB) []way {
	tb.Helper()
	none := otel.Config{TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider()}
	s := newSDK()
	full := otel.Config{TracerProvider: sdktrace.NewTracerProvider(), MeterProvider: s.meters}
	recording, span := full.TracerProvider.Tracer("server").Start(tb.Context(), "request")
	tb.Cleanup(func() { span.End() })
	open := allowed(func(d *drawbridge.Decision) { d.Procedure, d.Service = "/a.v1.A/Get", "a.v1.A" })
	// The API takes attributes as a slice, and options of which it allocates each.
	attributes := func() []attribute.KeyValue {
		return append(make([]attribute.KeyValue, 0, 8), attribute.String("a", "a"), attribute.String("b", "b"))
	}
	addEvent := func() { span.AddEvent("event", trace.WithAttributes(attributes()...)) }
	addSpan := func() {
		ctx := trace.ContextWithSpanContext(tb.Context(), sampled)
		_, span := full.TracerProvider.Tracer("server").Start(ctx, "span", trace.WithTimestamp(start), trace.WithAttributes(attributes()...))
		span.End(trace.WithTimestamp(start))
	}
	return []way{
		{"no SDK, let in", none, tb.Context(), allowed(), nil},
		{"no SDK, let in, a trace", none, tb.Context(), allowed(from(unsampled)), nil},
		{"metrics, let in", full, tb.Context(), allowed(), nil},
		{"metrics, no descriptor", full, tb.Context(), open, nil},
		{"metrics, a trace that is not sampled", full, trace.ContextWithSpanContext(tb.Context(), unsampled), allowed(from(unsampled), denied(challenge.ReasonInvalidToken)), nil},
		{"an event", full, recording, allowed(), addEvent},
		{"a span", full, tb.Context(), allowed(from(sampled)), addSpan},
	}
}

type way struct {
	name     string
	cfg      otel.Config
	ctx      context.Context //nolint:containedctx // A row of a table.
	decision drawbridge.Decision
	bare     func() // the same without an Observer; nil needs nothing
}

// TestAllocations: nothing is allocated beyond what the API needs.
func TestAllocations(t *testing.T) {
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			o, err := otel.New(w.cfg)
			if err != nil {
				t.Fatal(err)
			}
			want := 0.
			if w.bare != nil {
				want = testing.AllocsPerRun(200, w.bare)
			}
			if got := testing.AllocsPerRun(200, func() { o.ObserveDecision(w.ctx, w.decision) }); got > want {
				t.Errorf("got %v allocations, want %v", got, want)
			}
		})
	}
}

func BenchmarkObserveDecision(b *testing.B) {
	for _, w := range ways(b) {
		b.Run(w.name, func(b *testing.B) {
			o, err := otel.New(w.cfg)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				o.ObserveDecision(w.ctx, w.decision)
			}
		})
	}
}
