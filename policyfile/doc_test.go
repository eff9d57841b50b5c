package policyfile_test

import (
	"regexp"
	"strings"
	"testing"

	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// TestDocumentation: the file in the documentation of the package is read, and has every
// field.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for line := range strings.Lines(read(t, "doc.go")) {
		code, isCode := strings.CutPrefix(line, "//\t")
		if isCode {
			text.WriteString(code)
		} else if text.Len() > 0 {
			break
		}
	}
	p, err := policyfile.Parse("doc.go", []byte(text.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, &text)
	}
	if got := len(p.Services["inventory.v1.InventoryService"].Methods); got != 6 {
		t.Errorf("got %d methods", got)
	}
	seen := make(map[protoreflect.FullName]bool)
	var visit func(protoreflect.MessageDescriptor)
	visit = func(message protoreflect.MessageDescriptor) {
		if seen[message.FullName()] || message.FullName() == "google.protobuf.Duration" {
			return
		}
		seen[message.FullName()] = true
		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			if !message.IsMapEntry() && !regexp.MustCompile(`(?m)(^|[ {])`+string(field.Name())+":").MatchString(text.String()) {
				t.Errorf("%s is not in the documentation", field.FullName())
			}
			if field.Message() != nil {
				visit(field.Message())
			}
		}
	}
	visit((*drawbridgev1.Policy)(nil).ProtoReflect().Descriptor())
}
