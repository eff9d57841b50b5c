package otel

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge"
)

// name is that of events and spans.
const name = "drawbridge.decision"

// trace records a decision in the trace of the caller, and returns a context with
// the span that has it.
func (o *Observer) trace(ctx context.Context, d *drawbridge.Decision, s *set) context.Context {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		attributes := o.attributesOf(d, s)
		if !d.Start.IsZero() {
			attributes = append(attributes, durationKey.Float64(d.Duration.Seconds()))
		}
		span.AddEvent(name, trace.WithAttributes(attributes...))
		return ctx
	}
	caller := d.Span
	isStranger := o.publicEndpoint && caller.IsRemote()
	switch {
	case caller.IsValid() && !isStranger && caller.IsSampled():
		return o.span(trace.ContextWithSpanContext(ctx, caller), d, s)
	case caller.IsValid() && !isStranger, d.Allowed:
		return ctx
	case isStranger:
		return o.span(ctx, d, s, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: caller}))
	default: // The context has no span that would be the parent.
		return o.span(ctx, d, s)
	}
}

// span records a decision as a span.
func (o *Observer) span(ctx context.Context, d *drawbridge.Decision, s *set, options ...trace.SpanStartOption) context.Context {
	start := d.Start
	if start.IsZero() {
		start = time.Now()
	}
	ctx, span := o.tracer.Start(ctx, name,
		append(options, trace.WithTimestamp(start), trace.WithAttributes(o.attributesOf(d, s)...))...)
	if !d.Allowed && d.Reason.HTTPStatus() >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, d.Sentence)
	}
	span.End(trace.WithTimestamp(start.Add(d.Duration)))
	return ctx
}
