package exchange

import (
	"reflect"
	"slices"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// Recorder collects the denials that backends returned to the handler of an HTTP
// request. It is safe for concurrent use, and its methods may be called on a
// nil Recorder, which records nothing. The zero Recorder is empty.
type Recorder struct {
	mu      sync.Mutex
	denials []met

	// outer, if it is not nil, receives every denial instead, with the scopes
	// that join adds.
	outer *Recorder
	join  func(scopes []string) []string
}

// maxDenials bounds how much a handler that ignores its errors can accumulate.
const maxDenials = 64

// met is a denial, and the error that carried it.
type met struct {
	denial *challenge.DenialError
	err    error
}

// Within returns a Recorder that passes denials on to r. To the scopes that a
// denial asks for, join adds those that the call needs on the way to the backend.
func (r *Recorder) Within(join func(scopes []string) []string) *Recorder {
	return &Recorder{outer: r, join: join}
}

// Deny records a denial, and the error that carried it. The first one counts,
// because it stopped the handler.
func (r *Recorder) Deny(denial *challenge.DenialError, err error) {
	if r == nil {
		return
	}
	if r.join != nil {
		r.outer.Deny(withScopes(denial, r.join), err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.denials) < maxDenials {
		r.denials = append(r.denials, met{denial, err})
	}
}

func withScopes(denial *challenge.DenialError, join func([]string) []string) *challenge.DenialError {
	if len(denial.Challenge.Scopes) == 0 {
		return denial
	}
	joined := *denial
	joined.Challenge.Scopes = join(denial.Challenge.Scopes)
	return &joined
}

// Dismiss forgets the denials that were recorded with err, or with the errors that
// it wraps. Errors are compared by identity: two calls may be denied with errors
// that are alike, and errors.Is takes statuses of gRPC for each other.
func (r *Recorder) Dismiss(err error) {
	if root := r.root(); root != nil {
		root.mu.Lock()
		defer root.mu.Unlock()
		root.forget(err)
	}
}

// DismissAll forgets every denial.
func (r *Recorder) DismissAll() {
	if root := r.root(); root != nil {
		root.mu.Lock()
		defer root.mu.Unlock()
		root.denials = nil
	}
}

// root returns the Recorder that keeps the denials, or nil.
func (r *Recorder) root() *Recorder {
	for r != nil && r.join != nil {
		r = r.outer
	}
	return r
}

// forget removes one denial for each error in the tree of err that carried one. It
// does not look further into such an error: what that wraps may be shared by the
// errors of other calls.
func (r *Recorder) forget(err error) {
	if err == nil {
		return
	}
	carried := func(m met) bool { return reflect.TypeOf(err).Comparable() && m.err == err } //nolint:errorlint // By identity.
	if i := slices.IndexFunc(r.denials, carried); i >= 0 {
		r.denials = slices.Delete(r.denials, i, i+1)
		return
	}
	switch wrapping := err.(type) { //nolint:errorlint // The tree is walked.
	case interface{ Unwrap() error }:
		r.forget(wrapping.Unwrap())
	case interface{ Unwrap() []error }:
		for _, wrapped := range wrapping.Unwrap() {
			r.forget(wrapped)
		}
	}
}

// Denial returns the denial that becomes the response, or nil.
func (r *Recorder) Denial() *challenge.DenialError {
	root := r.root()
	if root == nil {
		return nil
	}
	root.mu.Lock()
	defer root.mu.Unlock()
	if len(root.denials) == 0 {
		return nil
	}
	return root.denials[0].denial
}
