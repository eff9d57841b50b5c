// Package finding makes findings of faults and warnings: each with a rule, a place and a
// text, in a stable order.
package finding

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

// A Finding is one thing that is wrong, or may be.
type Finding struct {
	// Rule is the rule that it breaks.
	Rule Rule
	// IsWarning says that it does no harm by itself.
	IsWarning bool
	// File is where it is, empty if that is not known.
	File string
	// Line and Column begin with 1. Zero means that they are not known.
	Line, Column int
	// Subject is the field, such as `policy: Services["a.B"].Rule`. It does not change
	// when lines move.
	Subject string
	// Message is the whole text.
	Message string
}

// Place returns the file, the line and the column, as far as they are known.
func (f Finding) Place() string {
	switch {
	case f.File == "":
		return ""
	case f.Line == 0:
		return f.File
	case f.Column == 0:
		return fmt.Sprintf("%s:%d", f.File, f.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
}

// String returns the finding on one line, as compilers write it.
func (f Finding) String() string {
	text := f.Message
	if f.IsWarning {
		text = "warning: " + text
	}
	if place := f.Place(); place != "" {
		text = place + ": " + text
	}
	return text
}

// of makes a finding of a fault, with another source if it has none.
func of(f *fault.Fault, rule Rule, source string) Finding {
	source = cmp.Or(f.Source, source)
	unplaced := *f
	unplaced.Source = ""
	found := Finding{Rule: rule, Subject: f.Place, Message: unplaced.Error()}
	found.File, found.Line, found.Column = split(source)
	return found
}

// inSource is "file:line:column", "file:line" or "file (full.Name)".
var inSource = regexp.MustCompile(`^(.*?)(?::(\d+))?(?::(\d+))?(?: \([\w.]+\))?$`)

func split(source string) (file string, line, column int) {
	parts := inSource.FindStringSubmatch(source)
	if parts == nil {
		return source, 0, 0
	}
	line, _ = strconv.Atoi(parts[2])
	column, _ = strconv.Atoi(parts[3])
	return parts[1], line, column
}

// Has reports whether one of the findings is no warning.
func Has(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return !f.IsWarning })
}

func sorted(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Rule.ID, b.Rule.ID), cmp.Compare(a.Message, b.Message),
		)
	})
	return findings
}
