package main

import (
	"context"
	"slices"
	"testing"

	"buf.build/go/bufplugin/check"
	"github.com/drawbridge-rpc/drawbridge/fault"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

func TestNearest(t *testing.T) {
	info := new(descriptorpb.SourceCodeInfo)
	for line, path := range [][]int32{
		{6, 0}, {6, 0, 3}, {6, 0, 3, 9, 5, 0}, {6, 0, 3, 9, 5, 1}, {6, 0, 3, 9, 5, 4}, {6, 0, 3, 9, 7, 0, 1}, {6, 0, 3, 9, 7, 0, 2},
	} {
		info.Location = append(info.Location, &descriptorpb.SourceCodeInfo_Location{Path: path, Span: []int32{int32(line), 0, 1}})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{Name: new("a.proto"), SourceCodeInfo: info}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string
		path, want protoreflect.SourcePath
	}{
		{"itself", protoreflect.SourcePath{6, 0, 3, 9, 5, 1}, protoreflect.SourcePath{6, 0, 3, 9, 5, 1}},
		{"the first inside", protoreflect.SourcePath{6, 0, 3, 9, 7, 0}, protoreflect.SourcePath{6, 0, 3, 9, 7, 0, 1}},
		{"the literal that has the element", protoreflect.SourcePath{6, 0, 3, 9, 5, 3}, protoreflect.SourcePath{6, 0, 3, 9, 5, 1}},
		{"the last literal", protoreflect.SourcePath{6, 0, 3, 9, 5, 7}, protoreflect.SourcePath{6, 0, 3, 9, 5, 4}},
		{"round it", protoreflect.SourcePath{6, 0, 4, 9}, protoreflect.SourcePath{6, 0}},
		{"nowhere", protoreflect.SourcePath{5, 0}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := nearest(file.SourceLocations(), test.path); !slices.Equal(got, test.want) {
				t.Errorf("nearest(%v) = %v, want %v", test.path, got, test.want)
			}
		})
	}
}

func TestElementAt(t *testing.T) {
	e := element{path: protoreflect.SourcePath{6, 0, 3, 9}, option: &drawbridgev1.ServiceOptions{
		Rule: &drawbridgev1.Rule{
			Scopes:       []string{"a", "b", "a"},
			AnyScopeSets: []*drawbridgev1.ScopeSet{{}, {Scopes: []string{"c", "d"}}},
			Actors:       []*drawbridgev1.Actor{{ClientId: "e"}},
			AcrValues:    []string{"f"},
		},
	}}
	for _, test := range []struct {
		address, value string
		path           protoreflect.SourcePath
		text           string
	}{
		{"", "", nil, ""},
		{"rule", "", protoreflect.SourcePath{1}, ""},
		{"rule.Scopes", "a", protoreflect.SourcePath{1, 5, 2}, "scopes"},
		{"rule.Scopes", "z", protoreflect.SourcePath{1, 5}, "scopes"},
		{"rule.scopes[1]", "", protoreflect.SourcePath{1, 5, 1}, "scopes[1]"},
		{"rule.AnyScopeSets[1]", "c", protoreflect.SourcePath{1, 7, 1, 1, 0}, "any_scope_sets[1].scopes"},
		{"rule.ACRValues", "f", protoreflect.SourcePath{1, 12, 0}, "acr_values"},
		{"rule.MaxAge", "", protoreflect.SourcePath{1, 13}, "max_age"},
		{"rule.Actors[0].ClientID", "", protoreflect.SourcePath{1, 10, 0, 3}, "actors[0].client_id"},
		// What the option does not have.
		{"rule.Actors[1].ClientID", "", protoreflect.SourcePath{1, 10}, "actors"},
		{"rule.Actors[0].Hat", "", protoreflect.SourcePath{1, 10, 0}, "actors[0]"},
		{`rule.Question.Context["key"]`, "", protoreflect.SourcePath{1, 16, 4}, "question.context"},
		{"rule.Proof.Hat", "", protoreflect.SourcePath{1, 14}, "proof"},
	} {
		t.Run(test.address+" "+test.value, func(t *testing.T) {
			path, text := e.at(test.address, test.value)
			if want := append(slices.Clone(e.path), test.path...); !slices.Equal(path, want) || text != test.text {
				t.Errorf("at(%q, %q) = %v, %q, want %v, %q", test.address, test.value, path, text, want, test.text)
			}
		})
	}
}

// What a fault names is found, as exactly as it names it.
func TestFind(t *testing.T) {
	file := drawbridgev1.File_drawbridge_v1_policy_proto
	get := &element{descriptor: file.Messages().ByName("Rule")} // It has a name, as a method has.
	a := &service{element: element{descriptor: file.Messages().ByName("Policy")}, methods: []*element{get}}
	s := &schema{services: []*service{a}}
	for _, test := range []struct {
		place   string
		want    *element
		address string
	}{
		{`Services["drawbridge.v1.Policy"].Rule`, &a.element, "rule"},
		{`Services["drawbridge.v1.Policy"].Rule.Scopes`, &a.element, "rule.Scopes"},
		{`Services["drawbridge.v1.Policy"].Methods["Rule"].AnyScopeSets[1]`, get, "rule.AnyScopeSets[1]"},
		{`Services["drawbridge.v1.Policy"].Methods["Other"].Scopes`, &a.element, ""},
		{`Services["drawbridge.v1.Policy"]`, &a.element, ""},
		{"drawbridge.v1.Policy", &a.element, ""},
		{"drawbridge.v1.Policy.Rule", get, ""},
		{"drawbridge.v1.Policy.Other", nil, ""},
		{`Services["drawbridge.v1"].Rule`, nil, ""},
	} {
		t.Run(test.place, func(t *testing.T) {
			e, address := s.find(&fault.Fault{Place: "policy: " + test.place})
			if e != test.want || address != test.address {
				t.Errorf("find(%s) = %p, %q, want %p, %q", test.place, e, address, test.want, test.address)
			}
		})
	}
}

// recorder counts annotations.
type recorder struct {
	check.ResponseWriter

	count int
}

func (r *recorder) AddAnnotation(...check.AddAnnotationOption) { r.count++ }

// A fault that is about no option is reported all the same.
func TestFaultOfNoOption(t *testing.T) {
	s := &schema{faults: []*fault.Fault{
		{Place: `policy: Resources["https://api.example.com"]`, Reason: "has no services"},
		{Place: `policy: Implies["a"]`, Reason: "implies nothing"},
		{Place: `policy: Implies[a]`, Reason: "implies nothing"},
		{Place: "policy: Implies", Value: "a → b → a", Reason: "is a cycle"},
	}}
	w := new(recorder)
	checkOptionsValid(w, s)
	if w.count != len(s.faults) {
		t.Errorf("%d annotations, want %d", w.count, len(s.faults))
	}
}

// A rule that is run without what readSchema read is an error, and finds nothing.
func TestRuleWithoutSchema(t *testing.T) {
	for _, rule := range spec.Rules {
		if err := rule.Handler.Handle(context.Background(), new(recorder), nil); err == nil {
			t.Errorf("%s: no error", rule.ID)
		}
	}
}
