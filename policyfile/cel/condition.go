package cel

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// A condition is a program for the calls of one service.
type condition struct {
	program *program
	service string
}

// NeedsMessage implements [policy.Condition].
func (c *condition) NeedsMessage() bool { return c.program.needsMessage }

// Claims implements [policy.ClaimReader].
func (c *condition) Claims() []string { return slices.Clone(c.program.claims) }

// checkFrequency is how many steps of a loop a program goes between two looks at whether
// the call has ended.
const checkFrequency = 100

// Holds implements [policy.Condition]. Nothing of a token or message is in the error.
func (c *condition) Holds(ctx context.Context, in policy.Input) (holds bool, err error) {
	defer func() {
		// What panicked may still refer to the activation, so that is not used again.
		if panicked := recover(); panicked != nil {
			holds, err = false, panicFailure(ctx, panicked)
		}
	}()
	if err := c.program.accepts(in); err != nil {
		return false, err
	}
	a := activations.Get().(*activation) //nolint:forcetypeassert // Nothing else is put there.
	a.in, a.service = in, c.service
	holds, err = c.program.run(ctx, a)
	*a = activation{}
	activations.Put(a)
	return holds, err
}

// accepts returns an error if the program cannot judge a call.
func (p *program) accepts(in policy.Input) error {
	switch {
	case in.Info == nil:
		return errNoToken
	case !p.needsMessage:
		return nil
	case in.Message == nil:
		return policy.ErrNeedsMessage
	}
	if descriptor := in.Message.ProtoReflect().Descriptor(); descriptor != p.request && descriptor.FullName() != p.request.FullName() {
		return errOtherMessage
	}
	return nil
}

func (p *program) run(ctx context.Context, a *activation) (bool, error) {
	frame, err := interpreter.NewExecutionFrame(interpreter.Activation(a))
	if err == nil {
		defer frame.Close()
		if p.watched {
			err = p.watch(ctx, frame)
		}
	}
	if err != nil {
		return false, errFailed
	}
	switch result := p.step.Exec(frame).(type) {
	case types.Bool:
		return bool(result), nil
	case *types.Err:
		return false, p.failure(ctx, result)
	default:
		return false, errNoResult
	}
}

// watch bounds what a run may cost, and ends it with the call.
func (p *program) watch(ctx context.Context, frame *interpreter.ExecutionFrame) error {
	err := frame.SetContext(ctx, checkFrequency)
	tracker, failed := p.language.tracker.Clone()
	frame.SetCostTracker(tracker)
	return errors.Join(err, failed)
}

// An activation holds the variables of one call.
type activation struct {
	in      policy.Input
	service string
}

var activations = sync.Pool{New: func() any { return new(activation) }}

var _ interpreter.Activation = (*activation)(nil)

// ResolveName implements interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case nameToken:
		return a.in.Info, true
	case nameRPC:
		return a, true
	case nameRequest:
		return a.in.Message, true
	case nameNow:
		if a.in.Now.IsZero() {
			a.in.Now = time.Now()
		}
		return types.Timestamp{Time: a.in.Now}, true
	default:
		return nil, false
	}
}

// Parent implements interpreter.Activation.
func (*activation) Parent() interpreter.Activation { return nil }

// method is the plain name of the method.
func (a *activation) method() string {
	return a.in.Procedure[strings.LastIndexByte(a.in.Procedure, '/')+1:]
}
