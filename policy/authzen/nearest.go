package authzen

import (
	"maps"
	"slices"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// suggestion says what a name may have been meant to be.
func suggestion(names []string, other string) string {
	if name := nearest(names, other); name != "" {
		return "; write " + name
	}
	if len(names) == 0 {
		return ""
	}
	const enough = 8
	if len(names) > enough {
		names = append(slices.Clone(names[:enough]), "…")
	}
	return "; there are " + strings.Join(names, ", ")
}

// nearest returns the name that is most like another, or nothing if none is.
func nearest(names []string, other string) (found string) {
	const tooLong = 80
	if len(other) > tooLong {
		return ""
	}
	least := 1 + len(other)/3
	other = strings.ToLower(strings.ReplaceAll(other, "-", "_"))
	for _, name := range names {
		if d := distance(strings.ToLower(name), other); d <= least && (found == "" || d < least) {
			found, least = name, d
		}
	}
	return found
}

// distance is that of Levenshtein: how many bytes have to be inserted, removed or replaced to
// get from one text to another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
