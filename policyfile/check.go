package policyfile

import (
	"fmt"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxFaults bounds the faults of one file.
const maxFaults = 100

// A checker compares the nodes of a file with the messages that they are written for.
// Every value has to be what it looks like: protoyaml takes a number for a string, the
// number of a field for its name, and the second of two equal keys.
type checker struct {
	name   string
	faults fault.List
	omits  bool // whether there were more faults than maxFaults
}

// fault adds a fault at a node. The path is that of the value in the file.
func (c *checker) fault(node *yaml.Node, path, value, reason, remedy string) {
	switch {
	case c.faults.Len() < maxFaults-1:
		c.faults.AddAt(at(c.name, node.Line, node.Column), place(path), clip(value), reason, remedy)
	case !c.omits:
		c.omits = true
		c.faults.AddAt(at(c.name, node.Line, node.Column), place(""), "", "has further faults from here on", "correct the others first")
	}
}

// policy checks the root of a file.
func (c *checker) policy(root *yaml.Node) {
	if root.Tag == "!!null" || root.Kind == yaml.MappingNode && len(root.Content) == 0 {
		c.fault(root, "", "", "is empty", emptyRemedy)
		return
	}
	c.message(root, "", (*drawbridgev1.Policy)(nil).ProtoReflect().Descriptor())
}

// message checks a mapping whose keys are the fields of a message.
func (c *checker) message(node *yaml.Node, path string, message protoreflect.MessageDescriptor) {
	if !c.isKind(node, path, yaml.MappingNode) {
		return
	}
	seen := make(map[protoreflect.FieldNumber]*yaml.Node)
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if !c.isKey(key, path) {
			continue
		}
		field := fieldOf(message, key.Value)
		switch {
		case field == nil:
			c.fault(key, path, key.Value, "is not a field of "+string(message.Name()), unknownRemedy(message, key.Value))
			continue
		case seen[field.Number()] != nil:
			c.duplicate(key, path, seen[field.Number()])
		default:
			seen[field.Number()] = key
		}
		c.field(value, join(path, string(field.Name())), field)
	}
}

// fieldOf returns the field of a name, as it stands in the protobuf file or in JSON.
func fieldOf(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByName(protoreflect.Name(name)); field != nil {
		return field
	}
	return message.Fields().ByJSONName(name)
}

func (c *checker) duplicate(key *yaml.Node, path string, first *yaml.Node) {
	c.fault(key, path, key.Value, "is written twice, the first time at "+at(c.name, first.Line, first.Column), "keep one")
}

// field checks the value of a field.
func (c *checker) field(node *yaml.Node, path string, field protoreflect.FieldDescriptor) {
	switch {
	case field.IsMap():
		c.entries(node, path, field.MapValue())
	case field.IsList():
		if !c.isKind(node, path, yaml.SequenceNode) {
			return
		}
		for i, element := range node.Content {
			c.value(element, fmt.Sprintf("%s[%d]", path, i), field)
		}
	default:
		if node.Kind == yaml.ScalarNode && node.Tag == "!!str" && node.Value == "" {
			c.fault(node, path, "", "is empty, and would say nothing", "write a value, or remove it")
			return
		}
		c.value(node, path, field)
	}
}

// entries checks a mapping whose keys are names that the file chooses.
func (c *checker) entries(node *yaml.Node, path string, value protoreflect.FieldDescriptor) {
	if !c.isKind(node, path, yaml.MappingNode) {
		return
	}
	seen := make(map[string]*yaml.Node)
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if !c.isKey(key, path) {
			continue
		}
		if first := seen[key.Value]; first != nil {
			c.duplicate(key, path, first)
		} else {
			seen[key.Value] = key
		}
		c.value(node.Content[i+1], fmt.Sprintf("%s[%q]", path, clip(key.Value)), value)
	}
}

// value checks one value of a field.
func (c *checker) value(node *yaml.Node, path string, field protoreflect.FieldDescriptor) {
	switch field.Kind() {
	case protoreflect.MessageKind:
		if field.Message().FullName() == "google.protobuf.Duration" {
			c.duration(node, path)
			return
		}
		c.message(node, path, field.Message())
	case protoreflect.EnumKind:
		c.enum(node, path, field.Enum())
	case protoreflect.BoolKind:
		c.boolean(node, path)
	default:
		c.text(node, path)
	}
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }
