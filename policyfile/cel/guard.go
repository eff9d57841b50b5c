package cel

import (
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// guard has a function of CEL refuse doubles that may stand for several integers: beside an
// integer, or where one becomes the other.
func guard(name string, binding *functions.Overload) {
	var refuse func(a, b ref.Val) bool
	switch name {
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		refuse = areIncomparable
	case overloads.TypeConvertInt, overloads.TypeConvertUint:
		refuse = func(a, _ ref.Val) bool { return isRounded(a) }
	case overloads.TypeConvertDouble:
		refuse = func(a, _ ref.Val) bool { return isLarge(a) }
	default:
		return
	}
	if unary := binding.Unary; unary != nil {
		binding.Unary = func(a ref.Val) ref.Val {
			if refuse(a, nil) {
				return types.WrapErr(errRounded)
			}
			return unary(a)
		}
	}
	if binary := binding.Binary; binary != nil {
		binding.Binary = func(a, b ref.Val) ref.Val {
			if refuse(a, b) {
				return types.WrapErr(errRounded)
			}
			return binary(a, b)
		}
	}
	if function := binding.Function; function != nil {
		binding.Function = func(args ...ref.Val) ref.Val {
			if refuse(args[0], args[len(args)-1]) {
				return types.WrapErr(errRounded)
			}
			return function(args...)
		}
	}
}

// isLarge reports whether a value is an integer that a double may have to round.
func isLarge(value ref.Val) bool {
	switch number := value.(type) {
	case types.Int:
		return number >= firstRounded || number <= -firstRounded
	case types.Uint:
		return number >= firstRounded
	default:
		return false
	}
}
