package mcpbridge

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

// callHeader tells the middleware which HTTP request a message came with. In a
// session, the context that go-sdk hands on is that of another request; the
// header is the message's own. An inbound value is replaced, and nobody can
// guess the one of another call.
const callHeader = "Drawbridge-Call"

// call is an HTTP request while it is served.
type call struct {
	ctx      context.Context //nolint:containedctx // The request's own, and it ends with it.
	request  interceptor.Request
	recorder *recorder.Recorder

	mu      sync.Mutex
	allowed bool // a tool call was let through
	denied  bool // a tool call was denied, and the HTTP answer says so
}

// settle decides about one tool call of the request. A batch has several, and
// one HTTP answer: what the first one gets stands for it. After a denial nothing
// else is run, for the client will send the batch again; and once something has
// run, a denial is told in its own JSON-RPC answer alone.
func (c *call) settle(decide func() (context.Context, error)) (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied {
		return nil, errors.New("another call of the batch was denied")
	}
	ctx, err := decide()
	if err == nil {
		c.allowed = true
		return ctx, nil
	}
	denial := interceptor.DenialOf(err)
	if !c.allowed {
		c.denied = true
		c.recorder.Deny(denial, denial)
	}
	return nil, denial
}

// calls finds the HTTP request of a message.
type calls struct{ byID sync.Map } // string → *call

// begin registers a request, and returns it with the header that finds it again
// and the function that forgets it.
func (c *calls) begin(r *http.Request) (*http.Request, func()) {
	id := rand.Text()
	c.byID.Store(id, &call{
		ctx:      r.Context(),
		request:  interceptor.HTTPRequest("", r),
		recorder: recorder.FromContext(r.Context()),
	})
	marked := r.WithContext(r.Context())
	marked.Header = maps.Clone(r.Header)
	marked.Header.Set(callHeader, id)
	return marked, func() { c.byID.Delete(id) }
}

// of returns the request that a message came with, or nil if it is over or the
// message did not come in through [Guard.Protect].
func (c *calls) of(header http.Header) *call {
	found, ok := c.byID.Load(header.Get(callHeader))
	if !ok {
		return nil
	}
	return found.(*call) //nolint:forcetypeassert // Nothing else is ever stored.
}
