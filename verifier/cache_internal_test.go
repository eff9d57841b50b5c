package verifier

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// factsOf returns an entry whose facts show which token it belongs to.
func factsOf(raw string) *entry { return &entry{info: &token.Info{Subject: raw}} }

// finds checks which of the tokens a generation has, with the right facts.
func (g *generation) finds(t *testing.T, hash uint64, raw string, want bool) {
	t.Helper()
	n := g.find(hash, raw)
	if (n != nil) != want {
		t.Errorf("%q: found is %v, want %v", raw, n != nil, want)
	}
	if n != nil && (n.raw != raw || n.entry.info.Subject != raw) {
		t.Errorf("%q: got the entry of %q", raw, n.entry.info.Subject)
	}
}

// nodes counts the nodes, which take the memory.
func (g *generation) nodes() (count int) {
	for i := range g.buckets {
		for n := g.buckets[i].Load(); n != nil; n = n.next {
			count++
		}
	}
	return count
}

// TestCollisions stores tokens that have the same hash, and others in the same
// bucket. The token itself distinguishes them.
func TestCollisions(t *testing.T) {
	const hash = 7
	tokens := []string{"a", "b", "c", "d"}
	for replaced := range tokens {
		g := newGeneration(4)
		for _, raw := range tokens {
			g.insert(hash, raw, *factsOf(raw))
		}
		g.insert(hash+4, "a", *factsOf("a")) // another hash, the same bucket
		g.finds(t, hash, "e", false)
		g.finds(t, hash+4, "b", false)
		g.finds(t, hash+8, "a", false)

		again := factsOf(tokens[replaced])
		g.insert(hash, tokens[replaced], *again)
		for _, raw := range tokens {
			g.finds(t, hash, raw, true)
		}
		g.finds(t, hash+4, "a", true)
		if got := g.find(hash, tokens[replaced]).entry.info; got != again.info {
			t.Errorf("%q was not replaced", tokens[replaced])
		}
		if n := g.nodes(); n != len(tokens)+1 || g.size != n {
			t.Errorf("%d nodes and a size of %d, want %d", n, g.size, len(tokens)+1)
		}

		bigger := g.doubled()
		for _, raw := range tokens {
			bigger.finds(t, hash, raw, true)
		}
		bigger.finds(t, hash+4, "a", true)
		if bigger.size != g.size || bigger.nodes() != g.size || len(bigger.buckets) != 8 {
			t.Errorf("doubled: %d entries in %d buckets", bigger.size, len(bigger.buckets))
		}
	}
}

// TestCacheOfTokensWithOneEnd stores tokens that agree in all hashed bytes.
func TestCacheOfTokensWithOneEnd(t *testing.T) {
	c := newCache(100)
	end := strings.Repeat("x", hashedTail)
	tokens := []string{"a" + end, "b" + end, "ab" + end, end, end[1:], "x", ""}
	for _, raw := range tokens {
		if c.get(raw) != nil {
			t.Errorf("%q is known already", raw)
		}
		c.put(raw, factsOf(raw))
	}
	for _, raw := range tokens {
		if e := c.get(raw); e == nil || e.info.Subject != raw {
			t.Errorf("%q: got %v", raw, e)
		}
	}
	if c.get("c"+end) != nil {
		t.Error("an unknown token was found by its end")
	}
}

// TestCacheTakesShortTokens proves the length up to which tokens are remembered.
func TestCacheTakesShortTokens(t *testing.T) {
	c := newCache(100)
	for length, want := range map[int]bool{maxCachedToken: true, maxCachedToken + 1: false} {
		raw := strings.Repeat("x", length)
		c.put(raw, factsOf(raw))
		if got := c.get(raw) != nil; got != want {
			t.Errorf("%d bytes: remembered is %v", length, got)
		}
	}
}

// TestCacheGrows proves that the table grows with the entries and loses none.
func TestCacheGrows(t *testing.T) {
	const size = 1000
	c := newCache(2 * size)
	if n := len(c.young.Load().buckets); n != minBuckets {
		t.Errorf("an empty cache has %d buckets", n)
	}
	name := func(i int) string { return fmt.Sprintf("token-%d", i) }
	for i := range size {
		c.put(name(i), factsOf(name(i)))
	}
	for i := range size {
		if e := c.get(name(i)); e == nil || e.info.Subject != name(i) {
			t.Errorf("token %d: got %v", i, e)
		}
	}
	if young := c.young.Load(); young.size != size || len(young.buckets) != 1024 {
		t.Errorf("%d entries in %d buckets", young.size, len(young.buckets))
	}
}

// TestCacheReadsWhileItIsWritten proves that readers get the right entry or
// none while entries are added and replaced, and tables grow and are dropped.
// It is meant for the race detector.
func TestCacheReadsWhileItIsWritten(t *testing.T) {
	c := newCache(400)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 2000 {
				raw := fmt.Sprintf("token-%d", i%500)
				if e := c.get(raw); e != nil && e.info.Subject != raw {
					t.Errorf("%q: got the entry of %q", raw, e.info.Subject)
				}
				c.put(raw, factsOf(raw))
			}
		})
	}
	group.Wait()
	if n := c.young.Load().nodes() + c.old.Load().nodes(); n > 400 {
		t.Errorf("%d tokens are remembered", n)
	}
}
