package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// The errors of two frameworks.
type (
	frameworkError struct{ denial *challenge.DenialError }
	otherError     struct{ denial *challenge.DenialError }
	foreignError   struct{ error }
)

func (e *frameworkError) Error() string { return "framework: " + e.denial.Error() }
func (e *frameworkError) Unwrap() error { return e.denial }
func (e otherError) Error() string      { return "other: " + e.denial.Error() }

var register = sync.OnceFunc(func() {
	challenge.RegisterError(func(denial *challenge.DenialError) *frameworkError { return &frameworkError{denial} })
	challenge.RegisterError(func(denial *challenge.DenialError) otherError { return otherError{denial} })
	challenge.RegisterError(func(*challenge.DenialError) *frameworkError { return nil })
})

// TestRegisterError: errors.As finds the error of a framework in a denial, wrapped
// or not, and every other target is what it is without a conversion (RPC-10).
func TestRegisterError(t *testing.T) {
	t.Parallel()
	register()
	denial := at(challenge.ReasonInsufficientScope, "a").WithCause(context.DeadlineExceeded)
	own := &frameworkError{challenge.NewDenial(challenge.ReasonForbidden, nil)}
	for name, err := range map[string]error{
		"a denial": denial, "wrapped": fmt.Errorf("call: %w", denial), "joined": errors.Join(errors.New("x"), denial),
		"in an error of the framework": &frameworkError{denial},
	} {
		if got, ok := errors.AsType[*frameworkError](err); !ok || got.denial != denial {
			t.Errorf("RPC-10: %s: got %v, %t", name, got, ok)
		}
		if got, ok := errors.AsType[otherError](err); !ok || got.denial != denial {
			t.Errorf("RPC-10: %s: got %v, %t", name, got, ok)
		}
		if got, ok := errors.AsType[*challenge.DenialError](err); !ok || got != denial {
			t.Errorf("%s: got the denial %v", name, got)
		}
		if got, ok := errors.AsType[*foreignError](err); ok {
			t.Errorf("%s: got %v", name, got)
		}
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the cause is %v", name, timeout)
		}
		if errors.Is(err, own) {
			t.Errorf("%s: is %v", name, own)
		}
	}
	if got, _ := errors.AsType[*frameworkError](errors.Join(own, denial)); got != own {
		t.Errorf("an error of the framework that comes first is replaced by %v", got)
	}
}

// TestRegisterErrorConcurrently: an adapter may be initialized while calls are
// served.
func TestRegisterErrorConcurrently(t *testing.T) {
	t.Parallel()
	denial := at(challenge.ReasonInvalidToken)
	var group sync.WaitGroup
	for range 8 {
		group.Go(register)
		group.Go(func() { _, _ = errors.AsType[*frameworkError](denial) })
	}
	group.Wait()
	if _, ok := errors.AsType[*frameworkError](denial); !ok {
		t.Error("RPC-10: no error of the framework was found")
	}
}
