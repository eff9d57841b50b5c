package verifier

import "time"

// NewJWTAt is NewJWT with its own clock.
func NewJWTAt(config JWTConfig, now func() time.Time) (*JWT, error) {
	return newJWT(config, now)
}

// AwaitFetch waits until no fetch is running.
func (v *JWT) AwaitFetch() {
	keys := v.issuer.keys
	keys.mu.Lock()
	running := keys.running
	keys.mu.Unlock()
	if running != nil {
		<-running.done
	}
}
