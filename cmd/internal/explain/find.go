package explain

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
)

// An UnknownError is the error of a procedure that neither a policy nor a descriptor names.
type UnknownError struct {
	// Procedure is what was asked for.
	Procedure string
	// Nearest is the name that is most like it. It may be empty.
	Nearest string
}

// Error returns what is wrong.
func (e *UnknownError) Error() string {
	text := fmt.Sprintf("there is no procedure %q in what was read", e.Procedure)
	if e.Nearest != "" {
		text += fmt.Sprintf("; did you mean %s?", e.Nearest)
	}
	return text
}

// Find returns the row of a procedure. The error is an [*UnknownError] if there is none.
func Find(rows []listing.Row, procedure string) (listing.Row, error) {
	distances := make(map[string]int)
	for _, row := range rows {
		if row.Procedure() == procedure {
			return row, nil
		}
		distances[row.Procedure()] = distance(row.Procedure(), procedure)
	}
	if row, ok := open(rows, procedure); ok {
		return row, nil
	}
	unknown := &UnknownError{Procedure: procedure}
	best := min(len(procedure)/3, 4) + 1 // More would be another name.
	for _, name := range slices.Sorted(maps.Keys(distances)) {
		if distances[name] < best {
			best, unknown.Nearest = distances[name], name
		}
	}
	return listing.Row{}, unknown
}

// distance is the number of bytes to insert, remove or replace between two texts.
func distance(a, b string) int {
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range len(a) {
		current := make([]int, len(b)+1)
		current[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			current[j+1] = min(previous[j]+cost, previous[j+1]+1, current[j]+1)
		}
		previous = current
	}
	return previous[len(b)]
}

// inProcedure is a procedure whose method may be one that nothing names.
var inProcedure = regexp.MustCompile(`^/([\w.]+)/([A-Za-z_]\w*)$`)

// open returns the row of a method that nothing names, of a service without a descriptor
// whose rule applies to it.
func open(rows []listing.Row, procedure string) (listing.Row, bool) {
	parts := inProcedure.FindStringSubmatch(procedure)
	if parts == nil {
		return listing.Row{}, false
	}
	for _, row := range rows {
		if row.Service == parts[1] && row.Method == "*" {
			row.Method, row.IsInherited = parts[2], true
			return row, true
		}
	}
	return listing.Row{}, false
}
