package cel

import (
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A meter says what the calls of functions cost while a program runs. That of CEL counts
// the characters of texts to say it, which takes far longer than to compare them, and
// takes a list of long texts for a small one. A meter does no more work than the call. What
// costs more than its texts are long has a [bill].
type meter struct{}

var _ cost.ActualCostEstimator = meter{}

// CallCost implements cost.ActualCostEstimator.
func (meter) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	units := unitsOf(function, args)
	if units < uint64(len(fewUnits)) {
		return &fewUnits[units]
	}
	return &units
}

// fewUnits are what most calls cost, so that they need no allocation. The tracker reads
// them.
var fewUnits = func() (few [256]uint64) {
	for i := range few {
		few[i] = uint64(i)
	}
	return few
}()

func unitsOf(function string, args []ref.Val) uint64 {
	if function == (payment{}).Function() {
		units, _ := args[0].(types.Uint)
		return uint64(units)
	}
	units := uint64(1)
	if len(args) != 2 {
		for _, arg := range args {
			units += textUnits(arg)
		}
		return units
	}
	switch a, b := args[0], args[1]; function {
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		units += min(textUnits(a), textUnits(b))
	case overloads.StartsWith, overloads.EndsWith:
		units += textUnits(b)
	default:
		units += textUnits(a) + textUnits(b)
	}
	return units
}

const (
	// bytesPerUnit is how many bytes of a text are compared or searched for one unit.
	bytesPerUnit = 10
	// unitsPerEntry is what it costs to find an entry of a map.
	unitsPerEntry = 5
)

// textUnits is what it costs to go through a text once.
func textUnits(value ref.Val) uint64 {
	switch value := value.(type) {
	case types.String:
		return uint64(len(value)) / bytesPerUnit
	case types.Bytes:
		return uint64(len(value)) / bytesPerUnit
	default:
		return 0
	}
}
