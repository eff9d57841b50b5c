package cel

import (
	"math"
	"reflect"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// adapter makes values of CEL from those of Go. It has no size.
type adapter struct{}

var _ types.Adapter = adapter{}

// NativeToValue implements types.Adapter. What is null is an error.
func (a adapter) NativeToValue(value any) ref.Val {
	switch value := value.(type) {
	case ref.Val:
		return value
	case proto.Message:
		return messageValue(value.ProtoReflect())
	case protoreflect.Message:
		return messageValue(value)
	case protoreflect.EnumNumber:
		return types.Int(value)
	case []any:
		return types.NewList(a, value)
	case []string:
		return (*texts)(&value)
	case map[string]any:
		return object(value)
	case nil:
		return types.WrapErr(errNull)
	}
	// A claim that a program has put there. What it holds is converted here, too.
	switch reflect.ValueOf(value).Kind() {
	case reflect.Slice, reflect.Array:
		if _, isBytes := value.([]byte); !isBytes {
			return types.NewDynamicList(a, value)
		}
	case reflect.Map:
		return types.NewDynamicMap(a, value)
	default:
	}
	if converted := types.DefaultTypeAdapter.NativeToValue(value); !types.IsError(converted) {
		return converted
	}
	return opaque{}
}

// valueOf returns the value of a field as CEL reads it.
func valueOf(descriptor protoreflect.FieldDescriptor, value protoreflect.Value) ref.Val {
	switch {
	case descriptor.IsMap():
		return &entries{descriptor: descriptor, entries: value.Map()}
	case descriptor.IsList():
		return types.NewProtoList(adapter{}, value.List())
	default:
		return singularValue(descriptor, value)
	}
}

func singularValue(descriptor protoreflect.FieldDescriptor, value protoreflect.Value) ref.Val {
	switch descriptor.Kind() {
	case protoreflect.BoolKind:
		return types.Bool(value.Bool())
	case protoreflect.StringKind:
		return types.String(value.String())
	case protoreflect.BytesKind:
		return types.Bytes(value.Bytes())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return types.Double(value.Float())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return types.Uint(value.Uint())
	case protoreflect.EnumKind:
		return types.Int(value.Enum())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageValue(value.Message())
	default: // The signed integers.
		return types.Int(value.Int())
	}
}

// isWellKnown reports whether CEL has values of its own for a message.
func isWellKnown(name protoreflect.FullName) bool {
	switch name {
	case "google.protobuf.Duration", "google.protobuf.Timestamp",
		"google.protobuf.Struct", "google.protobuf.ListValue", "google.protobuf.Value",
		"google.protobuf.BoolValue", "google.protobuf.BytesValue", "google.protobuf.DoubleValue", "google.protobuf.FloatValue",
		"google.protobuf.Int32Value", "google.protobuf.Int64Value", "google.protobuf.StringValue", "google.protobuf.UInt32Value",
		"google.protobuf.UInt64Value":
		return true
	default:
		return false
	}
}

// messageValue returns a message as CEL reads it. Well-known messages are read by their
// descriptors, because those of a descriptor set have other Go types.
func messageValue(m protoreflect.Message) ref.Val {
	switch name := m.Descriptor().FullName(); {
	case !isWellKnown(name):
		return &message{m}
	case name == "google.protobuf.Duration":
		return durationOf(numberAt(m, 1), numberAt(m, 2))
	case name == "google.protobuf.Timestamp":
		return timeOf(numberAt(m, 1), numberAt(m, 2))
	case name == "google.protobuf.Value":
		return jsonValue(m)
	case name != "google.protobuf.Struct" && name != "google.protobuf.ListValue" && !m.IsValid():
		return types.WrapErr(errNull) // There is no wrapper.
	default:
		only := m.Descriptor().Fields().ByNumber(1)
		return valueOf(only, m.Get(only))
	}
}

// The least and greatest time of a google.protobuf.Timestamp, in seconds since 1970: the
// years 1 and 9999.
const (
	leastTime    = -62_135_596_800
	greatestTime = 253_402_300_799
)

const secondNanos = int64(time.Second)

// timeOf returns the time that a google.protobuf.Timestamp is, or an error.
func timeOf(seconds, nanos int64) ref.Val {
	if seconds < leastTime || seconds > greatestTime || nanos < 0 || nanos >= secondNanos {
		return types.WrapErr(errRange)
	}
	return types.Timestamp{Time: time.Unix(seconds, nanos).UTC()}
}

// durationOf returns the duration that a google.protobuf.Duration is, or an error. What is
// too long for a [time.Duration], some 292 years, is too long for CEL.
func durationOf(seconds, nanos int64) ref.Val {
	const greatest = math.MaxInt64/secondNanos - 1
	if seconds < -greatest || seconds > greatest || nanos <= -secondNanos || nanos >= secondNanos ||
		seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 {
		return types.WrapErr(errRange)
	}
	return types.Duration{Duration: time.Duration(seconds*secondNanos + nanos)}
}

func numberAt(m protoreflect.Message, number protoreflect.FieldNumber) int64 {
	return m.Get(m.Descriptor().Fields().ByNumber(number)).Int()
}

// jsonValue is what a google.protobuf.Value holds.
func jsonValue(m protoreflect.Message) ref.Val {
	held := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind"))
	if held == nil || held.Kind() == protoreflect.EnumKind {
		return types.WrapErr(errNull)
	}
	return valueOf(held, m.Get(held))
}
