package verifier

import "time"

// NewAt is New with its own clock.
func NewAt(config Config, now func() time.Time) (*Verifier, error) {
	return newVerifier(config, now)
}

// AwaitFetch waits until no fetch is running.
func (v *Verifier) AwaitFetch() {
	for _, i := range v.front.router.issuers {
		i.keys.mu.Lock()
		running := i.keys.running
		i.keys.mu.Unlock()
		if running != nil {
			<-running.done
		}
	}
}
