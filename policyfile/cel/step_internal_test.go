package cel

import (
	"errors"
	"testing"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CEL itself compares values as the steps of this package do.
func TestValuesCompare(t *testing.T) {
	t.Parallel()
	whole := &message{(&timestamppb.Timestamp{}).ProtoReflect()}
	same := &message{whole.message}
	record := &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewNumberValue(1), "n": structpb.NewNullValue()}}
	members := messageValue(record.ProtoReflect()).(*entries)
	claims := object{"a": 1.0, "n": nil}
	list := &texts{"a"}
	a, n := types.String("a"), types.String("n")
	for _, tt := range []struct {
		name string
		got  ref.Val
		want any
	}{
		{"a message as a whole", whole.Equal(same), errWhole},
		{"a field by name", whole.Get(types.String("seconds")), errWhole},
		{"has a field by name", whole.IsSet(types.String("seconds")), errWhole},
		{"a message in a list", unlimited().inList(whole, types.NewRefValList(adapter{}, []ref.Val{whole})), errWhole},
		{"a constant null", unlimited().equal(types.NullValue, types.NullValue), errNull},
		{"a null of a map", members.Equal(claims), errNull},
		{"a null of an object", claims.Equal(members), errNull},
		{"different maps", members.Equal(object{"b": 1.0, "c": nil}), types.False},
		{"a member", claims.Get(a), types.Double(1)},
		{"an entry", members.Get(a), types.Double(1)},
		{"has a member", claims.Contains(a), types.True},
		{"has a null member", claims.Contains(n), types.False},
		{"has an entry", members.Contains(a), types.True},
		{"has a null entry", members.Contains(n), types.False},
		{"has a text", list.Contains(a), types.True},
		{"texts", list.Equal(&texts{"a"}), types.True},
	} {
		if err, ok := tt.want.(error); ok {
			if failed, isError := tt.got.(*types.Err); !isError || !errors.Is(failed, err) {
				t.Errorf("%s: got %v, want %v", tt.name, tt.got, err)
			}
			continue
		}
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	for name, got := range map[string]ref.Val{"a null member": claims.Get(n), "a null entry": members.Get(n)} {
		if !types.IsError(got) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if _, err := claims.ConvertToNative(nil); !errors.Is(err, errForeign) {
		t.Errorf("got %v", err)
	}
	if value, ok := claims.Value().(map[string]any); !ok || len(value) != 2 {
		t.Errorf("got %v", claims.Value())
	}
}

// The steps of this package have the identifiers of those that they replace, and both ways
// to run.
func TestReplaced(t *testing.T) {
	t.Parallel()
	text, list := interpreter.NewConstValue(1, types.String("a")), interpreter.NewConstValue(2, types.NewStringList(adapter{}, []string{"a"}))
	instant, zone := interpreter.NewConstValue(3, types.Timestamp{}), interpreter.NewConstValue(4, types.String("UTC"))
	call := func(function string, args ...interpreter.InterpretableV2) interpreter.InterpretableV2 {
		l := &language{maxCost: 100}
		replaced, err := l.replace(interpreter.NewCall(7, function, "", args, nil))
		if err != nil {
			t.Fatal(err)
		}
		return replaced
	}
	for _, step := range []interpreter.InterpretableV2{
		call(operators.In, text, list), call(overloads.Matches, text, text), call(overloads.TimeGetMonth, instant, zone),
	} {
		if step.ID() != 7 {
			t.Errorf("%T: got %d", step, step.ID())
		}
		if got := step.Eval(interpreter.EmptyActivation()); got != types.True && got != types.Int(0) {
			t.Errorf("%T: got %v", step, got)
		}
	}
	failed := interpreter.NewConstValue(5, types.NewErr("no such key"))
	for _, step := range []interpreter.InterpretableV2{
		call(operators.Equals, failed, text), call(operators.Equals, text, failed), call(overloads.Matches, failed, text), call(overloads.TimeGetMonth, failed, zone),
	} {
		if got := step.Eval(interpreter.EmptyActivation()); !types.IsError(got) {
			t.Errorf("%T: got %v", step, got)
		}
	}
}
