package policy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// anything compiles every text and every question into what says its outcome.
type anything struct{}

func (anything) CompileCondition(text string, target policy.Target) (policy.Condition, error) {
	switch text {
	case "bad":
		return nil, errors.New("1:3: is bad")
	case "nothing":
		return nil, nil //nolint:nilnil // A bug that Compile has to find.
	default:
		return says{text, target}, nil
	}
}

func (anything) CompileQuestion(question policy.Question, target policy.Target) (policy.Condition, error) {
	return anything{}.CompileCondition(strings.Trim(question.Resource.ID, "'"), target)
}

type says struct {
	text   string
	target policy.Target
}

// Claims makes says a policy.ClaimReader.
func (s says) Claims() []string { return []string{"of_" + s.text} }

func (s says) NeedsMessage() bool { return strings.HasPrefix(s.text, "message") }

func (s says) Holds(_ context.Context, in policy.Input) (bool, error) {
	switch {
	case strings.Contains(s.text, "panic"):
		panic("at the disco")
	case strings.Contains(s.text, "unavailable"):
		return true, fmt.Errorf("no answer: %w", token.ErrUnavailable)
	case strings.Contains(s.text, "error"):
		return true, errors.New("no such claim")
	case s.NeedsMessage():
		return proto.Equal(in.Message, wrapperspb.String("good")), nil
	default:
		return s.text == "yes", nil
	}
}

var plugins = policy.Compiler{Conditions: anything{}, Questions: anything{}}

// about is a question whose outcome is text.
func about(text string) *policy.Question {
	return &policy.Question{Resource: policy.Entity{Type: "t", ID: "'" + text + "'"}}
}

// TestConditions: a condition is judged when everything else is met, then the question.
func TestConditions(t *testing.T) {
	t.Parallel()
	const met = challenge.Reason(255)
	good, bad := wrapperspb.String("good"), wrapperspb.String("bad")
	for _, tt := range []struct {
		name    string
		rule    policy.Rule
		message proto.Message
		want    challenge.Reason
	}{
		{"yes", policy.Rule{Condition: "yes"}, nil, met},
		{"no", policy.Rule{Condition: "no"}, nil, challenge.ReasonForbidden},
		{"an error", policy.Rule{Condition: "error"}, nil, challenge.ReasonForbidden},
		{"unavailable", policy.Rule{Condition: "unavailable"}, nil, challenge.ReasonUnavailable},
		{"a panic", policy.Rule{Condition: "panic"}, nil, challenge.ReasonInternal},
		{"a question, a panic", policy.Rule{Condition: "yes", Question: about("panic")}, nil, challenge.ReasonInternal},
		{"a message", policy.Rule{Condition: "message"}, good, met},
		{"another message", policy.Rule{Condition: "message"}, bad, challenge.ReasonForbidden},
		{"no message", policy.Rule{Condition: "message"}, nil, challenge.ReasonInternal},
		{"no message, and a scope is lacking", policy.Rule{Scopes: []string{"s"}, Condition: "message"}, nil, challenge.ReasonInsufficientScope},
		{"a question", policy.Rule{Question: about("yes")}, nil, met},
		{"a question, no", policy.Rule{Question: about("no")}, nil, challenge.ReasonForbidden},
		{"a question, unavailable", policy.Rule{Question: about("unavailable")}, nil, challenge.ReasonUnavailable},
		{"the question does not matter", policy.Rule{Condition: "no", Question: about("unavailable")}, nil, challenge.ReasonForbidden},
		{"the question matters", policy.Rule{Condition: "yes", Question: about("no")}, nil, challenge.ReasonForbidden},
		{"both", policy.Rule{Condition: "message", Question: about("message")}, good, met},
		{"the question needs the message, and does not matter", policy.Rule{Condition: "no", Question: about("message")}, nil, challenge.ReasonForbidden},
		{"the question needs the message", policy.Rule{Condition: "yes", Question: about("message")}, nil, challenge.ReasonInternal},
		{"the condition needs the message", policy.Rule{Condition: "message", Question: about("no")}, nil, challenge.ReasonForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table, err := plugins.Compile(describedRules(policy.Rule{}, map[string]policy.Rule{"Get": tt.rule}))
			if err != nil {
				t.Fatal(err)
			}
			requirement := table.Lookup("/" + described + "/Get")
			got := met
			err = requirement.Check(t.Context(), policy.Input{Info: &token.Info{}, Message: tt.message})
			short, ok := errors.AsType[*policy.ShortfallError](err)
			if ok {
				got = short.Reason
			}
			if got != tt.want || (got == challenge.ReasonInternal && !strings.Contains(tt.name, "panic")) != errors.Is(err, policy.ErrNeedsMessage) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got == challenge.ReasonForbidden && (short.Scopes != nil || short.Cause == nil) {
				t.Errorf("got %+v", short)
			}
		})
	}
}

// TestTarget: a condition is compiled for the method whose rule it stands in.
func TestTarget(t *testing.T) {
	t.Parallel()
	const method = "Put"
	var got []policy.Target
	record := policy.Compiler{Conditions: recording{&got}}
	if _, err := record.Compile(describedRules(policy.Rule{Condition: "x"}, map[string]policy.Rule{method: {Condition: "x"}})); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Method != "" || got[0].Request != nil || got[0].Service != described ||
		got[1].Method != method || got[1].Request.FullName() != "google.protobuf.StringValue" {
		t.Errorf("got %+v", got)
	}
}

type recording struct{ targets *[]policy.Target }

func (r recording) CompileCondition(_ string, target policy.Target) (policy.Condition, error) {
	*r.targets = append(*r.targets, target)
	return says{"yes", target}, nil
}

// TestConditionFaults has a rule for each fault.
func TestConditionFaults(t *testing.T) {
	t.Parallel()
	const onMethod, onService = `policy: Services["policy.test.v1.Described"].Methods["Get"]`, `policy: Services["policy.test.v1.Described"].Rule`
	method := func(rule policy.Rule) policy.Policy {
		return describedRules(policy.Rule{}, map[string]policy.Rule{"Get": rule})
	}
	asking := func(change func(*policy.Question)) policy.Policy {
		question := about("yes")
		change(question)
		return method(policy.Rule{Question: question})
	}
	for _, tt := range []struct {
		name   string
		policy policy.Policy
		want   string
	}{
		{"bad", method(policy.Rule{Condition: "bad"}), onMethod + `.Condition: "bad" 1:3: is bad`},
		{"nothing", method(policy.Rule{Condition: "nothing"}), onMethod + `.Condition: "nothing" was compiled to nothing`},
		{"public", method(policy.Rule{Public: true, Condition: "yes"}), onMethod + ": is public and requires a token"},
		{"the message on a service", describedRules(policy.Rule{Condition: "message"}, nil), onService + `.Condition: "message" reads the message of the call`},
		{"the message of a service without a descriptor", rules(policy.Rule{}, map[string]policy.Rule{"Get": {Condition: "message"}}), `policy: Services["a.v1.A"].Methods["Get"].Condition: "message" reads the message`},
		{"a question, bad", asking(func(q *policy.Question) { q.Resource.ID = "bad" }), onMethod + ".Question: 1:3: is bad"},
		{"a question without a resource", asking(func(q *policy.Question) { q.Resource.Type = "" }), onMethod + ".Question.Resource: needs a Type and an ID"},
		{"a question with half a subject", asking(func(q *policy.Question) { q.Subject.Type = "user" }), onMethod + ".Question.Subject: needs both a Type and an ID, or neither"},
		{"answers that are kept too long", asking(func(q *policy.Question) { q.CacheFor = time.Minute + 1 }), onMethod + `.Question.CacheFor: "1m0.000000001s" is not between 0 and 1m0s`},
		{"answers that are kept in the past", asking(func(q *policy.Question) { q.CacheFor = -1 }), onMethod + `.Question.CacheFor: "-1ns" is not between`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := plugins.Compile(tt.policy)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one fault: %s", err, tt.want)
			}
		})
	}
}

// TestClaimsOfRequirement: what a rule reads of the claims, in whatever part of it.
func TestClaimsOfRequirement(t *testing.T) {
	t.Parallel()
	claims := []policy.ClaimCondition{{Path: []string{"b", "c"}, AnyOf: []string{"1"}}, {Path: []string{"a"}, AnyOf: []string{"1"}}, {Path: []string{"b"}, AnyOf: []string{"1"}}}
	table, err := plugins.Compile(rules(policy.Rule{Claims: claims, Condition: "yes", Question: about("no")}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := table.LookupService(elsewhere).Claims(); !slices.Equal(got, []string{"a", "b", "of_no", "of_yes"}) {
		t.Errorf("got %q", got)
	}
}
