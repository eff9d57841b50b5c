// Package change compares two policies and says what a reviewer wants to know.
package change

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/policy"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// A Report is what changed between two policies.
type Report struct {
	// Changes are what became of procedures and resources, what lets more callers in first.
	Changes []Change
	// Implications are what changed in the scopes that include others. They are part of
	// Changes, too, where they make a difference.
	Implications []Implication
}

// A Change is what became of one procedure, or of the services of one resource.
type Change struct {
	// Subject is the procedure, "/pkg.Service/Method", or the identifier of a resource.
	Subject string
	// IsResource says that Subject is a resource.
	IsResource bool
	// Difference is never policy.Same.
	Difference policy.Difference
	// IsOpen says that the procedure is new, and open to every caller, or to every one with
	// a valid token.
	IsOpen bool
	// Old and New are what was and is required.
	Old, New Side
	// Note says why there is a difference if the texts do not show it.
	Note string
}

// A Side is one side of a [Change].
type Side struct {
	// Text is what is required, or the services of a resource. It is empty if the side
	// does not exist.
	Text string
	// Place is where that is written.
	Place string
}

// An Implication is one that was added or removed.
type Implication struct {
	// Scope includes Implied.
	Scope, Implied string
	// IsNew says that it was added.
	IsNew bool
}

// A Policy is one of two that are compared.
type Policy struct {
	Source *source.Source
	Table  *policy.Table
}

// Compare returns what changed from before to after.
func Compare(before, after Policy) Report {
	r := Report{Implications: implications(before.Source.Policy.Implies, after.Source.Policy.Implies)}
	changes := policy.Diff(before.Table, after.Table)
	for _, change := range changes {
		if !isRepeated(change, changes) {
			r.Changes = append(r.Changes, r.procedure(change, before, after))
		}
	}
	r.Changes = append(r.Changes, resources(before.Source.Policy.Resources, after.Source.Policy.Resources)...)
	slices.SortStableFunc(r.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Subject, b.Subject))
	})
	return r
}

// isRepeated reports whether the change of the rule of a service says nothing more than
// those of its methods do.
func isRepeated(change policy.Change, changes []policy.Change) bool {
	prefix, isService := strings.CutSuffix(change.Procedure, "*")
	switch {
	case !isService:
		return false
	case change.Difference == policy.New && change.New == nil, change.Difference == policy.Gone && change.Old == nil:
		return true
	}
	return slices.ContainsFunc(changes, func(other policy.Change) bool {
		return other.Procedure != change.Procedure && strings.HasPrefix(other.Procedure, prefix) &&
			other.Old == change.Old && other.New == change.New
	})
}

func (r Report) procedure(change policy.Change, before, after Policy) Change {
	c := Change{Subject: change.Procedure, Difference: change.Difference}
	if change.Difference != policy.New {
		c.Old = sideOf(before, change.Procedure)
	}
	if change.Difference != policy.Gone {
		c.New = sideOf(after, change.Procedure)
	}
	if c.Old.Text == c.New.Text && len(r.Implications) > 0 {
		c.Note = "by the scopes that imply what is required"
	}
	if change.Difference == policy.New && change.New != nil {
		rule := change.New.Rule()
		c.IsOpen = rule.Public || rule.String() == policy.Rule{Authenticated: true}.String()
	}
	return c
}

// sideOf describes the rule of a procedure.
func sideOf(p Policy, procedure string) Side {
	slash := strings.LastIndexByte(procedure, '/')
	service, method := procedure[1:slash], procedure[slash+1:]
	rule, hasRule := p.Source.Rule(service, method)
	if !hasRule {
		return Side{Text: "denied: no rule", Place: p.Source.Definition(service, method)}
	}
	return Side{Text: rule.String(), Place: rule.Source}
}

func implications(before, after map[string][]string) []Implication {
	var found []Implication
	all := maps.Clone(after)
	if all == nil {
		all = make(map[string][]string)
	}
	maps.Copy(all, before)
	for _, scope := range slices.Sorted(maps.Keys(all)) {
		for _, implied := range after[scope] {
			if !slices.Contains(before[scope], implied) {
				found = append(found, Implication{scope, implied, true})
			}
		}
		for _, implied := range before[scope] {
			if !slices.Contains(after[scope], implied) {
				found = append(found, Implication{scope, implied, false})
			}
		}
	}
	return found
}

// resources compares the services that clients reach through each resource. If only one side
// has a list, the other uses that of the server, which is unknown here, and so is the
// difference.
func resources(before, after map[string][]string) []Change {
	all := make(map[string]bool)
	for identifier := range before {
		all[identifier] = true
	}
	for identifier := range after {
		all[identifier] = true
	}
	var changes []Change
	for _, identifier := range slices.Sorted(maps.Keys(all)) {
		earlier, wasThere := before[identifier]
		later, isThere := after[identifier]
		change := Change{
			Subject: identifier, IsResource: true, Difference: policy.Different,
			Old: Side{Text: servicesText(earlier, wasThere)}, New: Side{Text: servicesText(later, isThere)},
		}
		lost, gained := has(earlier, later), has(later, earlier)
		switch {
		case wasThere && isThere && !lost && !gained:
			continue
		case wasThere && isThere && lost && !gained:
			change.Difference = policy.Tighter
		case wasThere && isThere && gained && !lost:
			change.Difference = policy.Looser
		case !wasThere || !isThere:
			change.Note = "in place of the services that the server gives the resource itself"
		}
		changes = append(changes, change)
	}
	return changes
}

// has reports whether a has something that b does not have.
func has(a, b []string) bool {
	return slices.ContainsFunc(a, func(service string) bool { return !slices.Contains(b, service) })
}

func servicesText(services []string, isThere bool) string {
	if !isThere {
		return ""
	}
	return strings.Join(slices.Sorted(slices.Values(services)), " ")
}
