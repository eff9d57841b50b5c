package interceptor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// An Expiry refuses the messages of a stream once the caller's token has expired or was
// revoked. An adapter keeps one in its stream. It calls Start when the stream is opened,
// Check before it sends a message and after it has received one, because the token
// may expire while the stream waits, and CheckEnd before a handler learns that the
// client sends nothing more, because it may act on all messages then. An Expiry
// must not be copied after Start. The zero Expiry never ends.
type Expiry struct {
	ctx       context.Context //nolint:containedctx // The stream's own, and it ends with it.
	caller    *drawbridge.Caller
	procedure string
	end       time.Time
	settled   atomic.Bool // whether the response is sent in any case
	once      sync.Once
	denial    *challenge.DenialError // set when once is done
}

// Start sets the end of the stream. The caller may be nil.
func (e *Expiry) Start(ctx context.Context, caller *drawbridge.Caller, procedure string) {
	e.ctx, e.caller, e.procedure, e.end = ctx, caller, procedure, caller.Expiry()
}

// Ends reports whether the stream may end before its client ends it.
func (e *Expiry) Ends() bool { return e.caller.MayEnd() }

// Check returns nil until the token expires or is revoked, and then always the same denial,
// which is logged once. It may be called concurrently.
func (e *Expiry) Check() *challenge.DenialError {
	if e.settled.Load() || (e.end.IsZero() || time.Now().Before(e.end)) && !e.caller.IsRevoked() {
		return nil
	}
	e.once.Do(func() { e.denial = e.caller.Expire(e.ctx, e.procedure) })
	return e.denial
}

// CheckEnd is Check for the end of the request. A client stream has one response,
// which follows it: if the token has not expired then, the call is decided like a
// unary one, and Check returns nil from then on.
func (e *Expiry) CheckEnd(isClientStream bool) *challenge.DenialError {
	denial := e.Check()
	if denial == nil && isClientStream {
		e.settled.Store(true)
	}
	return denial
}
