package verifier

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// maxCachedToken keeps single tokens from taking far more memory than others. It
// bounds the claims too, which take up to ten times their length in the token
// when they are many small values.
const maxCachedToken = 4 << 10

// A cache remembers verified tokens. It holds facts, never decisions, and only
// tokens that somebody had the issuer sign, so that nobody can push others out
// with rubbish.
//
// The key is the token itself, compared in full. There are two generations:
// new entries and those in use go into the young one, and when that is full it
// becomes the old one, and what was old is forgotten. A hit takes no lock and
// no memory. A nil cache remembers nothing.
//
// Whether an entry still holds is for the caller to judge, by its expiry and
// its epoch.
type cache struct {
	limit int // entries in a generation

	mu    sync.Mutex // guards writing
	young atomic.Pointer[generation]
	old   atomic.Pointer[generation]
}

type generation struct {
	entries sync.Map // token → *entry
	size    int      // guarded by cache.mu
}

// An entry holds the facts of a token, and the epoch of the keys that it was
// verified with.
type entry struct {
	info  *interceptor.TokenInfo
	epoch uint64
}

// newCache returns a cache that holds at most size entries, or two if that is
// more.
func newCache(size int) *cache {
	c := &cache{limit: max(1, size/2)}
	c.young.Store(new(generation))
	c.old.Store(new(generation))
	return c
}

// get returns nil for a token that is not known.
func (c *cache) get(token string) *entry {
	if c == nil {
		return nil
	}
	if e := c.young.Load().get(token); e != nil {
		return e
	}
	e := c.old.Load().get(token)
	if e != nil {
		c.put(token, e)
	}
	return e
}

// put remembers a token that was verified.
func (c *cache) put(token string, e *entry) {
	if c == nil || len(token) > maxCachedToken {
		return
	}
	// The token may be a part of a much longer string, such as a header block.
	token = strings.Clone(token)
	c.mu.Lock()
	defer c.mu.Unlock()
	young := c.young.Load()
	if young.size >= c.limit {
		c.old.Store(young)
		young = new(generation)
		c.young.Store(young)
	}
	if _, known := young.entries.Swap(token, e); !known {
		young.size++
	}
}

func (g *generation) get(token string) *entry {
	v, _ := g.entries.Load(token)
	e, _ := v.(*entry) // nil if there is none
	return e
}
