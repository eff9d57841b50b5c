package interceptor

import (
	"context"
	"sync"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// An Expiry refuses the messages of a stream once the caller's token has expired.
// An adapter keeps one in its stream. It calls Start when the stream is opened,
// and Check before it sends a message and after it has received one, because the
// token may expire while the stream waits. An Expiry must not be copied after
// Start. The zero Expiry never ends.
type Expiry struct {
	ctx       context.Context //nolint:containedctx // The stream's own, and it ends with it.
	caller    *drawbridge.Caller
	procedure string
	end       time.Time
	once      sync.Once
	denial    *challenge.DenialError // set when once is done
}

// Start sets the end of the stream. The caller may be nil.
func (e *Expiry) Start(ctx context.Context, caller *drawbridge.Caller, procedure string) {
	e.ctx, e.caller, e.procedure, e.end = ctx, caller, procedure, caller.Expiry()
}

// Ends reports whether the stream has an end.
func (e *Expiry) Ends() bool { return !e.end.IsZero() }

// Check returns nil until the token expires, and then always the same denial,
// which is logged once. It may be called concurrently.
func (e *Expiry) Check() *challenge.DenialError {
	if e.end.IsZero() || time.Now().Before(e.end) {
		return nil
	}
	e.once.Do(func() { e.denial = e.caller.Expire(e.ctx, e.procedure) })
	return e.denial
}
