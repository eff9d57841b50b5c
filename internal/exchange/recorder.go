package exchange

import (
	"errors"
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

// Dismiss forgets the denials that err carried.
func (r *Recorder) Dismiss(err error) {
	r.dismiss(func(m met) bool { return errors.Is(err, m.err) })
}

// DismissAll forgets every denial.
func (r *Recorder) DismissAll() { r.dismiss(func(met) bool { return true }) }

func (r *Recorder) dismiss(matches func(met) bool) {
	if r == nil {
		return
	}
	if r.outer != nil {
		r.outer.dismiss(matches)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.denials = slices.DeleteFunc(r.denials, matches)
}

// Denial returns the denial that becomes the response, or nil.
func (r *Recorder) Denial() *challenge.DenialError {
	if r == nil {
		return nil
	}
	if r.outer != nil {
		return r.outer.Denial()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.denials) == 0 {
		return nil
	}
	return r.denials[0].denial
}
