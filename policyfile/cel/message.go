package cel

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A message is a value of CEL. The checked parts of a condition read its fields by their
// descriptors. If the type of a part is not known before, such as of an element of a list
// of different messages, its fields are not read: one of them may be a google.protobuf.Any.
type message struct{ message protoreflect.Message }

var (
	_ ref.Val            = (*message)(nil)
	_ traits.Indexer     = (*message)(nil)
	_ traits.FieldTester = (*message)(nil)
)

// Get returns an error.
func (*message) Get(ref.Val) ref.Val { return types.WrapErr(errWhole) }

// IsSet returns an error.
func (*message) IsSet(ref.Val) ref.Val { return types.WrapErr(errWhole) }

// Equal returns an error: a condition compares fields.
func (*message) Equal(ref.Val) ref.Val { return types.WrapErr(errWhole) }

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
