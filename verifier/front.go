package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// A source verifies the tokens of one issuer.
type source interface {
	// verify judges a token. Errors unwrap to a sentinel of package token.
	verify(ctx context.Context, p presented) (*entry, error)
	// holds reports whether a token that was verified in an epoch of the source
	// needs no other look at the given time. Each source has its own epochs. It
	// neither waits nor allocates.
	holds(epoch uint64, now time.Time) bool
	// statistics returns the counts of the source.
	statistics() *counts
}

// A presented is a token as it arrived.
type presented struct {
	raw     string
	arrived time.Time
	// known is the cached entry of the token if it has one that is no longer valid.
	// A source may return it again.
	known *entry
	// segments and period are those of a JWS. The period is not believed yet.
	segments jwt.Compact
	period   jwt.Period
}

// A front bounds the length of tokens, answers for those that are known, and
// hands the others to the source that they belong to.
type front struct {
	router   router
	cache    *cache // nil if nothing is cached
	cutoffs  *cutoffs
	now      func() time.Time
	unrouted counts // of tokens that belong to no source
}

// verify returns the facts of a valid token; see [Verifier.VerifyToken].
func (f *front) verify(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
	if len(raw) > token.MaxLength {
		f.unrouted.invalid.Add(1)
		return nil, invalid(fmt.Errorf("longer than %d bytes", token.MaxLength))
	}
	now := f.now()
	known := f.cache.get(raw)
	if known != nil && known.valid(now) {
		return f.hit(known, now)
	}
	p := presented{raw: raw, arrived: now, known: known}
	source, err := f.router.route(&p)
	if err == nil {
		return f.ask(ctx, source, raw, p)
	}
	opaque, choice := f.router.introspectorOf(resource)
	if choice != nil {
		err = unavailable(choice)
	}
	if opaque == nil {
		f.unrouted.misses.Add(1)
		f.unrouted.result(err)
		return nil, err
	}
	var buffer digest
	key := opaque.digest(&buffer, raw)
	if p.known = f.cache.get(string(key)); p.known != nil && p.known.valid(now) {
		return f.hit(p.known, now)
	}
	return f.ask(ctx, opaque, "", p)
}

// hit returns the facts of a token that is known.
func (f *front) hit(known *entry, now time.Time) (*token.Info, error) {
	counts := known.source.statistics()
	if f.cutoffs.refuses(known.info) {
		counts.invalid.Add(1)
		return nil, invalid(errCutOff)
	}
	counts.hits.add(now)
	return known.info, nil
}

// ask verifies a token that the cache does not answer for, and remembers it under
// a key. Without a key the source does.
func (f *front) ask(ctx context.Context, source source, key string, p presented) (*token.Info, error) {
	counts := source.statistics()
	counts.misses.Add(1)
	verified, err := source.verify(ctx, p)
	if err == nil && f.cutoffs.refuses(verified.info) {
		err = invalid(errCutOff)
	}
	counts.result(err)
	if err != nil {
		return nil, err
	}
	if key != "" && verified != p.known {
		f.cache.put(key, verified)
	}
	return verified.info, nil
}

// errNoResource means that it cannot be told which of several servers to ask.
var errNoResource = errors.New("several authorization servers could be asked about the token, and no resource says which")
