package verifier

import (
	"context"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// A source verifies the tokens of one issuer.
type source interface {
	// verify judges a token that arrived at the given time. known is the cached
	// entry of the token if it has one that is no longer valid; verify may
	// return it again. Errors unwrap to a sentinel of package token.
	verify(ctx context.Context, raw string, arrived time.Time, known *entry) (*entry, error)
	// holds reports whether tokens that were verified in an epoch of the source
	// need no other look at the given time. It neither waits nor allocates.
	holds(epoch uint64, now time.Time) bool
}

// A front bounds the length of tokens, answers for those that are known, and
// hands the others to the source.
type front struct {
	source source
	cache  *cache // nil if nothing is cached
	now    func() time.Time
	counts counts
}

// verify returns the facts of a valid token; see [JWT.VerifyToken].
func (f *front) verify(ctx context.Context, raw string) (*token.Info, error) {
	if len(raw) > token.MaxLength {
		f.counts.invalid.Add(1)
		return nil, invalid(fmt.Errorf("longer than %d bytes", token.MaxLength))
	}
	now := f.now()
	known := f.cache.get(raw)
	if known != nil && known.valid(now) {
		f.counts.hits.add(now)
		return known.info, nil
	}
	f.counts.misses.Add(1)
	verified, err := f.sourceOf(known).verify(ctx, raw, now, known)
	f.counts.result(err)
	if err != nil {
		return nil, err
	}
	if verified != known {
		f.cache.put(raw, verified)
	}
	return verified.info, nil
}

// sourceOf returns the source that verifies a token. A known token stays with
// the source that verified it.
func (f *front) sourceOf(known *entry) source {
	if known != nil {
		return known.source
	}
	return f.source
}
