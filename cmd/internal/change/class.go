package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// A Class is a kind of change that a check can fail on.
type Class string

// The classes.
const (
	Looser    Class = "looser"
	Different Class = "different"
	NewOpen   Class = "new-open"
	New       Class = "new"
	Tighter   Class = "tighter"
	Gone      Class = "gone"
)

// Classes returns the classes, in the order in which they are listed.
func Classes() []Class { return []Class{Looser, Different, NewOpen, New, Tighter, Gone} }

// Class returns the class of a change.
func (c Change) Class() Class {
	if c.IsOpen {
		return NewOpen
	}
	return Class(c.Difference.String())
}

func (c Change) rank() int { return slices.Index(Classes(), c.Class()) }

// label is the class for a person.
func (c Change) label() string {
	if c.IsOpen {
		return "new, open"
	}
	return c.Difference.String()
}

// ParseClasses reads a list of classes, separated by commas. "none" is no class. With "new",
// every procedure that is new counts, open or not.
func ParseClasses(text string) ([]Class, error) {
	if text == "none" {
		return nil, nil
	}
	var classes []Class
	for name := range strings.SplitSeq(text, ",") {
		class := Class(strings.TrimSpace(name))
		if !slices.Contains(Classes(), class) {
			return nil, fmt.Errorf("%q is none of %v and none", name, Classes())
		}
		classes = append(classes, class)
		if class == New {
			classes = append(classes, NewOpen)
		}
	}
	return classes, nil
}

// Has reports whether a change is of one of the classes.
func (r Report) Has(classes []Class) bool {
	return slices.ContainsFunc(r.Changes, func(c Change) bool { return slices.Contains(classes, c.Class()) })
}

// Summary counts the changes.
func (r Report) Summary() string {
	if len(r.Changes) == 0 {
		return "no difference"
	}
	counts := make(map[policy.Difference]int)
	open := 0
	for _, change := range r.Changes {
		counts[change.Difference]++
		if change.IsOpen {
			open++
		}
	}
	return fmt.Sprintf("%d looser, %d different, %d new (%d open), %d tighter, %d gone", counts[policy.Looser],
		counts[policy.Different], counts[policy.New], open, counts[policy.Tighter], counts[policy.Gone])
}
