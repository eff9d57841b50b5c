package authzen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// A compiler compiles one question.
type compiler struct {
	target policy.Target
	faults []string
}

// compile compiles a question. The error says everything that is wrong with it.
func compile(question policy.Question, target policy.Target) (*template, error) {
	c := compiler{target: target}
	t := &template{
		request:  target.Request,
		subject:  c.subject(question.Subject),
		action:   c.action(question.Action),
		resource: c.entity("Resource", question.Resource, true),
		context:  c.members("Context", question.Context),
	}
	if len(c.faults) > 0 {
		return nil, errors.New(strings.Join(c.faults, "; "))
	}
	t.list, _ = t.resource.id.(*field)
	if t.list != nil && t.list.list < 0 {
		t.list = nil
	}
	t.readsMessage = t.subject.needsMessage() || t.resource.needsMessage() || needMessage(t.context)
	return t, nil
}

// fault adds a fault of a part of the question, such as Resource.ID.
func (c *compiler) fault(place, format string, args ...any) {
	c.faults = append(c.faults, place+" "+fmt.Sprintf(format, args...))
}

// subject compiles the subject, which may be left to the token.
func (c *compiler) subject(e policy.Entity) entity {
	if e.Type != "" || e.ID != "" {
		return c.entity("Subject", e, false)
	}
	return entity{properties: c.members("Subject.Properties", e.Properties)}
}

func (c *compiler) entity(place string, e policy.Entity, mayList bool) entity {
	compiled := entity{
		kind:       c.text(place+".Type", e.Type),
		path:       e.ID,
		id:         c.value(place+".ID", e.ID),
		properties: c.members(place+".Properties", e.Properties),
	}
	switch id := compiled.id.(type) {
	case literal:
		if id == `""` {
			c.fault(place+".ID", "%q is empty", e.ID)
		}
	case listFact, timeFact:
		c.fault(place+".ID", "%q is not a single text", e.ID)
	case *field:
		c.checkID(place+".ID", e.ID, id, mayList)
	}
	return compiled
}

// checkID adds a fault if a field cannot be an ID.
func (c *compiler) checkID(place, path string, id *field, mayList bool) {
	last := id.steps[len(id.steps)-1]
	switch {
	case last.IsMap() || !isID(last.Kind()) || last.Kind() == protoreflect.EnumKind && last.Enum().FullName() == nullValue:
		c.fault(place, "%q is of a type that is no ID: text, bytes, an integer and an enum are", path)
	case id.list >= 0 && !mayList:
		c.fault(place, "%q is repeated, which only the ID of the resource may be", path)
	}
}

// text compiles a plain text to a JSON string.
func (c *compiler) text(place, text string) string {
	switch {
	case text == "":
		c.fault(place, "is required")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		c.fault(place, "%q has a character that does not belong into a name", text)
	case strings.HasPrefix(text, "'"):
		c.fault(place, "%q is a plain text, which has no quotes", text)
	}
	encoded, _ := appendText(nil, text) // It fails if there is a fault.
	return string(encoded)
}

func (c *compiler) action(name string) string {
	if name == "" {
		name = c.target.Method
	}
	if name == "" {
		return ""
	}
	return c.text("Action", name)
}

// members compiles values by their names, in the order of these.
func (c *compiler) members(place string, values map[string]string) []property {
	var compiled []property
	for _, name := range sortedKeys(values) {
		at := place + "[" + strconv.Quote(name) + "]"
		m := property{name: c.text(at, name) + ":", path: values[name], value: c.value(at, values[name])}
		if f, ok := m.value.(*field); ok && f.list >= 0 && f.list < len(f.steps)-1 {
			c.fault(at, "%q goes through a repeated field, which only the ID of the resource may", values[name])
		}
		compiled = append(compiled, m)
	}
	return compiled
}

// value compiles a path or a literal. It returns nil if there is a fault.
func (c *compiler) value(place, text string) value {
	if content, ok := parseLiteral(text); ok {
		encoded, _ := appendText(nil, content) // It is UTF-8.
		return literal(encoded)
	}
	names, err := parsePath(text)
	switch {
	case text == "":
		c.fault(place, "is required")
	case err != nil:
		c.fault(place, "%q %v", text, err)
	case names[0] == "request":
		return c.field(place, text, names[1:])
	case names[0] == "token" && len(names) > 1 && names[1] == "claims":
		if len(names) == 2 {
			c.fault(place, "%q names no claim; write %s.tenant or the like", text, text)
			return nil
		}
		return claim(names[2:])
	case names[0] == "token" || names[0] == "rpc":
		if found := fact(strings.Join(names, ".")); found != nil {
			return found
		}
		c.fault(place, "%q is not a fact of the call%s", text, suggestion(factNames(names[0]), text))
	default:
		c.fault(place, "%q begins neither with token, rpc or request, nor with a single quote%s", text, c.meant(names[0]))
	}
	return nil
}

// meant says that a field of the message may have been meant.
func (c *compiler) meant(name string) string {
	if c.target.Request == nil || c.target.Request.Fields().ByName(protoreflect.Name(name)) == nil {
		return ""
	}
	return "; write request." + name
}

// field compiles a path to a field of the message.
func (c *compiler) field(place, path string, names []string) value {
	message := c.target.Request
	switch {
	case message == nil:
		c.fault(place, "%q is read from the message, which is known to the rule of a unary method with a descriptor alone", path)
		return nil
	case len(names) == 0:
		c.fault(place, "%q is the whole message; name a field of it", path)
		return nil
	}
	f := &field{list: -1}
	for i, name := range names {
		if message == nil {
			c.fault(place, "%q has %q behind a field that is no message", path, name)
			return nil
		}
		step := message.Fields().ByName(protoreflect.Name(name))
		if step == nil {
			c.fault(place, "%q: %s has no field %q%s", path, message.FullName(), name, suggestion(fieldNames(message), name))
			return nil
		}
		if step.IsList() {
			if f.list >= 0 {
				c.fault(place, "%q is repeated twice", path)
				return nil
			}
			f.list = i
		}
		f.steps = append(f.steps, step)
		if message = step.Message(); step.IsMap() {
			message = nil
		}
	}
	return f
}

func fieldNames(message protoreflect.MessageDescriptor) []string {
	names := make([]string, message.Fields().Len())
	for i := range names {
		names[i] = string(message.Fields().Get(i).Name())
	}
	return names
}
