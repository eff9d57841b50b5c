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
	mu       sync.Mutex
	denial   *interceptor.ChallengeError
	native   bool
	held     bool
	released func()
}

// New returns a Recorder that calls released when the answer is no longer held
// back.
func New(released func()) *Recorder { return &Recorder{released: released} }

type contextKey struct{}

// NewContext returns a context that carries r.
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
func (r *Recorder) Deny(denial *interceptor.ChallengeError) { r.record(denial, false) }

// DenyNatively records a denial that is told in an RPC protocol already, whose
// response must not be rewritten.
func (r *Recorder) DenyNatively(denial *interceptor.ChallengeError) { r.record(denial, true) }

func (r *Recorder) record(denial *interceptor.ChallengeError, native bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denial == nil || native && !r.native {
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
	r.denial, r.native = nil, false
}

// Denial returns what was recorded, and whether it is told natively.
func (r *Recorder) Denial() (denial *interceptor.ChallengeError, native bool) {
	if r == nil {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.denial, r.native
}

// Hold keeps the answer back until [Recorder.Release], for servers that begin to
// write before it is decided whether they may.
func (r *Recorder) Hold() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = true
}

// Held reports whether the answer is kept back.
func (r *Recorder) Held() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

// Release ends what Hold began. Whether the answer is the recorded denial is
// settled for what was written so far.
func (r *Recorder) Release() {
	if r == nil {
		return
	}
	r.mu.Lock()
	held := r.held
	r.held = false
	r.mu.Unlock()
	if held && r.released != nil {
		r.released()
	}
}
