package cel

import (
	"runtime"
	"sync"
	"weak"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A cacheKey is what a program depends on. Two versions of one message have
// descriptors of their own.
type cacheKey struct {
	text    string
	request protoreflect.MessageDescriptor
}

// A cache holds programs weakly: an entry goes when the last condition that uses the
// program is gone, and so does all that its key refers to.
type cache struct {
	mu       sync.Mutex
	programs map[cacheKey]weak.Pointer[program]
}

func newCache() *cache { return &cache{programs: make(map[cacheKey]weak.Pointer[program])} }

// load returns the program of a key, or nil.
func (c *cache) load(key cacheKey) *program {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.programs[key].Value()
}

func (c *cache) store(key cacheKey, p *program) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.programs[key] = weak.Make(p)
	runtime.AddCleanup(p, c.drop, key)
}

// drop removes the entry of a program that is gone, unless another one has its place.
func (c *cache) drop(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pointer, ok := c.programs[key]; ok && pointer.Value() == nil {
		delete(c.programs, key)
	}
}

func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.programs)
}
