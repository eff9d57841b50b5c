package verifier

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	// maxCachedToken keeps a single token from taking far more memory than
	// others. It also bounds the claims, which take many times their length in
	// the token if they are small objects.
	maxCachedToken = 4 << 10
	// hashedTail is the number of bytes at the end of a token that are hashed.
	// They belong to the signature, which differs in every token.
	hashedTail = 32
	// minBuckets is the size of the first table.
	minBuckets = 64
)

// An entry holds the facts of a verified token, and the epoch of its source in
// which it was verified. It is immutable.
type entry struct {
	info   *token.Info
	source source
	epoch  uint64
}

// valid reports whether the token need not be verified again.
func (e *entry) valid(now time.Time) bool {
	return !e.info.Expired(now) && e.source.holds(e.epoch, now)
}

// A cache remembers verified tokens. It holds facts, never decisions, and only
// tokens that an issuer signed, so a flood of forged tokens evicts nothing and
// cannot choose what collides.
//
// The key is the token, compared in full. There are two generations: new and
// recently used entries are in the young one. When that is full it becomes the
// old one, and the previous old one is dropped. A hit in the young generation
// takes no lock and no memory. A nil cache remembers nothing.
type cache struct {
	limit int // entries in a generation
	seed  maphash.Seed

	mu    sync.Mutex // guards writing
	young atomic.Pointer[generation]
	old   atomic.Pointer[generation]
}

// newCache returns a cache of at most size entries, or of two if size is less.
func newCache(size int) *cache {
	c := &cache{limit: max(1, size/2), seed: maphash.MakeSeed()}
	c.young.Store(newGeneration(minBuckets))
	c.old.Store(newGeneration(1))
	return c
}

// get returns nil for an unknown token.
func (c *cache) get(raw string) *entry {
	if c == nil {
		return nil
	}
	hash := c.hash(raw)
	if n := c.young.Load().find(hash, raw); n != nil {
		return &n.entry
	}
	n := c.old.Load().find(hash, raw)
	if n == nil {
		return nil
	}
	c.insert(hash, n.raw, n.entry)
	return &n.entry
}

// put remembers a token that was verified.
func (c *cache) put(raw string, e *entry) {
	if c == nil || len(raw) > maxCachedToken {
		return
	}
	// The token may be a part of a much longer string, such as a header block.
	c.insert(c.hash(raw), strings.Clone(raw), *e)
}

// entries returns the number of entries in both generations. One that was used
// again after its generation became the old one counts twice.
func (c *cache) entries() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.young.Load().size + c.old.Load().size
}

func (c *cache) hash(raw string) uint64 {
	return maphash.String(c.seed, raw[max(0, len(raw)-hashedTail):])
}

func (c *cache) insert(hash uint64, raw string, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	young := c.young.Load()
	switch {
	case young.size >= c.limit:
		c.old.Store(young)
		young = newGeneration(len(young.buckets))
		c.young.Store(young)
	case young.size >= len(young.buckets):
		young = young.doubled()
		c.young.Store(young)
	}
	young.insert(hash, raw, e)
}

// A generation is a hash table. Readers need no lock: a bucket is the head of a
// list of immutable nodes, and a writer replaces the head. The number of
// buckets is a power of two.
type generation struct {
	buckets []atomic.Pointer[node]
	size    int // guarded by cache.mu
}

type node struct {
	hash uint64
	raw  string
	next *node

	entry entry
}

func newGeneration(buckets int) *generation {
	return &generation{buckets: make([]atomic.Pointer[node], buckets)}
}

func (g *generation) bucket(hash uint64) *atomic.Pointer[node] {
	return &g.buckets[hash&(uint64(len(g.buckets))-1)]
}

func (g *generation) find(hash uint64, raw string) *node {
	for n := g.bucket(hash).Load(); n != nil; n = n.next {
		if n.hash == hash && n.raw == raw {
			return n
		}
	}
	return nil
}

// insert adds a token, or replaces its entry. The caller holds cache.mu.
func (g *generation) insert(hash uint64, raw string, e entry) {
	others := g.bucket(hash).Load()
	if known := g.find(hash, raw); known != nil {
		others = others.without(known)
	} else {
		g.size++
	}
	g.bucket(hash).Store(&node{hash: hash, raw: raw, entry: e, next: others})
}

// without returns the list n less one of its nodes. The nodes in front of that
// one are copied, because a reader may be using them.
func (n *node) without(removed *node) *node {
	if n == removed {
		return n.next
	}
	clone := *n
	clone.next = n.next.without(removed)
	return &clone
}

// doubled returns a generation with the same entries in twice as many buckets.
func (g *generation) doubled() *generation {
	bigger := newGeneration(2 * len(g.buckets))
	for i := range g.buckets {
		for n := g.buckets[i].Load(); n != nil; n = n.next {
			bigger.insert(n.hash, n.raw, n.entry)
		}
	}
	return bigger
}
