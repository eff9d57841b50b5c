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
	var counts []token.Stats
	var entries uint64
	rest := token.Stats{} // of the tokens that belong to no issuer
	for _, f := range v.stats {
		all := f()
		entries += all.CacheEntries
		counts = append(counts, all.Issuers...)
		add(&rest, remainder(all))
	}
	o.ObserveInt64(v.entries, clamp(entries))
	for _, stats := range append(counts, rest) {
		observe := func(counter metric.Int64Observable, count uint64, attributes ...attribute.KeyValue) {
			if stats.Issuer != "" {
				attributes = append(attributes, issuerKey.String(stats.Issuer))
			}
			o.ObserveInt64(counter, clamp(count), metric.WithAttributes(attributes...))
		}
		observe(v.verifications, stats.Valid)
		observe(v.verifications, stats.Invalid, invalid)
		observe(v.verifications, stats.Unavailable, unavailable)
		observe(v.fetches, stats.KeySetFetches)
		observe(v.fetches, stats.KeySetFailures, unavailable)
		observe(v.lookups, stats.CacheHits, outcomeKey.String("hit"))
		observe(v.lookups, stats.CacheMisses, outcomeKey.String("miss"))
	}
	return nil
}

// fields returns the counts that issuers have.
func fields(s *token.Stats) [7]*uint64 {
	return [...]*uint64{&s.Valid, &s.Invalid, &s.Unavailable, &s.KeySetFetches, &s.KeySetFailures, &s.CacheHits, &s.CacheMisses}
}

// add adds counts to a sum.
func add(sum *token.Stats, stats token.Stats) {
	for i, count := range fields(&stats) {
		*fields(sum)[i] += *count
	}
}

// remainder returns the counts of the tokens that belong to no issuer.
func remainder(all token.Stats) token.Stats {
	rest := all
	for _, stats := range all.Issuers {
		for i, count := range fields(&stats) {
			// The counts are not read at one instant, so a part may exceed the sum.
			*fields(&rest)[i] -= min(*fields(&rest)[i], *count)
		}
	}
	return token.Stats{
		Valid: rest.Valid, Invalid: rest.Invalid, Unavailable: rest.Unavailable, KeySetFetches: rest.KeySetFetches,
		KeySetFailures: rest.KeySetFailures, CacheHits: rest.CacheHits, CacheMisses: rest.CacheMisses,
	}
}

func clamp(count uint64) int64 { return int64(min(count, math.MaxInt64)) }
