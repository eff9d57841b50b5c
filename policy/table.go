package policy

import "slices"

// Table is a compiled [Policy]. It is immutable and safe for concurrent use.
type Table struct {
	methods  map[string]*Requirement // by procedure; nil denies. Has every method that a descriptor knows
	services map[string]*Requirement // by service
	open     map[string]*Requirement // by service, of those whose methods nothing tells
	scopes   []string
	size     int
}

// Lookup returns what a procedure, "/pkg.Service/Method", asks of its caller.
// It returns nil if no rule speaks of the procedure, if its rule is the zero
// [Rule], if a descriptor knows the service but not the method, or if it is not
// well-formed; the caller is then denied.
func (t *Table) Lookup(procedure string) *Requirement {
	// Keys were checked when the table was compiled, so a hit needs no parsing.
	if requirement, ok := t.methods[procedure]; ok {
		return requirement
	}
	service, _, ok := ParseProcedure(procedure)
	if !ok {
		return nil
	}
	return t.open[service]
}

// LookupService returns what a service as a whole asks of its caller, for HTTP
// handlers that have no procedures. It returns nil where [Table.Lookup] does.
func (t *Table) LookupService(service string) *Requirement {
	return t.services[service]
}

// Len returns the number of requirements in the table.
func (t *Table) Len() int { return t.size }

// Scopes returns every scope that a rule asks for, sorted, each once: the
// scopes_supported of RFC 9728 §2. Scopes that only imply others are left out,
// so that a client which asks for all of them asks for no more than it needs.
func (t *Table) Scopes() []string { return slices.Clone(t.scopes) }

// Requirement is a compiled [Rule]: what a procedure asks of its caller. It is
// immutable and safe for concurrent use, and its address identifies the rule
// within its [Table].
type Requirement struct {
	index   int
	service string
	public  bool
	// all holds, for each scope that is required, every scope that satisfies
	// it: itself and those that imply it. One of each is needed.
	all [][]string
	ask []string
}

// Index numbers the requirements of one table from 0 to Len()-1.
func (r *Requirement) Index() int { return r.index }

// Service returns the name of the service that the rule belongs to.
func (r *Requirement) Service() string { return r.service }

// Public reports whether everyone may call.
func (r *Requirement) Public() bool { return r.public }

// Ask returns the scopes that a challenge asks for: all that the operation
// needs, and of those of which one suffices the first. It is shared, and must
// not be changed.
func (r *Requirement) Ask() []string { return r.ask }

// Join returns the scopes to ask for so that a token meets r as well as what the
// given scopes are for. Scopes that imply what r asks for are enough.
func (r *Requirement) Join(scopes []string) []string {
	if r.Satisfied(scopes) {
		return scopes
	}
	joined := slices.Clone(scopes)
	for _, scope := range r.ask {
		if !slices.Contains(joined, scope) {
			joined = append(joined, scope)
		}
	}
	return joined
}

// Satisfied reports whether a token with the granted scopes may call.
func (r *Requirement) Satisfied(granted []string) bool {
	for _, sufficient := range r.all {
		if !intersects(sufficient, granted) {
			return false
		}
	}
	return true
}

func intersects(a, b []string) bool {
	for _, s := range b {
		if slices.Contains(a, s) {
			return true
		}
	}
	return false
}
