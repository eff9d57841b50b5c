package cel

import (
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A scope knows the types that one text can name: those of the facts, those of messages
// that can be reached from the request, found as they are asked for, and enums of the
// request's file and what it imports. It is for one compilation, so that two messages of
// one name never meet.
type scope struct {
	types.Provider // the types of the language, and well-known messages

	request  protoreflect.MessageDescriptor // or nil
	messages map[string]protoreflect.MessageDescriptor
}

func newScope(base types.Provider, request protoreflect.MessageDescriptor) *scope {
	s := &scope{Provider: base, request: request}
	if request != nil {
		s.messages = make(map[string]protoreflect.MessageDescriptor)
		s.add(request)
	}
	return s
}

func (s *scope) add(message protoreflect.MessageDescriptor) {
	s.messages[string(message.FullName())] = message
}

// FindStructType implements types.Provider.
func (s *scope) FindStructType(name string) (*types.Type, bool) {
	if facts[name] != nil || s.messages[name] != nil {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return s.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (s *scope) FindStructFieldNames(name string) ([]string, bool) {
	if fields := facts[name]; fields != nil {
		return sortedKeys(fields), true
	}
	message := s.messages[name]
	if message == nil {
		return s.Provider.FindStructFieldNames(name)
	}
	var names []string
	for i := range message.Fields().Len() {
		names = append(names, string(message.Fields().Get(i).Name()))
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (s *scope) FindStructFieldType(structType, fieldName string) (*types.FieldType, bool) {
	if fields := facts[structType]; fields != nil {
		found, ok := fields[fieldName]
		return found, ok
	}
	message := s.messages[structType]
	if message == nil {
		return s.Provider.FindStructFieldType(structType, fieldName)
	}
	descriptor := message.Fields().ByName(protoreflect.Name(fieldName))
	if descriptor == nil {
		return nil, false
	}
	value := descriptor
	if descriptor.IsMap() {
		value = descriptor.MapValue()
	}
	if value.Message() != nil && !isWellKnown(value.Message().FullName()) {
		s.add(value.Message())
	}
	return newField(descriptor), true
}

// EnumValue implements types.Provider. The name is that of CEL, such as
// shop.v1.Color.COLOR_RED, where protobuf says shop.v1.COLOR_RED.
func (s *scope) EnumValue(name string) ref.Val {
	if enum, value, ok := cutLast(name); ok && s.request != nil && !isVariable(name) {
		found := findEnum(s.request.ParentFile(), protoreflect.FullName(enum), make(map[string]bool))
		if found != nil {
			if constant := found.Values().ByName(protoreflect.Name(value)); constant != nil {
				return types.Int(constant.Number())
			}
		}
	}
	return s.Provider.EnumValue(name)
}

// isVariable reports whether a name begins with that of a variable, as most names do that
// are looked for among the enums.
func isVariable(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return first == nameToken || first == nameRPC || first == nameRequest || first == nameNow
}

func cutLast(name string) (before, after string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// findEnum looks for an enum in a file and what it imports.
func findEnum(file protoreflect.FileDescriptor, name protoreflect.FullName, seen map[string]bool) protoreflect.EnumDescriptor {
	if file == nil || file.IsPlaceholder() || seen[file.Path()] {
		return nil
	}
	seen[file.Path()] = true
	if rest, ok := strings.CutPrefix(string(name), string(file.Package())); ok {
		if found := enumIn(file, strings.Split(strings.TrimPrefix(rest, "."), ".")); found != nil {
			return found
		}
	}
	for i := range file.Imports().Len() {
		if found := findEnum(file.Imports().Get(i).FileDescriptor, name, seen); found != nil {
			return found
		}
	}
	return nil
}

// enumIn follows the names of messages to an enum.
func enumIn(in interface {
	Enums() protoreflect.EnumDescriptors
	Messages() protoreflect.MessageDescriptors
}, path []string,
) protoreflect.EnumDescriptor {
	if len(path) == 1 {
		return in.Enums().ByName(protoreflect.Name(path[0]))
	}
	message := in.Messages().ByName(protoreflect.Name(path[0]))
	if message == nil {
		return nil
	}
	return enumIn(message, path[1:])
}
