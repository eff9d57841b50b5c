package policy

import (
	"context"
	"maps"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// A Difference says how a requirement compares with an earlier one.
type Difference uint8

// The values of a [Difference].
const (
	// Same means that the same callers meet both.
	Same Difference = iota
	// Looser means that whoever met the earlier requirement meets the later, and
	// others may, too.
	Looser
	// Tighter means that whoever meets the later requirement met the earlier, and
	// others may no longer.
	Tighter
	// Different means that either may be met by callers who do not meet the other.
	Different
	// New means that the earlier table knows no such procedure.
	New
	// Gone means that the later table knows no such procedure.
	Gone
)

// String returns "same", "looser", "tighter", "different", "new" or "gone".
func (d Difference) String() string {
	names := [...]string{"same", "looser", "tighter", "different", "new", "gone"}
	if int(d) >= len(names) {
		return "invalid"
	}
	return names[d]
}

// A Change is what became of one procedure.
type Change struct {
	// Procedure is "/pkg.Service/Method", or "/pkg.Service/*" for the rule of a
	// service as a whole: that of HTTP handlers, and of methods that no descriptor
	// knows.
	Procedure string
	// Difference is never Same.
	Difference Difference
	// Old and New are the requirements, nil for one that denies every caller, or does
	// not exist.
	Old, New *Requirement
}

// Diff returns what changed between two tables, sorted by procedure. Two rules that
// are written in different ways and are met by the same callers are the same, and so
// are rules that differ in Reason and Source alone.
func Diff(before, after *Table) []Change {
	var changes []Change
	earlier, later := before.known(), after.known()
	names := maps.Clone(later)
	maps.Copy(names, earlier)
	for _, procedure := range sortedKeys(names) {
		change := Change{Procedure: procedure}
		var wasKnown, isKnown bool
		change.Old, wasKnown = before.covering(earlier, procedure)
		change.New, isKnown = after.covering(later, procedure)
		switch {
		case !wasKnown:
			change.Difference = New
		case !isKnown:
			change.Difference = Gone
		default:
			change.Difference = compare(change.Old, change.New)
		}
		if change.Difference != Same {
			changes = append(changes, change)
		}
	}
	return changes
}

// CompareRules says how a rule compares with an earlier one, under the implications of a
// policy. Conditions and questions are compared as they are written. The error joins a
// [*fault.Fault] for each fault of the two.
func CompareRules(before, after Rule, implies map[string][]string) (Difference, error) {
	var requirements [2]*Requirement
	var faults fault.List
	for i, rule := range [...]Rule{before, after} {
		c := Compiler{Conditions: asWritten{}, Questions: asWritten{}}.compile(&Policy{Implies: implies})
		requirements[i] = c.rule("Rule", Target{}, rule)
		faults.Join(c.faults.Err())
	}
	if err := faults.Err(); err != nil {
		return Same, err
	}
	return compare(requirements[0], requirements[1]), nil
}

// asWritten compiles whatever is written, and is never asked.
type asWritten struct{}

func (asWritten) CompileCondition(string, Target) (Condition, error)  { return asWritten{}, nil }
func (asWritten) CompileQuestion(Question, Target) (Condition, error) { return asWritten{}, nil }
func (asWritten) NeedsMessage() bool                                  { return false }
func (asWritten) Holds(context.Context, Input) (bool, error)          { return false, nil }

// compare says how a requirement compares with an earlier one. A nil one denies.
func compare(before, after *Requirement) Difference {
	isTighter, isLooser := after.entails(before), before.entails(after)
	switch {
	case isTighter && isLooser:
		return Same
	case isTighter:
		return Tighter
	case isLooser:
		return Looser
	default:
		return Different
	}
}

// entails reports whether every caller who meets r meets s. In doubt it reports false.
func (r *Requirement) entails(s *Requirement) bool {
	switch {
	case r == nil || s != nil && s.rule.Public:
		return true
	case s == nil || r.rule.Public:
		return false
	}
	// Whoever meets a list of alternatives meets a longer one.
	for _, list := range s.all {
		if !slices.ContainsFunc(r.all, func(shorter []string) bool { return isSubset(shorter, list) }) {
			return false
		}
	}
	for i := range s.claims {
		condition := &s.claims[i]
		if !slices.ContainsFunc(r.claims, func(own claimCondition) bool {
			return slices.Equal(own.path, condition.path) && isSubset(own.values, condition.values)
		}) {
			return false
		}
	}
	if s.rule.Question != nil && !s.rule.Question.equal(r.rule.Question) {
		return false
	}
	if s.rule.Condition != "" && s.rule.Condition != r.rule.Condition {
		return false
	}
	return r.entailsIdentity(s.identity) && r.entailsAuthentication(s) &&
		(s.rule.Proof == ProofAllowed || s.rule.Proof == r.rule.Proof)
}

func (r *Requirement) entailsIdentity(s *identity) bool {
	switch own := r.identity; {
	case s == nil:
		return true
	case own == nil:
		return false
	case s.party != 0 && s.party != own.party:
		return false
	case s.noActor:
		return own.noActor
	case len(s.actors) > 0 && !own.noActor:
		return len(own.actors) > 0 && isSubset(own.actors, s.actors)
	default:
		return true
	}
}

func (r *Requirement) entailsAuthentication(s *Requirement) bool {
	values, maxAge := s.ChallengeAuthentication()
	ownValues, ownMaxAge := r.ChallengeAuthentication()
	if len(values) > 0 && (len(ownValues) == 0 || !isSubset(ownValues, values)) {
		return false
	}
	return maxAge == nil || ownMaxAge != nil && *ownMaxAge <= *maxAge
}

func isSubset[E comparable](a, b []E) bool {
	return !slices.ContainsFunc(a, func(e E) bool { return !slices.Contains(b, e) })
}

// covering returns the requirement of a procedure that the table names, or to which the rule
// of a service without a descriptor applies.
func (t *Table) covering(known map[string]*Requirement, procedure string) (requirement *Requirement, ok bool) {
	if requirement, ok = known[procedure]; ok {
		return requirement, true
	}
	service, _, _ := rpc.CutProcedure(procedure)
	requirement = t.open[service]
	return requirement, requirement != nil
}
