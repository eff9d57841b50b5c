package proof

import "time"

// NewDPoPAt is NewDPoP with its own clock.
func NewDPoPAt(config DPoPConfig, now func() time.Time) (*DPoP, error) { return newDPoP(config, now) }

// NewMemoryStoreAt is NewMemoryStore with its own clock.
func NewMemoryStoreAt(config MemoryStoreConfig, now func() time.Time) (*MemoryStore, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	return newMemoryStore(config, now), nil
}

// Records returns the number of records, and the number of keys that have one.
func (s *MemoryStore) Records() (records, keys int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.used) != len(s.queue) {
		panic("the set and the queue of a MemoryStore differ")
	}
	return len(s.queue), len(s.keys)
}

// Known returns the number of headers that are remembered.
func (d *DPoP) Known() (n int) {
	for i := range d.headers.known.slots {
		if d.headers.known.slots[i].Load() != nil {
			n++
		}
	}
	return n
}
