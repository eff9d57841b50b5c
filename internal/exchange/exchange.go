// Package exchange connects the code that serves an HTTP request with the bridge
// that writes its response. The bridge puts an [Exchange] into the context of
// the request; adapters find it there.
package exchange

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// Exchange is an HTTP request that a bridge is serving.
type Exchange struct {
	// Denials records the denials that may become the response.
	Denials *Recorder
	// Native records the RPC handler that responds to the request.
	Native *Native
	// Output holds back the response, or is nil.
	Output Output
}

// Output is a response that can be held back, for servers that begin to write
// before the request is authorized.
type Output interface {
	// Hold keeps back the first write until Release, if holds reports true for
	// it. It is called before the handler runs.
	Hold(holds func(first []byte) bool)
	// Release ends Hold.
	Release()
}

// Key is the context key of an *[Exchange].
type Key struct{}

// NewContext returns a context that carries e. A nil e hides that of ctx.
func NewContext(ctx context.Context, e *Exchange) context.Context {
	return context.WithValue(ctx, Key{}, e)
}

// FromContext returns the Exchange of the request, or nil outside of a bridge.
func FromContext(ctx context.Context) *Exchange {
	e, _ := ctx.Value(Key{}).(*Exchange)
	return e
}

// Recorder returns e.Denials, or nil if e is nil.
func (e *Exchange) Recorder() *Recorder {
	if e == nil {
		return nil
	}
	return e.Denials
}

// Hold holds back the response, if there is an [Output].
func (e *Exchange) Hold(holds func(first []byte) bool) {
	if e != nil && e.Output != nil {
		e.Output.Hold(holds)
	}
}

// Release ends Hold.
func (e *Exchange) Release() {
	if e != nil && e.Output != nil {
		e.Output.Release()
	}
}

// Native records the RPC handler that responds to a request in its own protocol.
// The zero Native holds none. It is safe for concurrent use.
type Native struct {
	mu        sync.Mutex
	procedure string
	denial    *challenge.DenialError
}

// Claim records that the handler of a procedure answers in an RPC protocol. A
// denial that is not nil is part of that answer. The first claim counts, but a
// handler further in may deny what one further out has let in.
func (n *Native) Claim(procedure string, denial *challenge.DenialError) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.procedure == "" || n.denial == nil && strings.HasSuffix(n.procedure, procedure) {
		n.procedure, n.denial = cmp.Or(n.procedure, procedure), denial
	}
}

// Claimed returns the first claim, or "".
func (n *Native) Claimed() (procedure string, denial *challenge.DenialError) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.procedure, n.denial
}
