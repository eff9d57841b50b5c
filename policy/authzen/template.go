package authzen

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A template is a compiled question. It is immutable.
type template struct {
	request  protoreflect.MessageDescriptor // of the messages, or nil
	subject  entity                         // without an ID if it is left to the token
	action   string                         // a JSON string, or empty if it is the method of the call
	resource entity
	list     *field // the ID of the resource if that is a list
	context  []property

	readsMessage bool
}

// An entity is a subject or a resource.
type entity struct {
	kind       string // a JSON string
	path       string // of the ID, for the log
	id         value
	properties []property
}

// A property is a member of an object.
type property struct {
	name  string // a JSON string and a colon
	path  string // for the log
	value value
}

func needMessage(properties []property) bool {
	return slices.ContainsFunc(properties, func(p property) bool { return p.value.needsMessage() })
}

func (e *entity) needsMessage() bool {
	return e.id != nil && e.id.needsMessage() || needMessage(e.properties)
}

// NeedsMessage implements policy.Condition.
func (t *template) NeedsMessage() bool { return t.readsMessage }

// Claims implements policy.ClaimReader.
func (t *template) Claims() []string {
	var names []string
	for _, v := range t.values() {
		if c, ok := v.(claim); ok {
			names = append(names, c[0])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// values returns everything that is read from a call, apart from a list.
func (t *template) values() []value {
	values := []value{t.subject.id, t.resource.id}
	for _, p := range slices.Concat(t.subject.properties, t.resource.properties, t.context) {
		values = append(values, p.value)
	}
	return values
}
