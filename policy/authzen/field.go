package authzen

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A field is the path to a field of the message.
type field struct {
	steps []protoreflect.FieldDescriptor
	// list is the index of the step that is repeated, or -1.
	list int
}

func (*field) needsMessage() bool { return true }

// own returns the descriptor that the type of a message has for a field. A message may be of
// another version of its type than that which the question was compiled for, such as that of a
// descriptor set. The field has to be the same in both.
func own(message protoreflect.Message, step protoreflect.FieldDescriptor) (protoreflect.FieldDescriptor, error) {
	if message.Descriptor() == step.ContainingMessage() {
		return step, nil
	}
	found := message.Descriptor().Fields().ByName(step.Name())
	if message.Descriptor().FullName() != step.ContainingMessage().FullName() || found == nil ||
		found.Number() != step.Number() || found.Kind() != step.Kind() || found.Cardinality() != step.Cardinality() ||
		found.IsMap() != step.IsMap() || found.HasPresence() != step.HasPresence() {
		return nil, errMessage
	}
	return found, nil
}

// read returns the value at a path below a message, and its descriptor. It is not ok if a
// field on the way is not set.
func read(message protoreflect.Message, steps []protoreflect.FieldDescriptor) (at protoreflect.FieldDescriptor, v protoreflect.Value, ok bool, err error) {
	for i, step := range steps {
		if at, err = own(message, step); err != nil {
			return nil, v, false, err
		}
		if at.HasPresence() && !message.Has(at) {
			return nil, v, false, nil
		}
		v = message.Get(at)
		if i < len(steps)-1 {
			message = v.Message()
		}
	}
	return at, v, true, nil
}

func (f *field) appendJSON(b []byte, d *draft) ([]byte, bool, error) {
	at, v, ok, err := read(d.message, f.steps)
	if !ok {
		return b, false, err
	}
	before := len(b)
	if b, err = appendField(b, at, v); err != nil {
		return b, false, err
	}
	return b, string(b[before:]) != "null", nil // as of google.protobuf.NullValue
}

func (f *field) appendID(b []byte, d *draft) ([]byte, error) {
	return appendIDBelow(b, d.message, f.steps)
}

func appendIDBelow(b []byte, message protoreflect.Message, steps []protoreflect.FieldDescriptor) ([]byte, error) {
	at, v, ok, err := read(message, steps)
	switch {
	case err != nil:
		return b, err
	case !ok:
		return b, errAbsent
	default:
		return appendIDOf(b, at, v)
	}
}

// eachID calls write for each element of the list. The function that it gets appends the ID of
// the element.
func (f *field) eachID(d *draft, write func(appendID func(b []byte, d *draft) ([]byte, error)) error) error {
	at, v, ok, err := read(d.message, f.steps[:f.list+1])
	if err != nil || !ok {
		return err
	}
	list, rest := v.List(), f.steps[f.list+1:]
	for i := range list.Len() {
		element := list.Get(i)
		err := write(func(b []byte, _ *draft) ([]byte, error) {
			if len(rest) == 0 {
				return appendIDOf(b, at, element)
			}
			return appendIDBelow(b, element.Message(), rest)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
