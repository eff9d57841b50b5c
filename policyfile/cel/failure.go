package cel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// What the log says of a condition that could not be judged. The errors of CEL are not
// shown, because they quote values.
var (
	errNoToken      = errors.New("there is no token to judge")
	errOtherMessage = errors.New("the message is not of the type that the rule was compiled for")
	errTooCostly    = errors.New("it costs more than its limit")
	errTooLong      = fmt.Errorf("a text of more than %d bytes is not matched", maxMatched)
	errNull         = errors.New("a value is null, or a wrapper that is not set")
	errRange        = errors.New("a duration or time of the message is out of range")
	errRounded      = errors.New("a double from 2^53 on stands beside an integer, which it may be rounded from")
	errWhole        = errors.New("a message is compared as a whole, or read without its type being known")
	errPanicked     = errors.New("it made CEL panic")
	errNoMember     = errors.New("the token or the message does not have a claim, key or index that is read")
	errWrongType    = errors.New("a value is not of the type that is needed")
	errArithmetic   = errors.New("a number is divided by zero, or too large")
	errFailed       = errors.New("an operation failed")
)

// kinds are what the errors of CEL begin with, and what is said in their place.
var kinds = []struct {
	prefix string
	err    error
}{
	{"no such key", errNoMember},
	{"no such field", errNoMember},
	{"index out of bounds", errNoMember},
	{"index '", errNoMember},
	{"no such overload", errWrongType},
	{"found no matching overload", errWrongType},
	{"type conversion error", errWrongType},
	{"unsupported conversion", errWrongType},
	{"unsupported index", errWrongType},
	{"got '", errWrongType},
	{"division by zero", errArithmetic},
	{"modulus by zero", errArithmetic},
	{"integer overflow", errArithmetic},
	{"unsigned integer overflow", errArithmetic},
	{"duration overflow", errArithmetic},
	{"timestamp overflow", errArithmetic},
	{"range error", errArithmetic},
}

// kindOf returns what is said in place of an error of CEL.
func kindOf(err error) error {
	for _, own := range []error{errAbsent, errForeign, errOtherVersion, errTooCostly, errTooLong, errNull, errRange, errRounded, errWhole} {
		if errors.Is(err, own) {
			return own
		}
	}
	text := err.Error()
	for _, kind := range kinds {
		if strings.HasPrefix(text, kind.prefix) {
			return kind.err
		}
	}
	return errFailed
}

// failure returns the error for the log, with line and column in the text.
func (p *program) failure(ctx context.Context, failed *types.Err) error {
	if errors.Is(failed, interpreter.InterruptError{}) {
		return endedFailure(ctx)
	}
	kind := kindOf(failed)
	if location := p.info.GetStartLocation(failed.NodeID()); failed.NodeID() > 0 && location.Line() > 0 {
		return fmt.Errorf("%d:%d: %w", location.Line(), location.Column()+1, kind)
	}
	return kind
}

func endedFailure(ctx context.Context) error {
	return fmt.Errorf("%w: the call ended: %w", token.ErrUnavailable, context.Cause(ctx))
}

// panicFailure is failure for a panic, which is also how CEL says that a limit was
// exceeded, and this package that a field cannot be read.
func panicFailure(ctx context.Context, panicked any) error {
	switch panicked {
	case errForeign, errOtherVersion, errTooCostly:
		return panicked.(error) //nolint:forcetypeassert // It is one of them.
	}
	switch panicked.(type) {
	case interpreter.InterruptError:
		return endedFailure(ctx)
	case interpreter.EvalCancelledError, cost.LimitExceededError:
		return errTooCostly
	default:
		return errPanicked
	}
}

// CEL shares two of its errors between all programs, and writes into them where they
// happened first. Here they get a place that is none before any program runs, so that
// nothing is written while calls are judged.
var _ = [...]ref.Val{
	types.LabelErrNode(-1, types.NoSuchOverloadErr()),
	types.LabelErrNode(-1, types.Int(math.MaxInt64).ConvertToType(types.TimestampType)),
}
