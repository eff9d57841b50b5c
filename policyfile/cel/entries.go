package cel

import (
	"errors"
	"math"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// entries is a map field of a message as a value of CEL.
type entries struct {
	descriptor protoreflect.FieldDescriptor
	entries    protoreflect.Map
}

var (
	_ traits.Mapper   = (*entries)(nil)
	_ traits.Foldable = (*entries)(nil)
)

// key returns a key of the map's own kind, and whether there is one that is equal to a
// value of CEL.
func (e *entries) key(value ref.Val) (protoreflect.MapKey, bool) {
	var key any
	switch kind := e.descriptor.MapKey().Kind(); kind {
	case protoreflect.StringKind:
		text, ok := value.(types.String)
		return protoreflect.ValueOfString(string(text)).MapKey(), ok
	case protoreflect.BoolKind:
		is, ok := value.(types.Bool)
		return protoreflect.ValueOfBool(bool(is)).MapKey(), ok
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		number, ok := unsigned(value)
		is32 := kind == protoreflect.Uint32Kind || kind == protoreflect.Fixed32Kind
		switch {
		case !ok || is32 && number > math.MaxUint32:
			return protoreflect.MapKey{}, false
		case is32:
			key = uint32(number) //nolint:gosec // It is small enough.
		default:
			key = number
		}
	default: // The signed integers.
		number, ok := signed(value)
		is32 := kind == protoreflect.Int32Kind || kind == protoreflect.Sint32Kind || kind == protoreflect.Sfixed32Kind
		switch {
		case !ok || is32 && (number > math.MaxInt32 || number < math.MinInt32):
			return protoreflect.MapKey{}, false
		case is32:
			key = int32(number) //nolint:gosec // It is small enough.
		default:
			key = number
		}
	}
	return protoreflect.ValueOf(key).MapKey(), true
}

// signed returns the integer that a number of CEL is equal to.
func signed(value ref.Val) (int64, bool) {
	switch value := value.(type) {
	case types.Int:
		return int64(value), true
	case types.Uint:
		return int64(value), value <= math.MaxInt64 //nolint:gosec // The caller looks at both.
	case types.Double:
		number := int64(value)
		return number, types.Double(number) == value && !isRounded(value)
	default:
		return 0, false
	}
}

// unsigned is signed for unsigned integers.
func unsigned(value ref.Val) (uint64, bool) {
	if number, ok := value.(types.Uint); ok {
		return uint64(number), true
	}
	number, ok := signed(value)
	return uint64(number), ok && number >= 0 //nolint:gosec // The caller looks at both.
}

// Find does not find what is null.
func (e *entries) Find(key ref.Val) (ref.Val, bool) {
	found, ok := e.key(key)
	if !ok || !e.entries.Has(found) {
		return nil, false
	}
	value := singularValue(e.descriptor.MapValue(), e.entries.Get(found))
	if err, ok := value.(*types.Err); ok && errors.Is(err, errNull) {
		return nil, false
	}
	return value, true
}

func (e *entries) Get(key ref.Val) ref.Val {
	value, ok := e.Find(key)
	if !ok {
		return types.NewErr("no such key")
	}
	return value
}

func (e *entries) Contains(key ref.Val) ref.Val {
	_, ok := e.Find(key)
	return types.Bool(ok)
}

func (e *entries) Size() ref.Val { return types.Int(e.entries.Len()) }

// Iterator iterates over the keys, which it copies.
func (e *entries) Iterator() traits.Iterator {
	keys := make([]ref.Val, 0, e.entries.Len())
	e.entries.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, singularValue(e.descriptor.MapKey(), key.Value()))
		return true
	})
	return types.NewRefValList(adapter{}, keys).Iterator()
}

// Fold iterates over the entries, without a copy of the keys.
func (e *entries) Fold(folder traits.Folder) {
	e.entries.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		return folder.FoldEntry(singularValue(e.descriptor.MapKey(), key.Value()), singularValue(e.descriptor.MapValue(), value))
	})
}

func (e *entries) Equal(other ref.Val) ref.Val { return unlimited().equal(e, other) }
func (e *entries) Type() ref.Type              { return types.MapType }
func (e *entries) Value() any                  { return e.entries }

func (e *entries) ConvertToType(kind ref.Type) ref.Val { return convertMap(e, kind) }

func (e *entries) ConvertToNative(reflect.Type) (any, error) { return nil, errForeign }
