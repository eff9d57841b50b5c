package cel

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A message is a value of CEL. The checked parts of a condition read its fields by their
// descriptors; Get and IsSet are for those whose type is not known before, such as an
// element of a list of different messages.
type message struct{ message protoreflect.Message }

var (
	_ ref.Val            = (*message)(nil)
	_ traits.Indexer     = (*message)(nil)
	_ traits.FieldTester = (*message)(nil)
)

func (m *message) find(name ref.Val) protoreflect.FieldDescriptor {
	text, _ := name.(types.String)
	return m.message.Descriptor().Fields().ByName(protoreflect.Name(text))
}

func (m *message) Get(name ref.Val) ref.Val {
	descriptor := m.find(name)
	if descriptor == nil {
		return types.NewErr("no such field")
	}
	return valueOf(descriptor, m.message.Get(descriptor))
}

func (m *message) IsSet(name ref.Val) ref.Val {
	descriptor := m.find(name)
	if descriptor == nil {
		return types.NewErr("no such field")
	}
	return types.Bool(m.message.Has(descriptor))
}

// Equal reports whether another value is a message with the same fields. A condition
// that compares messages as a whole is a fault, but the elements of a list may be of any
// type. It is no error, because CEL takes two lists for equal if comparing their elements is.
func (m *message) Equal(other ref.Val) ref.Val {
	o, ok := other.(*message)
	return types.Bool(ok && proto.Equal(m.message.Interface(), o.message.Interface()))
}

func (m *message) Type() ref.Type {
	return types.NewObjectType(string(m.message.Descriptor().FullName()))
}
func (m *message) Value() any { return m.message.Interface() }

func (m *message) ConvertToType(kind ref.Type) ref.Val {
	switch kind.TypeName() {
	case types.TypeType.TypeName():
		return types.NewObjectType(string(m.message.Descriptor().FullName()))
	case string(m.message.Descriptor().FullName()):
		return m
	default:
		return types.NewErr("type conversion error")
	}
}

func (m *message) ConvertToNative(reflect.Type) (any, error) { return nil, errForeign }
