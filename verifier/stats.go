package verifier

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// Stats returns the counts at the moment. It may be called at any time, and takes
// no lock that a call of VerifyToken with a known token waits for. The counts are
// read one after the other, so they may differ by the calls in between.
func (v *JWT) Stats() token.Stats {
	counts, keys := &v.front.counts, v.issuer.keys
	stats := token.Stats{
		Issuer:         v.issuer.claims.issuer,
		Invalid:        counts.invalid.Load(),
		Unavailable:    counts.unavailable.Load(),
		KeySetFetches:  keys.fetches.Load(),
		KeySetFailures: keys.failures.Load(),
		CacheHits:      counts.hits.sum(),
	}
	stats.Valid = stats.CacheHits + counts.verified.Load()
	if cache := v.front.cache; cache != nil {
		stats.CacheMisses = counts.misses.Load()
		stats.CacheEntries = uint64(cache.entries()) //nolint:gosec // A size is not negative.
	}
	return stats
}

// counts are those of a front.
type counts struct {
	hits                                   spreadCounter
	misses, verified, invalid, unavailable atomic.Uint64
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
