package policy

import (
	"maps"
	"slices"
	"strings"
)

// hierarchy knows, for each scope, every scope that satisfies it.
type hierarchy struct {
	implies map[string][]string
	// impliedBy is the reverse of implies, one step deep.
	impliedBy map[string][]string
	known     map[string][]string // what satisfying has returned
}

func newHierarchy(implies map[string][]string) hierarchy {
	h := hierarchy{implies: implies, impliedBy: make(map[string][]string), known: make(map[string][]string)}
	for _, scope := range sortedKeys(implies) {
		for _, implied := range implies[scope] {
			h.impliedBy[implied] = append(h.impliedBy[implied], scope)
		}
	}
	return h
}

// satisfying returns scope and all that imply it, directly or through others.
func (h hierarchy) satisfying(scope string) []string {
	if found, ok := h.known[scope]; ok {
		return found
	}
	found, seen := []string{scope}, map[string]bool{scope: true}
	for i := 0; i < len(found); i++ {
		for _, broader := range h.impliedBy[found[i]] {
			if !seen[broader] {
				seen[broader] = true
				found = append(found, broader)
			}
		}
	}
	h.known[scope] = slices.Clip(found)
	return h.known[scope]
}

// satisfyingAny returns what satisfies one of the scopes.
func (h hierarchy) satisfyingAny(scopes []string) []string {
	var found []string
	for _, scope := range scopes {
		found = append(found, h.satisfying(scope)...)
	}
	return found
}

// cycles returns the cycles of implications, written "a → b → a". Of cycles that
// share scopes, it returns at least one.
func (h hierarchy) cycles() []string {
	const (
		unseen = iota
		onPath
		done
	)
	state := make(map[string]int)
	var path, cycles []string
	var visit func(scope string)
	visit = func(scope string) {
		switch state[scope] {
		case done:
			return
		case onPath:
			cycle := append(slices.Clone(path[slices.Index(path, scope):]), scope)
			cycles = append(cycles, strings.Join(cycle, " → "))
			return
		}
		state[scope] = onPath
		path = append(path, scope)
		for _, implied := range h.implies[scope] {
			visit(implied)
		}
		path = path[:len(path)-1]
		state[scope] = done
	}
	for _, scope := range sortedKeys(h.implies) {
		visit(scope)
	}
	return cycles
}

// clonedLists returns a deep copy.
func clonedLists(m map[string][]string) map[string][]string {
	clone := make(map[string][]string, len(m))
	for key, list := range m {
		clone[key] = slices.Clone(list)
	}
	return clone
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
