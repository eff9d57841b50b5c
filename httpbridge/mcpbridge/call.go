package mcpbridge

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"sync"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// callHeader names the HTTP request with which a message came. In a session, the
// context that go-sdk hands on is that of another request; the header is the
// message's own. An inbound value is replaced, and that of another call cannot
// be guessed.
const callHeader = "Drawbridge-Call"

// call is an HTTP request while it is served.
type call struct {
	ctx      context.Context //nolint:containedctx // The request's own, and it ends with it.
	request  drawbridge.Request
	exchange *exchange.Exchange

	mu      sync.Mutex
	allowed int  // the operations that were let through
	denied  bool // an operation, or the whole request, was denied; the HTTP response says so
}

// errUnknown means that no rule lets anyone do what was asked for, such as
// after a reload. An HTTP 404 would mean to the client that its session is over.
var errUnknown = errors.New("unknown")

// settle decides about one operation of the request. A batch has several, and
// one HTTP response: the first decision stands for it. After a denial nothing
// else is run, because the client will send the batch again; and once something
// has run, a denial appears in its own JSON-RPC response alone.
func (c *call) settle(decide func() (context.Context, *challenge.DenialError)) (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied {
		return nil, errors.New("another operation of the batch was denied")
	}
	ctx, denial := decide()
	if denial == nil {
		c.allowed++
		return ctx, nil
	}
	if denial.Reason == challenge.ReasonNotFound {
		return nil, errUnknown
	}
	if c.allowed == 0 {
		c.denied = true
		c.exchange.Denials.Deny(denial, denial)
	}
	return nil, denial
}

// conclude ends an operation. A denial that the server returned becomes the
// response, if the header was not sent. In a batch it stays in its own JSON-RPC
// response, because other operations have run.
//
// A denial because there is no such method, of a backend or of the server, becomes
// no response: an HTTP 404 would mean to the client that its session is over.
func (c *call) conclude(ctx context.Context, returned *challenge.DenialError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	denials := exchange.FromContext(ctx).Denials
	if met := denials.Denial(); met != nil && met.Reason == challenge.ReasonNotFound {
		denials.DismissAll()
	}
	if returned == nil || c.denied || c.allowed > 1 || returned.Reason == challenge.ReasonNotFound {
		return
	}
	c.denied = true
	denials.Deny(returned, returned)
}

// fail denies the request as a whole, once: go-sdk asks for the server of a
// request more than once.
func (c *call) fail(refuse func() *challenge.DenialError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied {
		return
	}
	c.denied = true
	denial := refuse()
	c.exchange.Denials.Deny(denial, denial)
}

// calls finds the HTTP request of a message.
type calls struct{ byID sync.Map } // string → *call

// begin registers a request, and returns it with the header that finds it again
// and the function that forgets it.
func (c *calls) begin(r *http.Request) (*http.Request, func()) {
	id := rand.Text()
	c.byID.Store(id, &call{
		ctx:      r.Context(),
		request:  drawbridge.HTTPRequest(r),
		exchange: exchange.FromContext(r.Context()),
	})
	marked := r.WithContext(r.Context())
	marked.Header = maps.Clone(r.Header)
	marked.Header.Set(callHeader, id)
	return marked, func() { c.byID.Delete(id) }
}

// of returns the request that a message came with, or nil if it is over or the
// message did not come in through [Guard.Handler].
func (c *calls) of(header http.Header) *call {
	found, ok := c.byID.Load(header.Get(callHeader))
	if !ok {
		return nil
	}
	return found.(*call) //nolint:forcetypeassert // Nothing else is ever stored.
}
