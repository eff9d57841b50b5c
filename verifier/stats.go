package verifier

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// Stats returns the counts at the moment, with those of each issuer: first
// those of JWTs, then patterns of tenants, then those with introspection, each in the
// order of the configuration. It may be called at any time, and takes no lock
// that a call of VerifyToken with a known token waits for. The counts are read one
// after the other, so they may differ by the calls in between.
func (v *Verifier) Stats() token.Stats {
	r := &v.front.router
	var all token.Stats
	add := func(issuer string, counts *counts, sets ...*keySet) {
		stats := token.Stats{Issuer: issuer}
		counts.addTo(&stats, v.front.cache != nil)
		for _, s := range sets {
			stats.KeySetFetches += s.fetches.Load()
			stats.KeySetFailures += s.failures.Load()
		}
		all.Valid += stats.Valid
		all.Invalid += stats.Invalid
		all.Unavailable += stats.Unavailable
		all.KeySetFetches += stats.KeySetFetches
		all.KeySetFailures += stats.KeySetFailures
		all.CacheHits += stats.CacheHits
		all.CacheMisses += stats.CacheMisses
		if issuer != "" {
			all.Issuers = append(all.Issuers, stats)
		}
	}
	add("", &v.front.unrouted)
	for _, i := range r.issuers {
		add(i.claims.issuer, i.counts, i.keys)
	}
	for _, t := range r.tenants {
		add(t.config.Issuer, t.counts, t.sets()...)
	}
	for _, i := range r.introspectors {
		add(i.issuer, i.counts)
	}
	if cache := v.front.cache; cache != nil {
		all.CacheEntries = uint64(cache.entries()) //nolint:gosec // A size is not negative.
	}
	return all
}

// counts are those of a source.
type counts struct {
	hits                                   spreadCounter
	misses, verified, invalid, unavailable atomic.Uint64
}

// addTo adds c to statistics.
func (c *counts) addTo(stats *token.Stats, isCached bool) {
	stats.CacheHits = c.hits.sum()
	stats.Valid = stats.CacheHits + c.verified.Load()
	stats.Invalid = c.invalid.Load()
	stats.Unavailable = c.unavailable.Load()
	if isCached {
		stats.CacheMisses = c.misses.Load()
	}
}

// result counts a token that was verified, or refused with an error.
func (c *counts) result(err error) {
	switch {
	case err == nil:
		c.verified.Add(1)
	case errors.Is(err, token.ErrInvalid):
		c.invalid.Add(1)
	default:
		c.unavailable.Add(1)
	}
}

// A spreadCounter is a counter for what happens on all processors at once. It is
// spread over several cache lines, so that they do not wait for each other.
type spreadCounter [16]struct {
	atomic.Uint64

	_ [120]byte // two lines, because processors fetch pairs of them
}

// add counts one event. The time chooses the line, because it differs between
// processors even if they see the same token.
func (c *spreadCounter) add(now time.Time) {
	c[now.Nanosecond()>>6%len(c)].Add(1)
}

func (c *spreadCounter) sum() (total uint64) {
	for i := range c {
		total += c[i].Load()
	}
	return total
}
