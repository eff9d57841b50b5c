package otel

import (
	"context"
	"fmt"
	"math"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// verifiers are instruments that ask verifiers for their counts.
type verifiers struct {
	stats                           []func() token.Stats
	verifications, fetches, lookups metric.Int64ObservableCounter
	entries                         metric.Int64ObservableUpDownCounter
}

// watch makes the metrics of verifiers. They are asked whenever the metrics are
// collected, for as long as the meter lives.
func watch(meter metric.Meter, stats []func() token.Stats, faults *fault.List) {
	for i, f := range stats {
		if f == nil {
			faults.Add(fmt.Sprintf("Verifiers[%d]", i), "", "is nil", "")
		}
	}
	if len(stats) == 0 || faults.Len() > 0 {
		return
	}
	counter := func(name, unit, description string) metric.Int64ObservableCounter {
		counter, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		faults.Join(err)
		return counter
	}
	v := &verifiers{
		stats:         slices.Clone(stats),
		verifications: counter("drawbridge.verifications", "{verification}", "Verifications of tokens, the cached ones included."),
		fetches:       counter("drawbridge.key_set.fetches", "{fetch}", "Fetches of the key set of an issuer."),
		lookups:       counter("drawbridge.token_cache.lookups", "{lookup}", "Tokens that were looked up in the cache."),
	}
	var err error
	v.entries, err = meter.Int64ObservableUpDownCounter("drawbridge.token_cache.entries",
		metric.WithUnit("{entry}"), metric.WithDescription("Tokens in the cache."))
	faults.Join(err)
	if faults.Len() > 0 {
		return
	}
	_, err = meter.RegisterCallback(v.observe, v.verifications, v.fetches, v.lookups, v.entries)
	faults.Join(err)
}

// observe is a [metric.Callback].
func (v *verifiers) observe(_ context.Context, o metric.Observer) error {
	invalid := semconv.ErrorTypeKey.String(challenge.ReasonInvalidToken.String())
	unavailable := semconv.ErrorTypeKey.String(challenge.ReasonUnavailable.String())
	for _, f := range v.stats {
		stats := f()
		observe := func(counter metric.Int64Observable, count uint64, attributes ...attribute.KeyValue) {
			attributes = append(attributes, issuerKey.String(stats.Issuer))
			o.ObserveInt64(counter, int64(min(count, math.MaxInt64)), metric.WithAttributes(attributes...))
		}
		observe(v.verifications, stats.Valid)
		observe(v.verifications, stats.Invalid, invalid)
		observe(v.verifications, stats.Unavailable, unavailable)
		observe(v.fetches, stats.KeySetFetches)
		observe(v.fetches, stats.KeySetFailures, unavailable)
		observe(v.lookups, stats.CacheHits, outcomeKey.String("hit"))
		observe(v.lookups, stats.CacheMisses, outcomeKey.String("miss"))
		observe(v.entries, stats.CacheEntries)
	}
	return nil
}
