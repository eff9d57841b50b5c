package verifier

import (
	"sync"
	"time"
)

// maxRefusals bounds the refusals that are remembered in each of two generations.
const maxRefusals = 4096

// refusals remembers for a short time why tokens are not active, so that a client
// that repeats one does not reach the authorization server each time. There are two
// generations; when the young one is full, the old one is dropped: a flood costs
// requests, never memory.
type refusals struct {
	lifetime time.Duration // not positive if nothing is remembered

	mu         sync.Mutex
	young, old map[digest]refusal
}

type refusal struct {
	reason error
	until  time.Time
}

func newRefusals(lifetime time.Duration) *refusals {
	return &refusals{lifetime: lifetime, young: make(map[digest]refusal)}
}

// find returns the reason against a token, or nil if none is remembered.
func (r *refusals) find(key digest, now time.Time) error {
	if r.lifetime <= 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, generation := range [...]map[digest]refusal{r.young, r.old} {
		if found, ok := generation[key]; ok && now.Before(found.until) {
			return found.reason
		}
	}
	return nil
}

// put remembers the reason against a token.
func (r *refusals) put(key digest, reason error, now time.Time) {
	if r.lifetime <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= maxRefusals {
		r.young, r.old = make(map[digest]refusal), r.young
	}
	r.young[key] = refusal{reason, now.Add(r.lifetime)}
}
