package authzen

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// appendField appends the value of a field as ProtoJSON writes it.
func appendField(b []byte, at protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	switch {
	case at.IsMap():
		return appendMap(b, at, v.Map())
	case at.IsList():
		return appendList(b, at, v.List())
	default:
		return appendSingular(b, at, v)
	}
}

func appendList(b []byte, at protoreflect.FieldDescriptor, list protoreflect.List) (_ []byte, err error) {
	b = append(b, '[')
	for i := range list.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendSingular(b, at, list.Get(i)); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// appendMap appends the entries in the order of their keys.
func appendMap(b []byte, at protoreflect.FieldDescriptor, entries protoreflect.Map) (_ []byte, err error) {
	keys := make([]protoreflect.MapKey, 0, entries.Len())
	for key := range entries.Range {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y protoreflect.MapKey) int { return strings.Compare(x.String(), y.String()) })
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendText(b, key.String()); err != nil {
			return b, err
		}
		b = append(b, ':')
		if b, err = appendSingular(b, at.MapValue(), entries.Get(key)); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

func appendSingular(b []byte, at protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	switch at.Kind() {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool()), nil
	case protoreflect.StringKind:
		return appendText(b, v.String())
	case protoreflect.BytesKind:
		return appendBytes(b, v.Bytes()), nil
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return appendFloat(b, v.Float(), at.Kind() == protoreflect.FloatKind)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case protoreflect.EnumKind:
		return appendEnum(b, at, v.Enum()), nil
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return appendMessage(b, v.Message())
	default: // 64 bits, more than a number of JSON is sure to hold (RFC 7493 §2.2).
		return appendIDOf(b, at, v)
	}
}

// nullValue is the enum that stands for null.
const nullValue = "google.protobuf.NullValue"

func appendEnum(b []byte, at protoreflect.FieldDescriptor, number protoreflect.EnumNumber) []byte {
	if at.Enum().FullName() == nullValue {
		return append(b, "null"...)
	}
	known := at.Enum().Values().ByNumber(number)
	if known == nil {
		return strconv.AppendInt(b, int64(number), 10)
	}
	b = append(b, '"')
	b = append(b, known.Name()...)
	return append(b, '"')
}

// appendMessage appends a message without the spaces that package protojson puts in at will.
func appendMessage(b []byte, message protoreflect.Message) ([]byte, error) {
	encoded, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(message.Interface())
	if err != nil {
		return b, errNotJSON // The error may hold the value.
	}
	compact := bytes.NewBuffer(b)
	if err := json.Compact(compact, encoded); err != nil {
		return b, errNotJSON
	}
	return compact.Bytes(), nil
}

// isID reports whether a field of a kind can be an ID.
func isID(kind protoreflect.Kind) bool {
	switch kind {
	case protoreflect.BoolKind, protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return false
	default:
		return true
	}
}

// appendIDOf appends a value of a kind that can be an ID as a JSON string.
func appendIDOf(b []byte, at protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	switch at.Kind() {
	case protoreflect.StringKind:
		return appendIDText(b, v.String())
	case protoreflect.BytesKind:
		if len(v.Bytes()) == 0 {
			return b, errEmpty
		}
		return appendBytes(b, v.Bytes()), nil
	case protoreflect.EnumKind:
		known := at.Enum().Values().ByNumber(v.Enum())
		if known == nil {
			return appendIDNumber(b, int64(v.Enum())), nil
		}
		return appendIDText(b, string(known.Name()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		b = append(b, '"')
		b = strconv.AppendUint(b, v.Uint(), 10)
		return append(b, '"'), nil
	default:
		return appendIDNumber(b, v.Int()), nil
	}
}
