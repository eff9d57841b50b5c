package cel

import (
	"math"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// firstRounded is the least integer from which on a double may stand for its neighbors.
const firstRounded = 1 << 53

// isRounded reports whether a value is a double that may stand for several integers.
func isRounded(value ref.Val) bool {
	number, ok := value.(types.Double)
	return ok && math.Abs(float64(number)) >= firstRounded
}

func isInteger(value ref.Val) bool {
	switch value.(type) {
	case types.Int, types.Uint:
		return true
	default:
		return false
	}
}

// areIncomparable reports whether one value is an integer, and the other one a double that
// may stand for several.
func areIncomparable(a, b ref.Val) bool {
	return isRounded(a) && isInteger(b) || isInteger(a) && isRounded(b)
}

// equal returns whether two values are equal, or an error. CEL takes null for equal to
// null, a double for equal to the neighbors of what it stands for, and two lists for equal
// if comparing their elements is an error.
func (b *bill) equal(x, y ref.Val) ref.Val {
	b.charge(1)
	if text, ok := x.(types.String); ok {
		if other, ok := y.(types.String); ok {
			return types.Bool(b.equalTexts(string(text), string(other)))
		}
	}
	for _, value := range [...]ref.Val{x, y} {
		switch value := value.(type) {
		case *types.Err:
			return value
		case types.Null:
			return types.WrapErr(errNull)
		case *message:
			return types.WrapErr(errWhole)
		case types.Bytes:
			b.charge(uint64(len(value)) / bytesPerUnit)
		}
	}
	switch x := x.(type) {
	case traits.Lister:
		if other, ok := y.(traits.Lister); ok {
			return b.equalLists(x, other)
		}
	case traits.Mapper:
		if other, ok := y.(traits.Mapper); ok {
			return b.equalMaps(x, other)
		}
	default:
		if areIncomparable(x, y) {
			return types.WrapErr(errRounded)
		}
		return x.Equal(y)
	}
	return types.False
}

func (b *bill) equalTexts(x, y string) bool {
	if len(x) != len(y) {
		return false
	}
	b.charge(uint64(len(x)) / bytesPerUnit)
	return x == y
}

// equalLists returns false if two elements differ, whatever else is an error.
func (b *bill) equalLists(x, y traits.Lister) ref.Val {
	if x.Size() != y.Size() {
		return types.False
	}
	result := ref.Val(types.True)
	for i, j := x.Iterator(), y.Iterator(); i.HasNext() == types.True && result != types.False; {
		result = and(result, b.equal(i.Next(), j.Next()))
	}
	return result
}

// equalMaps is equalLists for maps.
func (b *bill) equalMaps(x, y traits.Mapper) ref.Val {
	if x.Size() != y.Size() {
		return types.False
	}
	result := ref.Val(types.True)
	for it := x.Iterator(); it.HasNext() == types.True && result != types.False; {
		key := it.Next()
		b.charge(unitsPerEntry + textUnits(key))
		value, found := x.Find(key)
		other, foundOther := y.Find(key)
		switch {
		case !found:
			result = and(result, types.WrapErr(errNull))
		case !foundOther:
			result = types.False
		default:
			result = and(result, b.equal(value, other))
		}
	}
	return result
}

// and is && of CEL: false if one side is false, or an error if one side is.
func and(a, b ref.Val) ref.Val {
	if a == types.False || b == types.True {
		return a
	}
	if b == types.False || a == types.True {
		return b
	}
	return a
}

// or is || of CEL.
func or(a, b ref.Val) ref.Val {
	if a == types.True || b == types.False {
		return a
	}
	if b == types.True || a == types.False {
		return b
	}
	return a
}

// in returns whether a list or a map has a value, or an error.
func (b *bill) in(value, in ref.Val) ref.Val {
	switch in := in.(type) {
	case traits.Mapper:
		return b.inMap(value, in)
	case traits.Lister:
		return b.inList(value, in)
	default:
		return types.NewErr("no such overload")
	}
}

func (b *bill) inMap(key ref.Val, in traits.Mapper) ref.Val {
	b.charge(textUnits(key))
	switch key := key.(type) {
	case types.String, types.Bool, types.Int, types.Uint, types.Double:
		if isRounded(key) {
			return types.WrapErr(errRounded)
		}
		_, found := in.Find(key)
		return types.Bool(found)
	default:
		return types.NewErr("no such overload")
	}
}

func (b *bill) inList(value ref.Val, in traits.Lister) ref.Val {
	if text, ok := value.(types.String); ok {
		if list, ok := in.(*texts); ok {
			return types.Bool(slices.ContainsFunc(*list, func(s string) bool {
				b.charge(1)
				return b.equalTexts(string(text), s)
			}))
		}
		if list, ok := in.Value().([]any); ok {
			return b.inClaims(text, list)
		}
	}
	result := ref.Val(types.False)
	for it := in.Iterator(); it.HasNext() == types.True && result != types.True; {
		result = or(result, b.equal(value, it.Next()))
	}
	return result
}

// inClaims is inList for a list of JSON, whose strings need no conversion.
func (b *bill) inClaims(value types.String, list []any) ref.Val {
	result := ref.Val(types.False)
	for _, element := range list {
		if text, ok := element.(string); ok {
			b.charge(1)
			if b.equalTexts(string(value), text) {
				return types.True
			}
			continue
		}
		result = or(result, b.equal(value, adapter{}.NativeToValue(element)))
	}
	return result
}

// contains returns whether a list has all elements of another one.
func (b *bill) contains(list, elements traits.Lister) ref.Val {
	result := ref.Val(types.True)
	for it := elements.Iterator(); it.HasNext() == types.True && result != types.False; {
		b.charge(1)
		result = and(result, b.inList(it.Next(), list))
	}
	return result
}

// intersects returns whether two lists have an element in common.
func (b *bill) intersects(x, y traits.Lister) ref.Val {
	result := ref.Val(types.False)
	for it := x.Iterator(); it.HasNext() == types.True && result != types.True; {
		b.charge(1)
		result = or(result, b.inList(it.Next(), y))
	}
	return result
}
