package policyfile

import (
	"strings"
	"unicode"

	"buf.build/go/protoyaml"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// isKind reports whether a node is a mapping, a list or a scalar that says something. If
// not, it adds a fault.
func (c *checker) isKind(node *yaml.Node, path string, kind yaml.Kind) bool {
	switch {
	case node.Kind == yaml.AliasNode:
		c.fault(node, path, "*"+node.Value, "is an alias, which a policy does not have", "write out what it stands for")
	case node.Tag == "!!null":
		c.fault(node, path, "", "has no value", "write one, or remove it")
	case node.Kind != kind && kind == yaml.SequenceNode && node.Kind == yaml.ScalarNode:
		c.fault(node, path, node.Value, "is "+kindOf(node)+", not a list", "write ["+clip(node.Value)+"]")
	case node.Kind != kind:
		c.fault(node, path, "", "is "+kindOf(node)+", not "+nameOf(kind), "")
	case kind != yaml.ScalarNode && len(node.Content) == 0:
		c.fault(node, path, "", "is empty, and would say nothing", "write what is meant, or remove it")
	case !strings.HasPrefix(node.Tag, "!!"):
		c.fault(node, path, node.Tag, "is a tag that a policy does not have", "remove it")
	default:
		return true
	}
	return false
}

// isKey reports whether a node is a name. If not, it adds a fault.
func (c *checker) isKey(node *yaml.Node, path string) bool {
	switch {
	case node.Tag == "!!merge":
		c.fault(node, path, node.Value, "merges mappings, which a policy does not do", "write out what is merged")
	case node.Kind != yaml.ScalarNode || node.Tag == "!!null":
		c.fault(node, path, "", "is "+kindOf(node)+", not a name", "")
	case node.Tag != "!!str":
		c.fault(node, path, node.Value, "is "+kindOf(node)+", not a name", "put it in quotes if it is one")
	case node.Value == "":
		c.fault(node, path, "", "has a name that is empty", "")
	default:
		return true
	}
	return false
}

// text checks a string. A number or a boolean is none: which text it stands for would
// depend on the parser.
func (c *checker) text(node *yaml.Node, path string) {
	if c.isKind(node, path, yaml.ScalarNode) && node.Tag != "!!str" {
		c.fault(node, path, node.Value, "is "+kindOf(node)+", not a string", "put it in quotes")
	}
}

func (c *checker) boolean(node *yaml.Node, path string) {
	if c.isKind(node, path, yaml.ScalarNode) && (node.Tag != "!!bool" || node.Value != "true" && node.Value != "false") {
		c.fault(node, path, node.Value, "is not a boolean", "write true or false, without quotes")
	}
}

func (c *checker) duration(node *yaml.Node, path string) {
	if !c.isKind(node, path, yaml.ScalarNode) {
		return
	}
	_, err := protoyaml.ParseDuration(node.Value)
	switch {
	case err == nil:
	case node.Tag == "!!int":
		c.fault(node, path, node.Value, "has no unit", "write "+clip(node.Value)+"s for seconds")
	default:
		c.fault(node, path, node.Value, "is not a duration", "write it such as 300s, 5m or 1h30m")
	}
}

// enum checks the name of a value. Its number, which JSON allows, says nothing to those
// who read the file.
func (c *checker) enum(node *yaml.Node, path string, enum protoreflect.EnumDescriptor) {
	if !c.isKind(node, path, yaml.ScalarNode) || enum.Values().ByName(protoreflect.Name(node.Value)) != nil {
		return
	}
	var names []string
	for i := range enum.Values().Len() {
		if value := enum.Values().Get(i); value.Number() != 0 {
			names = append(names, string(value.Name()))
		}
	}
	c.fault(node, path, node.Value, "is not a value of "+string(enum.Name()), "write "+strings.Join(names, " or "))
}

// kindOf describes a node, with its article.
func kindOf(node *yaml.Node) string {
	if node.Kind != yaml.ScalarNode {
		return nameOf(node.Kind)
	}
	switch node.Tag {
	case "!!str":
		return "a string"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	default:
		return "a value with the tag " + strings.Map(visible, clip(node.Tag))
	}
}

// visible replaces what a log does not show: an escape may put any character into a tag.
func visible(r rune) rune {
	if !unicode.IsPrint(r) {
		return unicode.ReplacementChar
	}
	return r
}

func nameOf(kind yaml.Kind) string {
	switch kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	default:
		return "a single value"
	}
}
