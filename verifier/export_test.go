package verifier

import "time"

// NewJWTAt is NewJWT with a clock.
func NewJWTAt(config JWTConfig, now func() time.Time) (*JWT, error) {
	return newJWT(config, now)
}

// AwaitFetch returns when no fetch is running.
func (v *JWT) AwaitFetch() {
	v.keys.mu.Lock()
	running := v.keys.running
	v.keys.mu.Unlock()
	if running != nil {
		<-running.done
	}
}

// Cached returns how many tokens are remembered.
func (v *JWT) Cached() int {
	if v.cache == nil {
		return 0
	}
	v.cache.mu.Lock()
	defer v.cache.mu.Unlock()
	return v.cache.young.Load().size + v.cache.old.Load().size
}
