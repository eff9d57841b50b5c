package cel

import (
	"errors"

	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var errOtherVersion = errors.New("the message is of another version of its type")

// A field reads a field of messages.
type field struct{ descriptor protoreflect.FieldDescriptor }

// newField returns how CEL reads a field.
func newField(descriptor protoreflect.FieldDescriptor) *types.FieldType {
	f := field{descriptor}
	return &types.FieldType{Type: typeOf(descriptor), IsSet: f.isSet, GetFrom: f.get}
}

// isSet panics if the field cannot be read, because CEL takes no error here, and false
// might be what a condition is met by. Holds recovers.
func (f field) isSet(target any) bool {
	message, descriptor, err := f.in(target)
	if err != nil {
		panic(err)
	}
	if !message.Has(descriptor) {
		return false
	}
	if descriptor.Message() == nil || descriptor.IsList() || descriptor.IsMap() || descriptor.Message().FullName() != "google.protobuf.Value" {
		return true
	}
	return !types.IsError(jsonValue(message.Get(descriptor).Message()))
}

func (f field) get(target any) (any, error) {
	message, descriptor, err := f.in(target)
	if err != nil {
		return nil, err
	}
	value := valueOf(descriptor, message.Get(descriptor))
	if failed, ok := value.(*types.Err); ok {
		return nil, failed
	}
	return value, nil
}

// in returns a message with the descriptor that its own type has for the field. A message
// may be of another version of the type than that which the condition was compiled for,
// such as that of a descriptor set. The field has to be the same in both.
func (f field) in(target any) (protoreflect.Message, protoreflect.FieldDescriptor, error) {
	holder, ok := target.(proto.Message)
	if !ok {
		return nil, nil, errForeign
	}
	message := holder.ProtoReflect()
	if message.Descriptor() == f.descriptor.ContainingMessage() {
		return message, f.descriptor, nil
	}
	if message.Descriptor().FullName() != f.descriptor.ContainingMessage().FullName() {
		return nil, nil, errForeign
	}
	descriptor := message.Descriptor().Fields().ByNumber(f.descriptor.Number())
	if descriptor == nil || !isSame(descriptor, f.descriptor) {
		return nil, nil, errOtherVersion
	}
	return message, descriptor, nil
}

// isSame reports whether two fields of two versions of a message are read alike.
func isSame(a, b protoreflect.FieldDescriptor) bool {
	switch {
	case a.Name() != b.Name(), a.Number() != b.Number(), a.Kind() != b.Kind(), a.IsList() != b.IsList(), a.IsMap() != b.IsMap(),
		a.HasPresence() != b.HasPresence():
		return false
	case a.IsMap():
		return isSame(a.MapKey(), b.MapKey()) && isSame(a.MapValue(), b.MapValue())
	case a.Message() != nil:
		return a.Message().FullName() == b.Message().FullName()
	case a.Enum() != nil:
		return isSameEnum(a.Enum(), b.Enum())
	default:
		return true
	}
}

// isSameEnum compares names and numbers, because a condition has the numbers of the
// version that it was compiled for.
func isSameEnum(a, b protoreflect.EnumDescriptor) bool {
	if a == b {
		return true
	}
	if a.FullName() != b.FullName() || a.Values().Len() != b.Values().Len() {
		return false
	}
	for i := range a.Values().Len() {
		value := a.Values().Get(i)
		other := b.Values().ByName(value.Name())
		if other == nil || other.Number() != value.Number() {
			return false
		}
	}
	return true
}

// typeOf is the type that a field has in CEL.
func typeOf(descriptor protoreflect.FieldDescriptor) *types.Type {
	switch {
	case descriptor.IsMap():
		return types.NewMapType(singular(descriptor.MapKey()), singular(descriptor.MapValue()))
	case descriptor.IsList():
		return types.NewListType(singular(descriptor))
	default:
		return singular(descriptor)
	}
}

func singular(descriptor protoreflect.FieldDescriptor) *types.Type {
	switch descriptor.Kind() {
	case protoreflect.BoolKind:
		return types.BoolType
	case protoreflect.StringKind:
		return types.StringType
	case protoreflect.BytesKind:
		return types.BytesType
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return types.DoubleType
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return types.UintType
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return types.NewObjectType(string(descriptor.Message().FullName()))
	default: // The signed integers, and enums.
		return types.IntType
	}
}
