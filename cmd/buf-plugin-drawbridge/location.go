package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"buf.build/go/bufplugin/check"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// report adds an annotation at a path in the file of an element.
func (e *element) report(w check.ResponseWriter, path protoreflect.SourcePath, message string) {
	file := e.descriptor.ParentFile()
	w.AddAnnotation(
		check.WithMessage(message),
		check.WithFileNameAndSourcePath(file.Path(), nearest(file.SourceLocations(), path)),
	)
}

// nearest returns the path of the location that is nearest to a path, and nil if the
// file has no locations. That is the path itself, else the first location inside of it,
// else one beside or round it: compilers leave out what is a part of a literal. Buf has
// one location for a list that is written as one, that of its first element.
func nearest(locations protoreflect.SourceLocations, path protoreflect.SourcePath) protoreflect.SourcePath {
	left := int32(-1) // the step that was left last
	for n := len(path); n > 0; n-- {
		if exact := locations.ByPath(path[:n]); len(exact.Path) > 0 {
			return exact.Path
		}
		var inside protoreflect.SourcePath
		for i := range locations.Len() {
			found := locations.Get(i).Path
			if len(found) <= n || !slices.Equal(found[:n], path[:n]) {
				continue
			}
			if inside == nil || inside[n] < found[n] && found[n] <= left {
				inside = found
			}
		}
		if inside != nil {
			return inside
		}
		left = path[n-1]
	}
	return nil
}

// step is one step of an address: the name of a field, or an index.
var step = regexp.MustCompile(`\w+`)

// at returns the path of a field of the option of e, and its address as a message shows
// it. The address is "rule.any_scope_sets[1].scopes", or the same in the names of package
// policy. If that is a list of strings, the path is that of the last which equals value.
// Steps that the option does not have are left out.
func (e *element) at(address, value string) (path protoreflect.SourcePath, text string) {
	w := walker{path: slices.Clone(e.path), message: e.option.ProtoReflect()}
	for _, name := range step.FindAllString(address, -1) {
		if !w.enter(name) {
			break
		}
	}
	if w.message != nil && w.message.Descriptor().FullName() == scopeSet {
		w.enter("scopes")
	}
	if w.list != nil && w.field.Kind() == protoreflect.StringKind {
		for i := w.list.Len() - 1; i >= 0; i-- {
			if w.list.Get(i).String() == value {
				w.path = append(w.path, int32(i)) //nolint:gosec // It is the index of a list.
				break
			}
		}
	}
	return w.path, strings.TrimPrefix(strings.TrimPrefix(w.text, ".rule"), ".")
}

// scopeSet is the message that package policy has no name for: a set is a list.
var scopeSet = (*drawbridgev1.ScopeSet)(nil).ProtoReflect().Descriptor().FullName()

// A walker walks into a message.
type walker struct {
	path protoreflect.SourcePath
	text string
	// Where it is: in a message, or a list of field, or neither.
	message protoreflect.Message
	list    protoreflect.List
	field   protoreflect.FieldDescriptor
}

// enter takes one step. It reports whether there is something to enter.
func (w *walker) enter(name string) bool {
	if w.list != nil {
		return w.enterElement(name)
	}
	if w.message == nil {
		return false
	}
	w.field = fieldNamed(w.message.Descriptor(), name)
	if w.field == nil {
		return false
	}
	value := w.message.Get(w.field)
	w.message = nil
	switch {
	case w.field.IsList():
		w.list = value.List()
	case w.field.Message() != nil && !w.field.IsMap():
		w.message = value.Message()
	}
	w.path = append(w.path, int32(w.field.Number()))
	w.text += "." + string(w.field.Name())
	return true
}

func (w *walker) enterElement(name string) bool {
	index, err := strconv.Atoi(name)
	if err != nil || index >= w.list.Len() {
		return false
	}
	if w.field.Message() != nil {
		w.message = w.list.Get(index).Message()
	}
	w.list = nil
	w.path = append(w.path, int32(index)) //nolint:gosec // It is the index of a list.
	w.text += "[" + name + "]"
	return true
}

// fieldNamed finds a field by its name, acr_values, or by that of package policy,
// ACRValues.
func fieldNamed(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if string(field.Name()) == name || strings.EqualFold(strings.ReplaceAll(string(field.Name()), "_", ""), name) {
			return field
		}
	}
	return nil
}
