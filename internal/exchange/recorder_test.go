package exchange_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// lacking returns a denial that asks for scopes.
func lacking(scopes ...string) *challenge.DenialError {
	denial := challenge.NewDenial(challenge.ReasonInsufficientScope, nil)
	denial.Challenge.Scopes = scopes
	return denial
}

// status is an error as grpc-go makes them: equal statuses are taken for each other
// by errors.Is, and each call has its own.
type status struct{ text string }

func (s *status) Error() string { return s.text }

func (s *status) Is(target error) bool {
	other, ok := target.(*status)
	return ok && *other == *s
}

// list is an error that cannot be compared.
type list []string

func (list) Error() string { return "list" }

// TestDismissOne: of the denials that look alike, exactly the one that a call
// returned is forgotten.
func TestDismissOne(t *testing.T) {
	t.Parallel()
	first, second := &status{"denied"}, &status{"denied"}
	if !errors.Is(first, second) {
		t.Fatal("the statuses do not look alike")
	}
	shared := lacking("shared") // Many calls may share a denial.
	wrapsShared := fmt.Errorf("in process: %w", shared)
	a, b := lacking("a"), lacking("b")
	for _, tt := range []struct {
		name     string
		recorded []error // of a and b
		dismiss  []error
		want     *challenge.DenialError
	}{
		{"equal statuses, the first", []error{first, second}, []error{first}, b},
		{"equal statuses, the second", []error{first, second}, []error{second}, a},
		{"equal statuses, both", []error{first, second}, []error{first, second}, nil},
		{"equal statuses, both joined", []error{first, second}, []error{errors.Join(first, second)}, nil},
		{"equal statuses, the first wrapped twice", []error{first, second}, []error{fmt.Errorf("x: %w", fmt.Errorf("y: %w", first))}, b},
		{"equal statuses, another one", []error{first, second}, []error{&status{"denied"}}, a},
		{"an error that wraps what another call returned", []error{wrapsShared, shared}, []error{wrapsShared}, b},
		{"what an error wraps", []error{wrapsShared, shared}, []error{shared}, a},
		{"one error of two calls", []error{shared, shared}, []error{shared}, b},
		{"one error of two calls, twice", []error{shared, shared}, []error{shared, shared}, nil},
		{"one error of two calls, joined", []error{shared, shared}, []error{errors.Join(shared, shared)}, nil},
		{"an error that cannot be compared", []error{list{"x"}, second}, []error{list{"x"}, second}, a},
		{"an error that wraps nil", []error{first, second}, []error{errors.Join(nil, second), fmt.Errorf("%w", error(nil))}, a},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r exchange.Recorder
			r.Deny(a, tt.recorded[0])
			r.Deny(b, tt.recorded[1])
			for _, err := range tt.dismiss {
				r.Dismiss(err)
			}
			if got := r.Denial(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestBound: a handler that ignores its errors accumulates a bounded number of
// denials, and the first one counts.
func TestBound(t *testing.T) {
	t.Parallel()
	r := new(exchange.Recorder)
	first := challenge.NewDenial(challenge.ReasonInvalidToken, nil)
	r.Deny(first, io.EOF)
	var all []error
	for i := range 1000 {
		err := fmt.Errorf("call %d", i)
		all = append(all, err)
		r.Deny(lacking("a"), err)
	}
	if r.Denial() != first {
		t.Error("the first denial is gone")
	}
	r.Dismiss(io.EOF)
	// The last ones were not kept, so dismissing the first hundred leaves none.
	r.Dismiss(errors.Join(all[:100]...))
	if denial := r.Denial(); denial != nil {
		t.Errorf("%v was kept", denial.Reason)
	}
}

// TestDismiss: the denials that an error carried are forgotten, and the next one
// becomes the response.
func TestDismiss(t *testing.T) {
	t.Parallel()
	errA, errB := errors.New("a"), errors.New("b")
	a, b := lacking("a"), lacking("b")
	for _, tt := range []struct {
		name    string
		dismiss func(*exchange.Recorder)
		want    *challenge.DenialError
	}{
		{"nothing", func(*exchange.Recorder) {}, a},
		{"an error that carried none", func(r *exchange.Recorder) { r.Dismiss(io.EOF) }, a},
		{"nil", func(r *exchange.Recorder) { r.Dismiss(nil) }, a},
		{"the first", func(r *exchange.Recorder) { r.Dismiss(errA) }, b},
		{"the first, wrapped", func(r *exchange.Recorder) { r.Dismiss(fmt.Errorf("call: %w", errA)) }, b},
		{"the second", func(r *exchange.Recorder) { r.Dismiss(errB) }, a},
		{"both, joined", func(r *exchange.Recorder) { r.Dismiss(errors.Join(errB, errA)) }, nil},
		{"all", (*exchange.Recorder).DismissAll, nil},
	} {
		for name, wrap := range map[string]func(*exchange.Recorder) *exchange.Recorder{
			"directly": func(r *exchange.Recorder) *exchange.Recorder { return r },
			"within":   func(r *exchange.Recorder) *exchange.Recorder { return r.Within(identity) },
		} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				t.Parallel()
				r := new(exchange.Recorder)
				r.Deny(a, errA)
				r.Deny(b, errB)
				tt.dismiss(wrap(r))
				if got := r.Denial(); got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
				later := lacking("later")
				if r.Deny(later, io.EOF); tt.want == nil && r.Denial() != later {
					t.Errorf("a later denial: got %v", r.Denial())
				}
			})
		}
	}
}

func identity(scopes []string) []string { return scopes }

// TestWithin: a denial that asks for scopes asks for those on the way as well, and
// the denial that was passed in stays as it is (MCP-4).
func TestWithin(t *testing.T) {
	t.Parallel()
	add := func(scope string) func([]string) []string {
		return func(scopes []string) []string { return append(slices.Clip(scopes), scope) }
	}
	for _, tt := range []struct {
		name   string
		denial *challenge.DenialError
		want   []string
	}{
		{"MCP-4 scopes", lacking("a"), []string{"a", "inner", "outer"}},
		{"MCP-4 no scopes", challenge.NewDenial(challenge.ReasonUnavailable, nil), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := new(exchange.Recorder)
			outer := r.Within(add("outer"))
			inner := outer.Within(add("inner"))
			before := tt.denial.Challenge.Scopes
			inner.Deny(tt.denial, io.EOF)
			for name, recorder := range map[string]*exchange.Recorder{"r": r, "outer": outer, "inner": inner} {
				got := recorder.Denial()
				if got == nil || got.Reason != tt.denial.Reason || !reflect.DeepEqual(got.Challenge.Scopes, tt.want) {
					t.Errorf("%s: got %+v, want the scopes %q", name, got, tt.want)
				}
			}
			if !reflect.DeepEqual(tt.denial.Challenge.Scopes, before) {
				t.Errorf("the denial became %+v", tt.denial.Challenge)
			}
			inner.Dismiss(io.EOF)
			if got := r.Denial(); got != nil {
				t.Errorf("dismissed, and %v is left", got.Reason)
			}
		})
	}
}

// TestNilRecorder: outside of a bridge there is no recorder, and callers need not
// check for it.
func TestNilRecorder(t *testing.T) {
	t.Parallel()
	r := exchange.FromContext(t.Context()).Recorder()
	if r != nil {
		t.Fatalf("got %+v outside of a bridge", r)
	}
	for name, r := range map[string]*exchange.Recorder{"nil": r, "within nil": r.Within(identity)} {
		r.Deny(lacking("a"), io.EOF)
		r.Dismiss(io.EOF)
		r.DismissAll()
		if got := r.Denial(); got != nil {
			t.Errorf("%s: holds %v", name, got.Reason)
		}
	}
}

// TestRecorderConcurrently is for the race detector.
func TestRecorderConcurrently(t *testing.T) {
	t.Parallel()
	r := new(exchange.Recorder)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			within := r.Within(identity)
			for range 100 {
				within.Deny(lacking("a"), io.EOF)
				_ = r.Denial()
				r.Dismiss(io.EOF)
			}
		})
	}
	group.Wait()
	if got := r.Denial(); got != nil {
		t.Errorf("%v is left", got.Reason)
	}
}
