package verifier

import (
	"cmp"
	"context"
	"errors"
)

// errNotFetched is the reason of a key set that nothing has asked for.
var errNotFetched = errors.New("the key set has not been fetched yet")

// Warm fetches the metadata and the key set of the issuer, unless it has keys
// already, so that the first token does not wait for them. It waits for the fetch
// until ctx ends. Its error is that of [JWT.VerifyToken] in the same situation,
// and unwraps to [token.ErrUnavailable]; the verifier recovers by itself whether
// Warm is called again or not.
//
// At most one fetch starts per second: within a second of one that failed, Warm
// returns its error without waiting.
func (v *JWT) Warm(ctx context.Context) error {
	_, err := v.issuer.keys.load(ctx, v.front.now())
	return err
}

// Ready returns nil if the verifier has keys, and otherwise the reason why not,
// an error that unwraps to [token.ErrUnavailable] and is meant for a log. It does
// not wait.
//
// It is for a readiness probe. Without keys, it starts a fetch in the background
// if none has started within the last second, so a server that gets no requests
// before it is ready becomes ready. Once a verifier has keys, it stays ready:
// during an outage of the issuer it goes on with the last good ones.
func (v *JWT) Ready() error { return v.issuer.keys.ready() }

// ready implements [JWT.Ready].
func (s *keySet) ready() error {
	if s.current.Load() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Load() != nil {
		return nil
	}
	if s.isCool() {
		s.join()
	}
	return unavailable(cmp.Or(s.lastErr, errNotFetched))
}
