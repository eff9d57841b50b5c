package policyfile

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/drawbridge-rpc/drawbridge/policyfile/internal/spelling"
)

// unknownRemedy says what a key may have been meant to be that is no field of a message.
func unknownRemedy(message protoreflect.MessageDescriptor, key string) string {
	var names []string
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		names = append(names, string(field.Name()))
		// A common mistake is to leave out a level: scopes of a service, in place of
		// those of its rule.
		if field.Message() != nil && !field.IsMap() && !field.IsList() && fieldOf(field.Message(), key) != nil {
			return "write it below " + string(field.Name())
		}
	}
	if name := nearest(names, key); name != "" {
		return "write " + name
	}
	return "the fields are " + strings.Join(names, ", ")
}

// nearest returns the name that is most like another, or nothing if none is.
func nearest(names []string, other string) (found string) {
	if len(other) > maxQuoted {
		return ""
	}
	least := 1 + len(other)/3
	other = strings.ToLower(strings.ReplaceAll(other, "-", "_"))
	for _, name := range names {
		if d := spelling.Distance(name, other); d <= least && (found == "" || d < least) {
			found, least = name, d
		}
	}
	return found
}
