package panicked_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
)

// explode panics, and is in the stack.
func explode(value any) { panic(value) }

func recovered(value any) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = panicked.New("the verifier", value)
		}
	}()
	explode(value)
	return nil
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{"a string", "boom", "the verifier panicked: boom"},
		{"an error", io.EOF, "the verifier panicked: EOF"},
		{"a long string", strings.Repeat("x", 300), "the verifier panicked: " + strings.Repeat("x", 256) + "…"},
		{"a number", 4711, "the verifier panicked: 4711"},
		{"nil", nil, "the verifier panicked: panic called with nil argument"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := fmt.Errorf("call: %w", recovered(tt.value))
			var got *panicked.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if got.Error() != tt.want || got.What != "the verifier" || tt.value != nil && got.Value != tt.value {
				t.Errorf("got %q, %+v, want %q", got.Error(), got.Value, tt.want)
			}
			if !strings.Contains(string(got.Stack), "panicked_test.explode") {
				t.Errorf("the stack is not that of the panic:\n%s", got.Stack)
			}
			// A panic with a sentinel is a bug all the same.
			if errors.Is(err, io.EOF) {
				t.Error("RPC-7: it unwraps to its value")
			}
		})
	}
}
