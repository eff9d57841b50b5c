package policy

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

// Warnings returns what may be a mistake in the policy, and does no harm by itself: a
// method that no rule covers, so that every call is denied, and a rule that
// [Policy.Override] put in place of a stricter one. The result is the receiver's own.
func (t *Table) Warnings() []*fault.Fault {
	var warnings []*fault.Fault
	for _, warning := range t.warnings {
		warnings = append(warnings, new(*warning))
	}
	return warnings
}

// warnOfUncovered warns of each method of a service that no rule covers.
func (c *compiler) warnOfUncovered(where string, rules map[string]Rule, descriptor protoreflect.ServiceDescriptor) {
	var uncovered []string
	for i := range descriptor.Methods().Len() {
		name := string(descriptor.Methods().Get(i).Name())
		if _, ok := rules[name]; !ok {
			uncovered = append(uncovered, name)
		}
	}
	slices.Sort(uncovered)
	for _, name := range uncovered {
		place := fmt.Sprintf("%s.Methods[%q]", where, name)
		const reason, remedy = "has no rule, and neither has the service, so that every call is denied", "set Denied if that is meant"
		if c.RequireRules {
			c.fault(place, name, reason, remedy)
			continue
		}
		c.warn(c.source, place, name, reason, remedy)
	}
}

// warnOfWeaker warns of each rule that asks for less than the one that it replaces, of
// which it has not warned.
func (c *compiler) warnOfWeaker(before *Table, warned map[string]bool) {
	for _, change := range Diff(before, c.table) {
		if change.Difference != Looser && change.Difference != Different || warned[change.Procedure] {
			continue
		}
		warned[change.Procedure] = true
		// Where a rule of a service changed, its methods say the same again.
		service := change.Procedure[1:strings.LastIndexByte(change.Procedure, '/')]
		isMethod := !strings.HasSuffix(change.Procedure, "/*")
		if isMethod && c.table.services[service] == change.New.whole() && before.services[service] == change.Old.whole() {
			continue
		}
		reason := fmt.Sprintf("requires %s, and replaces a rule that requires %s%s", textOf(change.New), textOf(change.Old), at(sourceOf(change.Old)))
		if textOf(change.New) == textOf(change.Old) && sourceOf(change.New) == sourceOf(change.Old) {
			reason = fmt.Sprintf("requires %s as before, which more tokens meet through Implies", textOf(change.New))
		}
		c.warn(sourceOf(change.New), change.Procedure, "", reason, "make sure that fewer requirements are meant")
	}
}

func (c *compiler) warn(source, place, value, reason, remedy string) {
	c.table.warnings = append(c.table.warnings, &fault.Fault{
		Source: source, Place: c.faults.Within + place, Value: value, Reason: reason, Remedy: remedy,
	})
}

// whole returns the requirement of the service that r was copied from, or r.
func (r *Requirement) whole() *Requirement {
	if r == nil || r.of == nil {
		return r
	}
	return r.of
}

func textOf(r *Requirement) string {
	if r == nil {
		return "what nobody has"
	}
	return r.rule.String()
}

func sourceOf(r *Requirement) string {
	if r == nil {
		return ""
	}
	return r.rule.Source
}

func at(source string) string {
	if source == "" {
		return ""
	}
	return " at " + source
}
