package recorder_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

// TestBound: a handler that ignores its errors makes us keep only so many, and
// the first of them, which counts.
func TestBound(t *testing.T) {
	t.Parallel()
	r := new(recorder.Recorder)
	first := &interceptor.ChallengeError{Kind: interceptor.KindInvalidToken}
	r.Deny(first, io.EOF)
	var all []error
	for i := range 1000 {
		err := fmt.Errorf("call %d", i)
		all = append(all, err)
		r.Deny(&interceptor.ChallengeError{Kind: interceptor.KindInsufficientScope}, err)
	}
	if r.Denial() != first {
		t.Error("the first denial is gone")
	}
	r.Dismiss(io.EOF)
	// The last ones were not kept, so forgetting the first hundred leaves none.
	r.Dismiss(errors.Join(all[:100]...))
	if denial := r.Denial(); denial != nil {
		t.Errorf("%v was kept", denial.Kind)
	}
}

// TestNil: outside of a bridge there is no recorder, and nobody has to ask.
func TestNil(t *testing.T) {
	t.Parallel()
	r := recorder.FromContext(t.Context())
	r.Deny(new(interceptor.ChallengeError), io.EOF)
	r.Answers("/a.v1.A/Get", nil)
	r.Pass("/a.v1.A/Get")
	r.Hold(nil)
	r.Release()
	r.Dismiss(io.EOF)
	r.DismissAll()
	if procedure, denial := r.Answering(); procedure != "" || denial != nil || r.Denial() != nil || r.Passed() != "" {
		t.Error("a nil Recorder holds something")
	}
}
