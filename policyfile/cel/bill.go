package cel

import (
	"math"

	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// A bill adds up what one operation costs while it goes on, so that an operation stops at
// the limit and not after it.
type bill struct {
	frame  *interpreter.ExecutionFrame // or nil
	units  uint64
	limit  uint64
	looked uint64 // the units at the last look at whether the call has ended
}

// newBill returns a bill for what is left of the limit of a program.
func newBill(frame *interpreter.ExecutionFrame, limit uint64) bill {
	if tracker := frame.CostTracker(); tracker != nil && tracker.Limit != nil {
		limit = *tracker.Limit - min(*tracker.Limit, tracker.ActualCost())
	}
	return bill{frame: frame, limit: limit}
}

// charge panics if the limit is exceeded or the call has ended. [condition.Holds] recovers.
func (b *bill) charge(units uint64) {
	b.units = cost.SafeAdd(b.units, units)
	if b.units > b.limit {
		panic(errTooCostly)
	}
	if b.units-b.looked >= checkFrequency {
		b.looked = b.units
		// The frame looks at the call each checkFrequency times that it is asked.
		if b.frame != nil && b.frame.CheckInterrupt() {
			panic(interpreter.InterruptError{})
		}
	}
}

// pay adds the bill to the cost of a program that is watched.
func (b *bill) pay(id int64) {
	if tracker := b.frame.CostTracker(); tracker != nil {
		tracker.EvalUnary(nil, id, payment{}, types.Uint(b.units), nil)
	}
}

// payment is the call that a [meter] charges for with its argument.
type payment struct{}

func (payment) Function() string   { return "@pay" }
func (payment) OverloadID() string { return "@pay" }

// unlimited returns a bill for what no program runs.
func unlimited() *bill { return &bill{limit: math.MaxUint64} }
