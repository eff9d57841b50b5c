// Package recorder carries a denial from where RPC code met it to where the
// HTTP response is written. The bridge puts a Recorder into the context of a
// request; the adapters leave the denial there.
package recorder

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// Recorder holds the denials of one HTTP request. It is safe for concurrent use,
// and its methods may be called on a nil Recorder, which holds nothing.
type Recorder struct {
	released func()

	mu      sync.Mutex
	denials []met
	native  *interceptor.ChallengeError // told in an RPC protocol
	answers string                      // the procedure whose handler answers
	through string                      // the procedure that was called on the way
	holds   func(first []byte) bool
}

// maxDenials bounds what a handler that ignores its errors can make us keep.
const maxDenials = 64

// met is a denial, and the error by which RPC code met it.
type met struct {
	denial *interceptor.ChallengeError
	err    error
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

// Deny records a denial that the response is to tell, and the error by which it
// was met. The first one counts: it is what stopped the work.
func (r *Recorder) Deny(denial *interceptor.ChallengeError, err error) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.denials) < maxDenials {
		r.denials = append(r.denials, met{denial, err})
	}
}

// Dismiss forgets the denials that were met by err.
func (r *Recorder) Dismiss(err error) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.denials = slices.DeleteFunc(r.denials, func(m met) bool { return errors.Is(err, m.err) })
}

// DismissAll forgets every denial.
func (r *Recorder) DismissAll() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.denials = nil
}

// Denial returns the denial that the response is to tell, or nil.
func (r *Recorder) Denial() *interceptor.ChallengeError {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.denials) == 0 {
		return nil
	}
	return r.denials[0].denial
}

// Answers records that the handler of a procedure answers in an RPC protocol,
// which also tells its denial, if that is not nil.
func (r *Recorder) Answers(procedure string, denial *interceptor.ChallengeError) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers == "" {
		r.answers, r.native = procedure, denial
	}
}

// Answering returns what Answers recorded first.
func (r *Recorder) Answering() (procedure string, denial *interceptor.ChallengeError) {
	if r == nil {
		return "", nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers, r.native
}

// Pass records that a procedure was called on the way to a backend.
func (r *Recorder) Pass(procedure string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.through = procedure
}

// Passed returns the procedure that was called on the way, or "".
func (r *Recorder) Passed() string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.through
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
