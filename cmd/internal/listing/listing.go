// Package listing makes the table of a policy that a person can read: one row for each
// procedure.
package listing

import (
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/policy"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// A Listing is the table of a policy, with what a reader wants to know beside it.
type Listing struct {
	// Sources are what was read.
	Sources []string
	// Rows are the procedures, by service.
	Rows []Row
	// Implies are the scopes that include others.
	Implies map[string][]string
	// Warnings are what may be a mistake.
	Warnings []finding.Finding
}

// A Row is one procedure.
type Row struct {
	// Service is the full name of the service.
	Service string
	// Method is the plain name of the method. It is "*" for the rule of a service that has
	// no descriptor, which applies to every method of it that has no row.
	Method string
	// Kind is the kind of stream. It is empty if there is no descriptor.
	Kind source.Kind
	// Access is what the procedure asks of its caller, roughly.
	Access Access
	// Rule is the rule. It is the zero Rule if there is none.
	Rule policy.Rule
	// IsInherited says that the rule is that of the service.
	IsInherited bool
	// Place is where the rule is written, or, if there is none, where the method is.
	Place string
	// Resources are the identifiers of the resources through which clients reach the
	// service, where the policy says that.
	Resources []string
}

// Access is what a procedure asks of its caller, roughly.
type Access string

// The values of an [Access], from the most open to the least.
const (
	Public     Access = "public"     // no token
	AnyToken   Access = "any_token"  // a valid token, and nothing else
	Restricted Access = "restricted" // a valid token, and more
	Denied     Access = "denied"     // no caller is let in
	NoRule     Access = "no_rule"    // no caller is let in, because nothing says more
)

// Label returns a for a person.
func (a Access) Label() string { return strings.ReplaceAll(string(a), "_", " ") }

// Accesses returns the values of an [Access], from the most open to the least.
func Accesses() []Access { return []Access{Public, AnyToken, Restricted, Denied, NoRule} }

// Kinds returns the kinds of streams, in the order in which people name them.
func Kinds() []source.Kind {
	return []source.Kind{source.Unary, source.ServerStream, source.ClientStream, source.BidiStream}
}

// New returns the listing of a policy, with what was found when it was compiled.
func New(s *source.Source, warnings []finding.Finding) *Listing {
	l := &Listing{Sources: s.Names, Implies: s.Policy.Implies, Warnings: warnings}
	names := make(map[string]bool)
	for name := range s.Policy.Services {
		names[name] = true
	}
	for _, service := range s.Services() {
		names[service.Name()] = true
	}
	reach := reachOf(s.Policy)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		for _, row := range rowsOf(s, name) {
			row.Resources = reach[name]
			l.Rows = append(l.Rows, row)
		}
	}
	return l
}

// reachOf returns the resources of each service.
func reachOf(p policy.Policy) map[string][]string {
	reach := make(map[string][]string)
	for _, identifier := range slices.Sorted(maps.Keys(p.Resources)) {
		for _, service := range p.Resources[identifier] {
			reach[service] = append(reach[service], identifier)
		}
	}
	return reach
}

func rowsOf(s *source.Source, name string) []Row {
	rules := s.Policy.Services[name]
	described := s.Service(name)
	var rows []Row
	if described == nil {
		if !rules.Rule.IsZero() {
			rows = append(rows, newRow(name, "*", rules.Rule, true))
		}
		for _, method := range slices.Sorted(maps.Keys(rules.Methods)) {
			rows = append(rows, newRow(name, method, rules.Methods[method], true))
		}
		return rows
	}
	for _, method := range described.Methods() {
		_, isOwn := rules.Methods[method.Name]
		rule, hasRule := s.Rule(name, method.Name)
		row := newRow(name, method.Name, rule, hasRule)
		row.Kind, row.IsInherited = method.Kind, hasRule && !isOwn
		if row.Place == "" {
			row.Place = method.Place
		}
		rows = append(rows, row)
	}
	return rows
}

func newRow(service, method string, rule policy.Rule, hasRule bool) Row {
	row := Row{Service: service, Method: method, Rule: rule, Place: rule.Source}
	bare := policy.Rule{Authenticated: true}
	switch {
	case !hasRule:
		row.Access = NoRule
	case rule.Denied || rule.IsZero():
		row.Access = Denied
	case rule.Public:
		row.Access = Public
	case rule.String() == bare.String():
		row.Access = AnyToken
	default:
		row.Access = Restricted
	}
	return row
}

// Procedure returns "/pkg.Service/Method".
func (r Row) Procedure() string { return "/" + r.Service + "/" + r.Method }

// Requires returns what the procedure asks for, in one line.
func (r Row) Requires() string {
	if r.Access == NoRule {
		return "denied: no rule"
	}
	return r.Rule.String()
}

// Count returns the number of rows for which is returns true.
func (l *Listing) Count(is func(Row) bool) int {
	count := 0
	for _, row := range l.Rows {
		if is(row) {
			count++
		}
	}
	return count
}
