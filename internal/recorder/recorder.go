// Package recorder carries a denial from where RPC code met it to where the
// HTTP response is written. The bridge puts a Recorder into the context of a
// request; the adapters leave the denial there.
package recorder

import (
	"context"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// Recorder holds the denial of one HTTP request. It is safe for concurrent use,
// and its methods may be called on a nil Recorder, which holds nothing.
type Recorder struct {
	released func()

	mu     sync.Mutex
	denial *interceptor.ChallengeError
	native string // the procedure whose own answer tells the denial
	holds  func(first []byte) bool
}

// New returns a Recorder that calls released when nothing is held back any
// longer.
func New(released func()) *Recorder { return &Recorder{released: released} }

type contextKey struct{}

// NewContext returns a context that carries r. A nil r hides that of ctx.
func NewContext(ctx context.Context, r *Recorder) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// FromContext returns the Recorder of the request, or nil outside of a bridge.
func FromContext(ctx context.Context) *Recorder {
	r, _ := ctx.Value(contextKey{}).(*Recorder)
	return r
}

// Deny records the denial that the response is to tell. The first one counts:
// it is what stopped the work.
func (r *Recorder) Deny(denial *interceptor.ChallengeError) { r.record(denial, "") }

// DenyNatively records the denial of a procedure that is told in an RPC
// protocol, in the answer to that very call.
func (r *Recorder) DenyNatively(denial *interceptor.ChallengeError, procedure string) {
	r.record(denial, procedure)
}

func (r *Recorder) record(denial *interceptor.ChallengeError, native string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denial == nil {
		r.denial, r.native = denial, native
	}
}

// Dismiss forgets a denial that was not the end of the request.
func (r *Recorder) Dismiss() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.denial, r.native = nil, ""
}

// Denial returns what was recorded. The procedure is that of the call whose own
// answer tells it, or empty.
func (r *Recorder) Denial() (denial *interceptor.ChallengeError, procedure string) {
	if r == nil {
		return nil, ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.denial, r.native
}

// Hold keeps back the first thing that is written, if it is what holds reports,
// until [Recorder.Release]. It is for servers that begin to write before it is
// decided whether they may. Call it before the handler runs.
func (r *Recorder) Hold(holds func(first []byte) bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds = holds
}

// Holds reports whether what is written first is to be kept back.
func (r *Recorder) Holds(first []byte) bool {
	r.mu.Lock()
	holds := r.holds
	r.mu.Unlock()
	return holds != nil && holds(first)
}

// Release ends what Hold began: whose answer it is can be settled.
func (r *Recorder) Release() {
	if r != nil && r.released != nil {
		r.released()
	}
}
