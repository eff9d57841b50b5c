package policy

import "fmt"

// Error is one fault of a [Policy]. [Compile] joins all that it finds; a caller
// that wants them apart unwraps to []error.
type Error struct {
	// Where names the place, such as `Services["a.v1.A"].Methods["Get"]`.
	Where string
	// Reason says what is wrong there, and with which value.
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("policy: %s: %s", e.Where, e.Reason) }
