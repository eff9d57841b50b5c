package listing_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// TestRuleRoundTrip writes a rule with every field of the schema, and reads what the listing
// says of it. A field that the listing leaves out makes it fail.
func TestRuleRoundTrip(t *testing.T) {
	t.Parallel()
	rule := new(drawbridgev1.Rule)
	fill(rule.ProtoReflect())
	rule.MaxAge, rule.Question.CacheFor = durationpb.New(90*time.Second), durationpb.New(1500*time.Millisecond)
	encoded, err := protojson.Marshal(&drawbridgev1.Policy{Services: map[string]*drawbridgev1.Service{
		"a.v1.A": {Methods: map[string]*drawbridgev1.Rule{"Get": rule}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := source.Read(t.Context(), source.Spec{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := listing.New(s, nil).WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Procedures []struct{ Rule json.RawMessage }
	}
	if err := json.Unmarshal(text.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	listed := new(drawbridgev1.Rule)
	if err := protojson.Unmarshal(document.Procedures[0].Rule, listed); err != nil {
		t.Fatalf("the rule is none: %v\n%s", err, document.Procedures[0].Rule)
	}
	if !proto.Equal(listed, rule) {
		t.Errorf("got  %v\nwant %v", listed, rule)
	}
	if got, want := plain(listed), s.Policy.Services["a.v1.A"].Methods["Get"]; !reflect.DeepEqual(got, withoutSource(want)) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func plain(rule *drawbridgev1.Rule) policy.Rule {
	p := policy.FromProto(&drawbridgev1.Policy{Services: map[string]*drawbridgev1.Service{"a.v1.A": {Rule: rule}}}, nil)
	return p.Services["a.v1.A"].Rule
}

func withoutSource(rule policy.Rule) policy.Rule {
	rule.Source = ""
	return rule
}

// fill sets every field of a message, and of those inside of it.
func fill(message protoreflect.Message) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case field.IsMap():
			message.Mutable(field).Map().Set(protoreflect.ValueOfString("key").MapKey(), protoreflect.ValueOfString("value"))
		case field.IsList() && field.Message() != nil:
			fill(message.Mutable(field).List().AppendMutable().Message())
		case field.IsList():
			message.Mutable(field).List().Append(protoreflect.ValueOfString("text"))
		case field.Message() != nil:
			fill(message.Mutable(field).Message())
		case field.Kind() == protoreflect.BoolKind:
			message.Set(field, protoreflect.ValueOfBool(true))
		case field.Kind() == protoreflect.EnumKind:
			message.Set(field, protoreflect.ValueOfEnum(1))
		case field.Kind() == protoreflect.StringKind:
			message.Set(field, protoreflect.ValueOfString("text"))
		}
	}
}
