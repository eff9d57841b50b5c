package cel

import (
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"google.golang.org/protobuf/proto"
)

// A meter says what the calls of functions cost while a program runs. That of CEL counts
// the characters of texts to say it, which takes far longer than to compare them, and
// takes a list of long texts for a small one. A meter does no more work than the call.
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
	units := uint64(1)
	if len(args) != 2 {
		for _, arg := range args {
			units += textUnits(arg)
		}
		return units
	}
	switch a, b := args[0], args[1]; function {
	case operators.Equals, operators.NotEquals:
		units += comparisonUnits(a, b)
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		units += min(textUnits(a), textUnits(b))
	case operators.In:
		units += membershipUnits(a, b)
	case overloads.StartsWith, overloads.EndsWith:
		units += textUnits(b)
	case overloads.Matches:
		units += cost.SafeMultiply(textUnits(a), 1+textUnits(b))
	case containsName, intersectsName, equivalentName:
		units += cost.SafeMultiply(length(a), length(b))
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

// length is the number of elements of a list or map.
func length(value ref.Val) uint64 {
	switch value := value.(type) {
	case traits.Lister:
		return cost.ActualSize(value)
	case traits.Mapper:
		return cost.ActualSize(value)
	default:
		return 0
	}
}

// comparisonUnits is what it costs to compare two values. Lists and maps of different
// sizes are told apart at once.
func comparisonUnits(a, b ref.Val) uint64 {
	if length(a) != length(b) {
		return 0
	}
	if length(a) == 0 {
		return min(textUnits(a), textUnits(b))
	}
	return contentUnits(a)
}

// membershipUnits is what it costs to look for a value in a list or map.
func membershipUnits(value, in ref.Val) uint64 {
	if _, ok := in.(traits.Mapper); ok {
		return textUnits(value)
	}
	return cost.SafeMultiply(length(in), 1+contentUnits(value))
}

// contentUnits is what it costs to go through a value and all that it holds.
func contentUnits(value ref.Val) uint64 {
	units := textUnits(value)
	switch value := value.(type) {
	case *message:
		units += uint64(proto.Size(value.message.Interface())) / bytesPerUnit //nolint:gosec // A size is not negative.
	case traits.Mapper:
		for it := value.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			held, _ := value.Find(key)
			units += unitsPerEntry + textUnits(key) + contentUnits(held)
		}
	case traits.Lister:
		for it := value.Iterator(); it.HasNext() == types.True; {
			units += 1 + contentUnits(it.Next())
		}
	}
	return units
}
