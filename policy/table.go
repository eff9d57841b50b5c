package policy

import (
	"iter"
	"maps"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// A Table is a compiled [Policy]. It is immutable and safe for concurrent use.
type Table struct {
	// Requirements that are nil deny.
	methods      map[string]*Requirement // by procedure: named and described methods
	services     map[string]*Requirement // by service
	open         map[string]*Requirement // by service, of those without a descriptor
	described    map[string]bool         // every service of the policy → whether it has a descriptor
	requirements []*Requirement
	resources    map[string][]string // services by the identifier of a resource
	sources      map[string]string   // by service
	warnings     []*fault.Fault
}

// newIndex returns a map with room for more than eight keys. Go searches a
// smaller map key by key, which takes longer because the processor cannot
// predict where the search ends.
func newIndex() map[string]*Requirement { return make(map[string]*Requirement, 9) }

// Lookup returns the requirement of a procedure, "/pkg.Service/Method". It
// returns nil, and the call is denied, if no rule applies to the procedure, if
// its rule is the zero [Rule], if the descriptor of the service has no such
// method, or if the procedure is malformed.
func (t *Table) Lookup(procedure string) *Requirement {
	// All keys are valid procedures, so a hit needs no parsing.
	if requirement, ok := t.methods[procedure]; ok {
		return requirement
	}
	if len(t.open) == 0 {
		return nil
	}
	service, _, ok := rpc.CutProcedure(procedure)
	if !ok {
		return nil
	}
	return t.open[service]
}

// LookupService returns the requirement of a service as a whole, for HTTP
// handlers that have no procedures. It returns nil, and the call is denied, if
// the service has no rule or the zero [Rule].
func (t *Table) LookupService(service string) *Requirement {
	return t.services[service]
}

// Requirements iterates over the requirements in the table, each once.
func (t *Table) Requirements() iter.Seq[*Requirement] { return slices.Values(t.requirements) }

// Procedures iterates over every procedure that the policy or a descriptor names, and
// over each service as "/pkg.Service/*", with its requirement: sorted, the service
// before its methods. The requirement is nil if it denies every caller.
func (t *Table) Procedures() iter.Seq2[string, *Requirement] {
	return func(yield func(string, *Requirement) bool) {
		known := t.known()
		for _, procedure := range sortedKeys(known) {
			if !yield(procedure, known[procedure]) {
				return
			}
		}
	}
}

// known returns the requirement of each procedure that the table names, and that of each
// service under "/pkg.Service/*".
func (t *Table) known() map[string]*Requirement {
	known := maps.Clone(t.methods)
	for service, requirement := range t.services {
		known["/"+service+"/*"] = requirement
	}
	return known
}

// Resources returns [Policy].Resources as a copy.
func (t *Table) Resources() map[string][]string { return clonedLists(t.resources) }

// ScopesOf returns every scope that a rule of one of the services requires, sorted
// and without duplicates: the scopes_supported of RFC 9728 §2. It omits scopes
// that only imply others, so that a client which requests all of them requests no
// more than it needs.
func (t *Table) ScopesOf(services func(name string) bool) []string {
	var scopes []string
	for _, requirement := range t.requirements {
		if services(requirement.service) {
			scopes = append(scopes, requirement.scopes...)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// Services iterates over the names of the services of the policy, sorted.
func (t *Table) Services() iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(t.described)))
}

// SourceOf returns where a service of the policy is written, see [Service].Source.
func (t *Table) SourceOf(service string) string { return t.sources[service] }

// HasService reports whether the policy names a service, whatever its rules.
func (t *Table) HasService(service string) bool {
	_, ok := t.described[service]
	return ok
}

// IsDescribed reports whether the policy names a service and a descriptor of it
// is linked into the program.
func (t *Table) IsDescribed(service string) bool { return t.described[service] }

// HasMethod reports whether the policy or a descriptor names the very method of a
// procedure, whatever its rule. A method that only the rule of a service without
// a descriptor covers may be misspelled.
func (t *Table) HasMethod(procedure string) bool {
	_, ok := t.methods[procedure]
	return ok
}
