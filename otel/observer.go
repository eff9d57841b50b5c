package otel

import (
	"context"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// scope is the name of the instrumentation scope.
const scope = "github.com/drawbridge-rpc/drawbridge/otel"

// Config configures an [Observer]. The zero Config is usable.
type Config struct {
	// TracerProvider makes the spans. Nil means the global one.
	TracerProvider trace.TracerProvider
	// MeterProvider makes the metrics. Nil means the global one.
	MeterProvider metric.MeterProvider
	// Identity adds to events and spans, never to metrics, who called: enduser.id,
	// drawbridge.client.id, drawbridge.issuer and drawbridge.granted_scopes of a
	// token that was verified, and network.peer.address and network.peer.port.
	// These are personal data.
	Identity bool
	// PublicEndpoint does not continue the trace that a request names, like the
	// options of this name of otelhttp and otelgrpc, and like otelconnect by default:
	// the span of a denial begins a new trace, which is linked to that of the caller.
	// Otherwise a caller who says that its trace is sampled has a span recorded for
	// each call, if the sampler follows the parent, as the default does. Spans in the
	// context are not affected.
	PublicEndpoint bool
	// Verifiers return the counts of verifiers of tokens, one for each issuer, and
	// add metrics of verifications, key sets and caches: the method Stats of a
	// verifier.Verifier, for instance. They are called whenever the metrics are collected, for as long as the
	// MeterProvider lives, and concurrently if several readers collect.
	Verifiers []func() token.Stats
}

// Observer is a [drawbridge.Observer] that records with OpenTelemetry. It is safe
// for concurrent use, also by several Authorizers. [New] returns one; the zero
// Observer is not usable.
type Observer struct {
	tracer         trace.Tracer
	decisions      metric.Int64Counter
	duration       metric.Float64Histogram
	identity       bool
	publicEndpoint bool
	sets           sets
}

// bounds, in seconds, reach from a token that was seen before, through the
// verification of a signature, to a fetch of keys.
var bounds = []float64{
	0.000_001, 0.000_01, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
}

// New returns an Observer for [drawbridge.Config], or every fault at once. An error
// of the MeterProvider is a fault, too.
func New(cfg Config) (*Observer, error) {
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otelapi.GetTracerProvider()
	}
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = otelapi.GetMeterProvider()
	}
	faults := fault.List{Within: "otel: "}
	meter := cfg.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	decisions, err := meter.Int64Counter("drawbridge.decisions",
		metric.WithUnit("{decision}"), metric.WithDescription("Decisions about calls."))
	faults.Join(err)
	duration, err := meter.Float64Histogram("drawbridge.decision.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of decisions about calls, verification of the token included."),
		metric.WithExplicitBucketBoundaries(bounds...))
	faults.Join(err)
	watch(meter, cfg.Verifiers, &faults)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return &Observer{
		tracer:         cfg.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		decisions:      decisions,
		duration:       duration,
		identity:       cfg.Identity,
		publicEndpoint: cfg.PublicEndpoint,
	}, nil
}

// ObserveDecision records a decision; see [drawbridge.Observer].
func (o *Observer) ObserveDecision(ctx context.Context, decision drawbridge.Decision) {
	set := o.sets.of(&decision)
	// The span comes first, so that exemplars of the metrics name it.
	ctx = o.trace(ctx, &decision, set)
	o.decisions.Add(ctx, 1, set.decisions...)
	if !decision.Start.IsZero() {
		o.duration.Record(ctx, decision.Duration.Seconds(), set.duration...)
	}
}
