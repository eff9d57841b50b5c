package policy

import (
	"maps"
	"slices"
)

// Override returns a policy in which the rules of with take the place of those of p,
// one by one: a rule of a method that of the same method, and a rule of a service that
// of the same service. What with does not mention stays, so a method that has a rule
// of its own in p keeps it if with has a rule for its service alone. The entries of
// Implies and of Resources are replaced likewise, each as a whole.
//
// A server that lets a policy file override the options in its protobuf files, and
// these the rules in its program, compiles
//
//	inGo.Override(policy.FromOptions()).Override(fromFile)
//
// If a rule of with asks for less than the one that it replaces, [Table.Warnings] says
// so. Neither p nor with is changed.
func (p Policy) Override(with Policy) Policy {
	if with.replaced != nil {
		p = p.Override(*with.replaced) // with has several layers, and so has the result.
	}
	replaced := p
	merged := Policy{
		Services:  maps.Clone(p.Services),
		Implies:   maps.Clone(p.Implies),
		Resources: maps.Clone(p.Resources),
		Sources:   maps.Clone(p.Sources),
		replaced:  &replaced,
		faults:    slices.Clone(p.faults),
	}
	for _, f := range with.faults {
		if !slices.Contains(merged.faults, f) {
			merged.faults = append(merged.faults, f)
		}
	}
	if merged.Services == nil {
		merged.Services = make(map[string]Service)
	}
	for name, service := range with.Services {
		merged.Services[name] = merged.Services[name].override(service)
	}
	merged.Implies = replaceIn(merged.Implies, with.Implies)
	merged.Resources = replaceIn(merged.Resources, with.Resources)
	for scope := range with.Implies {
		delete(merged.Sources, impliesPlace(scope))
	}
	for identifier := range with.Resources {
		delete(merged.Sources, resourcesPlace(identifier))
	}
	merged.Sources = replaceIn(merged.Sources, with.Sources)
	return merged
}

func (s Service) override(with Service) Service {
	if with.Source != "" {
		s.Source = with.Source
	}
	if !with.Rule.IsZero() {
		s.Rule = with.Rule
	}
	s.Methods = replaceIn(maps.Clone(s.Methods), with.Methods)
	s.NoDescriptor = s.NoDescriptor || with.NoDescriptor
	return s
}

func replaceIn[V any](m, with map[string]V) map[string]V {
	if m == nil && len(with) > 0 {
		m = make(map[string]V, len(with))
	}
	maps.Copy(m, with)
	return m
}
