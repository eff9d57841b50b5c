package verifier

import "time"

// NewJWTAt is NewJWT with its own clock.
func NewJWTAt(config JWTConfig, now func() time.Time) (*JWT, error) {
	return newJWT(config, now)
}

// AwaitFetch waits until no fetch is running.
func (v *JWT) AwaitFetch() {
	keys := v.front.source.(*issuer).keys
	keys.mu.Lock()
	running := keys.running
	keys.mu.Unlock()
	if running != nil {
		<-running.done
	}
}

// Cached returns the number of remembered tokens.
func (v *JWT) Cached() int {
	c := v.front.cache
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.young.Load().size + c.old.Load().size
}
