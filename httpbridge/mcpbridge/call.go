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
	allowed bool // a tool call was let through
	denied  bool // a tool call, or the whole request, was denied; the HTTP response says so
}

// errUnknownTool is the response to a tool that no rule lets anyone call, such as
// after a reload. An HTTP 404 would mean to the client that its session is over.
var errUnknownTool = errors.New("unknown tool")

// settle decides about one tool call of the request. A batch has several, and
// one HTTP response: the first decision stands for it. After a denial nothing
// else is run, because the client will send the batch again; and once something
// has run, a denial appears in its own JSON-RPC response alone.
func (c *call) settle(decide func() (context.Context, *challenge.DenialError)) (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied {
		return nil, errors.New("another call of the batch was denied")
	}
	ctx, denial := decide()
	if denial == nil {
		c.allowed = true
		return ctx, nil
	}
	if denial.Reason == challenge.ReasonNotFound {
		return nil, errUnknownTool
	}
	if !c.allowed {
		c.denied = true
		c.exchange.Denials.Deny(denial, denial)
	}
	return nil, denial
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
