// Package panicked turns a panic in user code into an error.
package panicked

import (
	"fmt"
	"runtime/debug"
)

// An Error is a recovered panic. It does not unwrap to the value, even if that is
// an error: a panic is a bug, whatever it carries.
type Error struct {
	// What is the code that panicked, such as "the verifier".
	What string
	// Value is the value that was recovered.
	Value any
	// Stack is the stack of the panic, for a log alone.
	Stack []byte
}

// New returns the error for a recovered value. The deferred function that
// recovers must call it, so that Stack is the stack of the panic.
func New(what string, value any) *Error {
	return &Error{What: what, Value: value, Stack: debug.Stack()}
}

// maxValue bounds how much of a value is printed: it may hold what a stranger
// sent.
const maxValue = 256

// Error implements error.
func (e *Error) Error() string {
	value := fmt.Sprint(e.Value)
	if len(value) > maxValue {
		value = value[:maxValue] + "…"
	}
	return e.What + " panicked: " + value
}
