package proof

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

const (
	defaultCapacity    = 500_000
	defaultKeyCapacity = 10_000
	// expiredPerCall is the number of expired records that a call removes: more than
	// the one that it adds, and few enough to be fast.
	expiredPerCall = 8
)

// The errors of a MemoryStore that cannot record a proof.
var (
	errStoreFull = errors.New("the memory is full")
	errKeyFull   = errors.New("there are too many proofs of this key")
	errLate      = errors.New("the record may have been removed already")
)

// MemoryStoreConfig configures a [MemoryStore]. The zero value is usable.
type MemoryStoreConfig struct {
	// Capacity is the maximum number of records, in about a hundred bytes each.
	// With the default Lifetime and Leeway of a [DPoPConfig], a record is held for
	// about two and a half minutes. Zero means 500,000, which suffices for 3,000
	// requests a second.
	Capacity int
	// KeyCapacity is the maximum number of records with the same key. It must be
	// less than Capacity, so that one client cannot lock out all others. Zero means
	// 10,000, which suffices for 60 requests a second, or a tenth of Capacity if
	// that is less.
	KeyCapacity int
}

// validate reports all faults of the configuration.
func (c MemoryStoreConfig) validate() error {
	faults := fault.List{Within: "proof: MemoryStoreConfig."}
	if c.Capacity < 0 || c.Capacity == 1 {
		faults.Add("Capacity", "", fmt.Sprintf("is %d", c.Capacity), "use at least 2, or 0 for the default")
	}
	if c.KeyCapacity < 0 {
		faults.Add("KeyCapacity", "", fmt.Sprintf("is %d", c.KeyCapacity), "use at least 1, or 0 for the default")
	}
	if c = c.withDefaults(); c.KeyCapacity >= c.Capacity && faults.Len() == 0 {
		faults.Add("KeyCapacity", "", fmt.Sprintf("is %d, not less than the Capacity of %d", c.KeyCapacity, c.Capacity),
			"one client could use all of it")
	}
	return faults.Err()
}

func (c MemoryStoreConfig) withDefaults() MemoryStoreConfig {
	if c.Capacity == 0 {
		c.Capacity = defaultCapacity
	}
	if c.KeyCapacity == 0 {
		c.KeyCapacity = min(defaultKeyCapacity, max(1, c.Capacity/10))
	}
	return c
}

// A MemoryStore is a [Store] in the memory of one process. It is safe for concurrent
// use.
//
// It is bounded as a whole and for each key. When either bound is reached, it
// returns an error until a record expires, and removes nothing. A client that
// floods it with proofs of one key is thus refused alone, and others are served: to
// fill the store, a client needs access tokens bound to many different keys.
// Authorization servers that give tokens to anyone should bound their number.
//
// Memory grows with the number of records, and is released by the first call after
// all of them have expired. A process that is restarted has no records: the proofs
// that were used before are accepted once more, until they are too old. Where that
// matters, use a Store outside of the process, or nonces with new keys for each
// start.
type MemoryStore struct {
	capacity    int
	keyCapacity int
	now         func() time.Time

	mu     sync.Mutex
	used   map[recordHash]struct{}
	keys   map[recordHash]int // the number of records
	queue  expiryQueue
	latest int64 // the last record expires after it, in nanoseconds since 1970
}

// A recordHash is a truncated hash of a key, or of a key and an id. The maps and
// the queue have no pointers, so the garbage collector passes over them.
type recordHash [16]byte

// NewMemoryStore returns an empty MemoryStore. If the configuration has faults, the
// error reports all of them; see package fault.
func NewMemoryStore(config MemoryStoreConfig) (*MemoryStore, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	return newMemoryStore(config, time.Now), nil
}

func newMemoryStore(config MemoryStoreConfig, now func() time.Time) *MemoryStore {
	config = config.withDefaults()
	s := &MemoryStore{capacity: config.Capacity, keyCapacity: config.KeyCapacity, now: now}
	s.reset()
	return s
}

// Consume implements [Store]. It does not wait for anything but its lock, and
// ignores ctx.
func (s *MemoryStore) Consume(_ context.Context, key, id string, until time.Time) error {
	r := newRecord(key, id, until)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now().UnixNano()
	s.expire(now, expiredPerCall)
	if _, used := s.used[r.id]; used {
		return ErrUsed
	}
	if r.until < now {
		return errLate
	}
	if s.fault(&r) != nil {
		// Records that have expired must not refuse a proof.
		s.expire(now, math.MaxInt)
	}
	if err := s.fault(&r); err != nil {
		return err
	}
	s.used[r.id] = struct{}{}
	s.keys[r.key]++
	s.queue.push(r)
	s.latest = max(s.latest, r.until)
	return nil
}

// fault returns the reason for which there is no space for a record.
func (s *MemoryStore) fault(r *record) error {
	switch {
	case s.keys[r.key] >= s.keyCapacity:
		return errKeyFull
	case len(s.queue) >= s.capacity:
		return errStoreFull
	default:
		return nil
	}
}

// expire removes up to most records that have expired, the oldest first. If all of
// them have, it drops them together, and their memory.
func (s *MemoryStore) expire(now int64, most int) {
	if s.latest < now {
		if len(s.queue) > 0 {
			s.reset()
		}
		return
	}
	for ; most > 0 && len(s.queue) > 0 && s.queue[0].until < now; most-- {
		r := s.queue.pop()
		delete(s.used, r.id)
		if s.keys[r.key]--; s.keys[r.key] == 0 {
			delete(s.keys, r.key)
		}
	}
}

func (s *MemoryStore) reset() {
	s.used = make(map[recordHash]struct{})
	s.keys = make(map[recordHash]int)
	s.queue = nil
}

// A record is a proof that was used.
type record struct {
	until   int64 // nanoseconds since 1970
	key, id recordHash
}

func newRecord(key, id string, until time.Time) record {
	hash := sha256.Sum256([]byte(key))
	var buffer [128]byte
	both := sha256.Sum256(append(append(buffer[:0], hash[:]...), id...))
	return record{until: until.UnixNano(), key: recordHash(hash[:16]), id: recordHash(both[:16])}
}
