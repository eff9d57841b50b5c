// Package fault defines the errors that the constructors of this module return
// for a configuration that they reject.
//
// A constructor checks all of its configuration and reports every [Fault] at
// once, joined into one error. [All] iterates over them:
//
//	for f := range fault.All(err) {
//		fmt.Println(f.Place, f.Reason)
//	}
package fault

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// A Fault is one thing that is wrong with a configuration. It is an error:
// errors.As finds the first Fault in the error of a constructor, and [All] finds
// all of them.
type Fault struct { //nolint:errname // fault.FaultError would say it twice.
	// Source is where the value is written, such as "policy.yaml:12", if that is not
	// a Go program. It is the name of a file, and the number of a line where that is
	// known.
	Source string
	// Place is the field, after the package of the constructor, such as
	// `drawbridge: Resources[0].Identifier`.
	Place string
	// Value is the offending value. It is empty if the value is missing, or if
	// it is not a single string.
	Value string
	// Reason says what is wrong. It completes a sentence whose subject is the
	// value or the field: "has a fragment", "is required".
	Reason string
	// Remedy says how to fix it. It is empty if Reason makes that obvious.
	Remedy string
}

// Error returns the source, the place, the value, the reason and the remedy on one
// line.
func (f *Fault) Error() string {
	var text strings.Builder
	if f.Source != "" {
		text.WriteString(f.Source)
		text.WriteString(": ")
	}
	if f.Place != "" {
		text.WriteString(f.Place)
		text.WriteString(": ")
	}
	if f.Value != "" {
		fmt.Fprintf(&text, "%q ", f.Value)
	}
	text.WriteString(f.Reason)
	if f.Remedy != "" {
		text.WriteString("; ")
		text.WriteString(f.Remedy)
	}
	return text.String()
}

// All iterates over every [Fault] in the tree of err, in the order in which the
// constructor found them. It skips errors of other types, and yields nothing for
// a nil error.
func All(err error) iter.Seq[*Fault] {
	return func(yield func(*Fault) bool) { walk(err, yield) }
}

// walk yields the faults in err. It reports whether the iteration continues.
func walk(err error, yield func(*Fault) bool) bool {
	switch err := err.(type) { //nolint:errorlint // This is the walk of errors.As.
	case nil:
		return true
	case *Fault:
		return yield(err)
	case interface{ Unwrap() []error }:
		for _, joined := range err.Unwrap() {
			if !walk(joined, yield) {
				return false
			}
		}
		return true
	default:
		return walk(errors.Unwrap(err), yield)
	}
}

// A List collects the faults of one configuration. The zero List is empty and
// ready to use. It is not safe for concurrent use.
type List struct {
	// Within is the prefix of every place, such as "drawbridge: ".
	Within string

	faults []error
}

// Add adds a fault. The value and the remedy may be empty.
func (l *List) Add(place, value, reason, remedy string) {
	l.faults = append(l.faults, &Fault{Place: l.Within + place, Value: value, Reason: reason, Remedy: remedy})
}

// AddAt is Add for a value that is written at a source.
func (l *List) AddAt(source, place, value, reason, remedy string) {
	l.faults = append(l.faults, &Fault{Source: source, Place: l.Within + place, Value: value, Reason: reason, Remedy: remedy})
}

// Join adds the faults of another constructor unchanged. A nil error adds
// nothing. An error that holds no [Fault] becomes one, with its text as the
// reason.
func (l *List) Join(err error) {
	if err == nil {
		return
	}
	before := len(l.faults)
	for f := range All(err) {
		l.faults = append(l.faults, f)
	}
	if len(l.faults) == before {
		l.faults = append(l.faults, &Fault{Place: strings.TrimSuffix(l.Within, ": "), Reason: err.Error()})
	}
}

// Len returns the number of faults.
func (l *List) Len() int { return len(l.faults) }

// Err joins the faults into one error whose text has a line for each. It returns
// nil if there are none.
func (l *List) Err() error { return errors.Join(l.faults...) }
