package cel

import (
	"errors"
	"reflect"
	"sync"
	"testing"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A step does what a test wants.
type step struct {
	interpreter.InterpretableV2

	exec func() ref.Val
}

func (s step) Exec(*interpreter.ExecutionFrame) ref.Val { return s.exec() }

// brokenMessage is a message that panics.
type brokenMessage struct{}

func (brokenMessage) ProtoReflect() protoreflect.Message { panic("kid-4711") }

// Holds does not panic, and what panicked is not in the error.
func TestHoldsRecovers(t *testing.T) {
	t.Parallel()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	in := policy.Input{Info: &token.Info{Subject: "ada"}}
	for _, tt := range []struct {
		name string
		exec func() ref.Val
		want error
	}{
		{"a panic", func() ref.Val { panic("kid-4711") }, errPanicked},
		{"a nil result", func() ref.Val { return nil }, errNoResult},
		{"a result that is no bool", func() ref.Val { return types.String("kid-4711") }, errNoResult},
		{"an unknown", func() ref.Val { return types.NewUnknown(1, nil) }, errNoResult},
		{"an error of no kind", func() ref.Val { return types.NewErr("kid-4711") }, errFailed},
		{"a limit", func() ref.Val { panic(interpreter.EvalCancelledError{}) }, errTooCostly},
	} {
		broken := &condition{program: &program{language: c.language, step: step{exec: tt.exec}}}
		if held, err := broken.Holds(t.Context(), in); held || !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, %v", tt.name, held, err)
		}
	}
	needing := &condition{program: &program{language: c.language, needsMessage: true}}
	in.Message = brokenMessage{}
	if held, err := needing.Holds(t.Context(), in); held || !errors.Is(err, errPanicked) {
		t.Errorf("a message that panics: got %v, %v", held, err)
	}
}

// What the checker lets no condition do is refused all the same.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	for name, field := range facts[tokenType.TypeName()] {
		if _, err := field.GetFrom("kid-4711"); !errors.Is(err, errForeign) {
			t.Errorf("%s: got %v", name, err)
		}
		if field.IsSet("kid-4711") {
			t.Errorf("%s is set", name)
		}
	}
	seconds := newField((*durationpb.Duration)(nil).ProtoReflect().Descriptor().Fields().ByName("seconds"))
	for _, foreign := range []any{"kid-4711", &timestamppb.Timestamp{}} {
		if _, err := seconds.GetFrom(foreign); !errors.Is(err, errForeign) {
			t.Errorf("a field of %T: got %v", foreign, err)
		}
		func() {
			defer func() {
				if panicked := recover(); panicFailure(t.Context(), panicked) != errForeign { //nolint:errorlint // It is this one.
					t.Errorf("a field of %T: got %v", foreign, panicked)
				}
			}()
			seconds.IsSet(foreign)
		}()
	}
	for _, value := range []any{&activation{}, &actor{}, struct{}{}, make(chan int)} {
		converted := (adapter{}).NativeToValue(value)
		if converted != (opaque{}) || types.Equal(converted, converted) != types.False || converted.Value() != nil {
			t.Errorf("%T is a value", value)
		}
		if !types.IsError(converted.ConvertToType(types.StringType)) || converted.Type() != opaqueType {
			t.Errorf("%T is converted", value)
		}
	}
	for _, value := range []interface {
		ConvertToNative(kind reflect.Type) (any, error)
	}{&message{}, &entries{}, &texts{"a"}, opaque{}} {
		if _, err := value.ConvertToNative(reflect.TypeFor[int]()); err == nil {
			t.Errorf("%T becomes a number", value)
		}
	}
	for _, value := range []ref.Val{&message{(&timestamppb.Timestamp{}).ProtoReflect()}, &entries{}, &texts{}} {
		for _, kind := range []ref.Type{value.Type(), types.TypeType} {
			if converted := value.ConvertToType(kind); types.IsError(converted) {
				t.Errorf("%T becomes no %v", value, kind)
			}
		}
		if !types.IsError(value.ConvertToType(types.IntType)) {
			t.Errorf("%T becomes a number", value)
		}
	}
	if (&entries{}).Value() != protoreflect.Map(nil) {
		t.Error("the value of a map is not the map")
	}
	var list texts = []string{"a"}
	if got, ok := list.Value().([]string); !ok || len(got) != 1 {
		t.Errorf("got %v", list.Value())
	}
}

// The errors that CEL shares are not written to by programs that run side by side.
func TestSharedErrors(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for id := range int64(100) {
				_ = types.LabelErrNode(id, types.NoSuchOverloadErr())
				_ = types.LabelErrNode(id, types.Int(1<<62).ConvertToType(types.TimestampType))
			}
		})
	}
	wg.Wait()
}
