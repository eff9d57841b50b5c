package authzen

import (
	"sync"
	"time"
)

// A cache remembers answers. It has two generations: when the young one is full, it becomes
// the old one, and the previous old one is dropped. It is safe for concurrent use. A nil cache
// remembers nothing.
type cache struct {
	limit int // answers in a generation

	mu         sync.Mutex
	young, old map[digest]answer
}

// An answer is a decision, and the instant from which it is not used.
type answer struct {
	allowed bool
	until   time.Time
}

// newCache returns a cache of at most size answers, or of two if size is 1, or nil.
func newCache(size int) *cache {
	if size < 0 {
		return nil
	}
	return &cache{limit: max(1, size/2), young: make(map[digest]answer)}
}

func (c *cache) get(key digest, now time.Time) (allowed, ok bool) {
	if c == nil {
		return false, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found, isYoung := c.young[key]
	if !isYoung {
		found = c.old[key]
	}
	if !now.Before(found.until) {
		return false, false
	}
	if !isYoung {
		c.insert(key, found)
	}
	return found.allowed, true
}

func (c *cache) put(key digest, allowed bool, until time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(key, answer{allowed, until})
}

// insert is called with the lock.
func (c *cache) insert(key digest, a answer) {
	if _, ok := c.young[key]; !ok && len(c.young) >= c.limit {
		c.young, c.old = make(map[digest]answer), c.young
	}
	c.young[key] = a
}
