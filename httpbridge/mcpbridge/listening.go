package mcpbridge

import (
	"context"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
)

// revocationInterval is how long a client that listens may go on after its token was
// revoked.
const revocationInterval = time.Second

// untilEnd returns a context for a request that listens, which ends with the token of its
// caller: when that expires, or was revoked. What is sent to the client comes from go-sdk, so
// the caller cannot be asked with each message.
func untilEnd(ctx context.Context, caller *drawbridge.Caller) (context.Context, context.CancelFunc) {
	if caller.IsAnonymous() {
		return ctx, func() {}
	}
	until, cancel := context.WithCancel(ctx)
	expired := make(<-chan time.Time) // never, unless the token expires
	if expiry := caller.Expiry(); !expiry.IsZero() {
		expired = time.After(time.Until(expiry))
	}
	go func() {
		defer cancel()
		ticker := time.NewTicker(revocationInterval)
		defer ticker.Stop()
		for !caller.IsRevoked() {
			select {
			case <-until.Done():
				return
			case <-expired:
				return
			case <-ticker.C:
			}
		}
	}()
	return until, cancel
}
