package proof_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// TestMemoryStore: a record is one for a key and an id, until it expires
// (R9449-11.1).
func TestMemoryStore(t *testing.T) {
	t.Parallel()
	clock := newStoppedClock()
	store := newStore(t, proof.MemoryStoreConfig{}, clock.Now)
	until := clock.Now().Add(time.Minute)
	for _, row := range []struct {
		key, id string
		want    error
	}{
		{"a", "b", nil}, {"a", "b", proof.ErrUsed}, {"b", "b", nil}, {"a", "a", nil}, {"ab", "", nil}, {"", "ab", nil}, {"", "", nil}, {"a", "b", proof.ErrUsed},
	} {
		if err := store.Consume(t.Context(), row.key, row.id, until); !errors.Is(err, row.want) || row.want == nil && err != nil {
			t.Errorf("%q %q: got %v, want %v", row.key, row.id, err, row.want)
		}
	}
	clock.Advance(time.Minute)
	if err := store.Consume(t.Context(), "a", "b", until); !errors.Is(err, proof.ErrUsed) {
		t.Errorf("at the last instant: got %v", err)
	}
	clock.Advance(1)
	if err := store.Consume(t.Context(), "a", "b", until); err == nil || errors.Is(err, proof.ErrUsed) {
		t.Errorf("R9449-11.1 after it: got %v", err)
	}
	if err := store.Consume(t.Context(), "a", "b", clock.Now()); err != nil {
		t.Errorf("after it, with a later end: got %v", err)
	}
	for range 3 { // Each is the only one, and drops the last.
		clock.Advance(time.Second)
		if err := store.Consume(t.Context(), "a", "c", clock.Now()); err != nil {
			t.Errorf("a second later: got %v", err)
		}
		if records, keys := store.Records(); records != 1 || keys != 1 {
			t.Errorf("%d records of %d keys", records, keys)
		}
	}
}

// TestMemoryStoreBounds: neither bound evicts a record, and space is free when
// records have expired, in whichever order they were added.
func TestMemoryStoreBounds(t *testing.T) {
	t.Parallel()
	clock := newStoppedClock()
	store := newStore(t, proof.MemoryStoreConfig{Capacity: 100, KeyCapacity: 40}, clock.Now)
	var n int
	consume := func(key string, lifetime time.Duration, want string) {
		t.Helper()
		n++
		err := store.Consume(t.Context(), key, strconv.Itoa(n), clock.Now().Add(lifetime))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, proof.ErrUsed)) {
			t.Fatalf("number %d: got %v, want %q", n, err, want)
		}
	}
	for _, i := range rand.Perm(40) {
		consume("a", time.Duration(i)*time.Second, "")
	}
	consume("a", time.Second, "too many proofs of this key")
	for _, i := range rand.Perm(40) {
		consume("b", time.Hour+time.Duration(i), "")
	}
	for range 20 {
		consume("c", time.Minute, "")
	}
	consume("d", time.Hour, "the memory is full")
	consume("a", time.Hour, "too many proofs of this key")
	for i := range 40 {
		if err := store.Consume(t.Context(), "a", strconv.Itoa(1+i), clock.Now()); !errors.Is(err, proof.ErrUsed) {
			t.Fatalf("a record was evicted: %v", err)
		}
	}
	// More have expired than a call removes on its way.
	clock.Advance(30 * time.Second)
	for range 30 {
		consume("a", time.Hour, "")
	}
	consume("d", time.Hour, "the memory is full")
	clock.Advance(10 * time.Second)
	for range 10 {
		consume("a", time.Hour, "")
	}
	consume("a", time.Hour, "too many proofs of this key")
	if records, keys := store.Records(); records != 100 || keys != 3 {
		t.Errorf("%d records of %d keys", records, keys)
	}
	clock.Advance(30 * time.Second)
	consume("d", time.Hour, "")
	clock.Advance(2 * time.Hour)
	consume("e", time.Hour, "")
	if records, keys := store.Records(); records != 1 || keys != 1 {
		t.Errorf("%d records of %d keys", records, keys)
	}
}

// TestMemoryStoreBacklog: however many records have expired since the last call,
// none of them refuses a proof.
func TestMemoryStoreBacklog(t *testing.T) {
	t.Parallel()
	clock := newStoppedClock()
	store := newStore(t, proof.MemoryStoreConfig{Capacity: 2001, KeyCapacity: 1000}, clock.Now)
	consume := func(key string, i int, lifetime time.Duration) {
		t.Helper()
		if err := store.Consume(t.Context(), key, strconv.Itoa(i), clock.Now().Add(lifetime)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		consume("a", i, time.Second)
		consume("b", i, 2*time.Second)
	}
	consume("c", 0, time.Hour)
	clock.Advance(3 * time.Second)
	consume("b", 1000, time.Hour)
	if records, keys := store.Records(); records != 2 || keys != 2 {
		t.Errorf("%d records of %d keys", records, keys)
	}
}

// TestMemoryStoreModel compares a store with a simple one.
func TestMemoryStoreModel(t *testing.T) {
	t.Parallel()
	clock := newStoppedClock()
	store := newStore(t, proof.MemoryStoreConfig{Capacity: 1000, KeyCapacity: 300}, clock.Now)
	random := rand.New(rand.NewPCG(1, 2))
	model := make(map[string]time.Time)
	for range 20_000 {
		clock.Advance(time.Duration(random.IntN(100)) * time.Millisecond)
		key, id := fmt.Sprint("k", random.IntN(20)), fmt.Sprint("i", random.IntN(60))
		until := clock.Now().Add(time.Duration(random.IntN(40_000)) * time.Millisecond)
		err := store.Consume(t.Context(), key, id, until)
		known, ok := model[key+id]
		isUsed := ok && !known.Before(clock.Now())
		// A record may be removed later than it expires, and not before.
		if isUsed && !errors.Is(err, proof.ErrUsed) || !ok && err != nil {
			t.Fatalf("%s %s: got %v", key, id, err)
		}
		if err == nil {
			model[key+id] = until
		}
	}
}

// TestMemoryStoreIsFlat: in steady traffic the records are those that have not
// expired, and the memory does not grow.
func TestMemoryStoreIsFlat(t *testing.T) {
	clock := newStoppedClock()
	store := newStore(t, proof.MemoryStoreConfig{Capacity: 20_000, KeyCapacity: 2_000}, clock.Now)
	n := 0
	minute := func() (size uint64) {
		for range 10_000 {
			n++
			clock.Advance(time.Minute / 10_000)
			if err := store.Consume(t.Context(), strconv.Itoa(n/100), strconv.Itoa(n), clock.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	minute()
	before := minute()
	for range 20 {
		minute()
		if records, keys := store.Records(); records < 9_990 || records > 10_010 || keys < 99 || keys > 102 {
			t.Fatalf("%d records of %d keys", records, keys)
		}
	}
	if after := minute(); after > before+before/2 {
		t.Errorf("%d bytes, after %d", after, before)
	}
}

// TestMemoryStoreRace: of 1,000 callers with the same proof, one uses it.
func TestMemoryStoreRace(t *testing.T) {
	t.Parallel()
	store, err := proof.NewMemoryStore(proof.MemoryStoreConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const proofs = 10
	var used [proofs]atomic.Int64
	var group sync.WaitGroup
	until := time.Now().Add(time.Hour)
	for i := range 1000 {
		group.Go(func() {
			for j := range proofs {
				switch err := store.Consume(t.Context(), strconv.Itoa(j%3), strconv.Itoa(j), until); {
				case err == nil:
					used[j].Add(1)
				case !errors.Is(err, proof.ErrUsed):
					t.Error(err)
				}
			}
			if err := store.Consume(t.Context(), "own", strconv.Itoa(i), until); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for j := range used {
		if n := used[j].Load(); n != 1 {
			t.Errorf("proof %d was used %d times", j, n)
		}
	}
	if records, keys := store.Records(); records != 1000+proofs || keys != 4 {
		t.Errorf("%d records of %d keys", records, keys)
	}
}
