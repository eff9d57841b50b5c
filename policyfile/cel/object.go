package cel

import (
	"maps"
	"reflect"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// object is an object of JSON in the claims as a value of CEL. A member that is null is
// not found.
type object map[string]any

var _ traits.Mapper = object(nil)

// FindStringKey returns a member as CEL reads a name in the text.
func (o object) FindStringKey(name string) (any, bool) {
	value, ok := o[name]
	if members, isObject := value.(map[string]any); isObject {
		return object(members), true
	}
	return value, ok && value != nil
}

func (o object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	value, found := o.FindStringKey(string(name))
	if !found {
		return nil, false
	}
	return adapter{}.NativeToValue(value), true
}

func (o object) Get(key ref.Val) ref.Val {
	value, ok := o.Find(key)
	if !ok {
		return types.NewErr("no such key")
	}
	return value
}

func (o object) Contains(key ref.Val) ref.Val {
	_, ok := o.Find(key)
	return types.Bool(ok)
}

// Size counts also what is null.
func (o object) Size() ref.Val { return types.Int(len(o)) }

func (o object) Iterator() traits.Iterator {
	return types.NewStringList(adapter{}, slices.Collect(maps.Keys(o))).Iterator()
}

func (o object) Equal(other ref.Val) ref.Val { return unlimited().equal(o, other) }
func (o object) Type() ref.Type              { return types.MapType }
func (o object) Value() any                  { return map[string]any(o) }

func (o object) ConvertToType(kind ref.Type) ref.Val { return convertMap(o, kind) }

func (o object) ConvertToNative(reflect.Type) (any, error) { return nil, errForeign }

// convertMap converts a map as CEL does.
func convertMap(m traits.Mapper, kind ref.Type) ref.Val {
	switch kind {
	case types.MapType:
		return m
	case types.TypeType:
		return types.MapType
	default:
		return types.NewErr("type conversion error")
	}
}
