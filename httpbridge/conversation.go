package httpbridge

import (
	"context"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/drain"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// conversation is what a bridge keeps of a request, in one allocation: the
// context that the handler sees, the response that it writes, and the caller.
type conversation struct {
	context.Context //nolint:containedctx // It is a context.
	responseWriter

	caller drawbridge.Caller
}

// newConversation begins to serve a request. The caller may be nil, or zero: then it
// is that of ctx, if there is one.
func newConversation(b *Bridge, w http.ResponseWriter, ctx context.Context, caller *drawbridge.Caller) *conversation { //nolint:revive // The context is kept, not passed on.
	c := &conversation{Context: ctx, responseWriter: responseWriter{ResponseWriter: w, bridge: b}}
	if caller != nil {
		c.caller = *caller
	}
	return c
}

// begin returns the request as the handler sees it.
func (c *conversation) begin(r *http.Request) *http.Request {
	c.request = r.WithContext(c)
	if drain.IsNeeded(r, r.Body) {
		c.body.ReadCloser = r.Body
		c.request.Body = &c.body
	}
	return c.request
}

// Value implements context.Context.
func (c *conversation) Value(key any) any {
	if key == (exchange.Key{}) {
		return &c.extend().exchange
	}
	if value := c.caller.Value(key); value != nil {
		return value
	}
	return c.Context.Value(key)
}

// extension is the part of a conversation that only some requests need: those
// whose handler runs code that adapters and relays are part of, or whose response
// may be held. It is made when it is first asked for.
type extension struct {
	exchange exchange.Exchange
	denials  exchange.Recorder
	native   exchange.Native

	// The rest belongs to the response and is guarded by its lock.

	rest    drain.Rest              // of a request to which a handler writes a denial
	holds   func(first []byte) bool // nil unless the first write may be held
	data    []byte                  // the first write while it is held
	flushed bool                    // while the first write was held
}

// extend returns the extension. It takes no lock, because a client that reads
// slowly must not stop the code that asks.
func (w *responseWriter) extend() *extension {
	if e := w.extension.Load(); e != nil {
		return e
	}
	e := new(extension)
	e.exchange = exchange.Exchange{Denials: &e.denials, Native: &e.native, Output: w}
	w.extension.CompareAndSwap(nil, e)
	return w.extension.Load()
}
