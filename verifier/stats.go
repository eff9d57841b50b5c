package verifier

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// Stats are counts of what a verifier has done since it was made, for metrics.
// All but CacheEntries only grow.
type Stats struct {
	// Issuer is the issuer of the tokens and of the key set.
	Issuer string
	// Valid, Invalid and Unavailable count the calls of VerifyToken by their
	// result: facts, [token.ErrInvalid] and [token.ErrUnavailable]. Valid includes
	// the calls that the cache answered.
	Valid, Invalid, Unavailable uint64
	// KeySetFetches and KeySetFailures count the fetches of the key set that have
	// ended, with usable keys and without.
	KeySetFetches, KeySetFailures uint64
	// CacheHits and CacheMisses count the tokens that the cache answered, and those
	// that it did not, forged ones included. Both are zero without a cache.
	CacheHits, CacheMisses uint64
	// CacheEntries is the number of entries in the cache at the moment. It is at
	// most JWTConfig.CacheSize, or two if that is less.
	CacheEntries uint64
}

// Stats returns the counts at the moment. It may be called at any time, and takes
// no lock that a call of VerifyToken with a known token waits for. The counts are
// read one after the other, so they may differ by the calls in between.
func (v *JWT) Stats() Stats {
	counts, keys := &v.front.counts, v.issuer.keys
	stats := Stats{
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
