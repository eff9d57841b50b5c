package source

import (
	"maps"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// Rule returns the rule of a method, which may be that of its service, or the rule of a
// service as a whole if the method is "*". It reports false if there is none.
func (s *Source) Rule(service, method string) (policy.Rule, bool) {
	rules, ok := s.Policy.Services[service]
	if !ok {
		return policy.Rule{}, false
	}
	if rule, ok := rules.Methods[method]; ok {
		return rule, true
	}
	return rules.Rule, !rules.Rule.IsZero()
}

// Definition returns where a method is defined, or the service if it has no such method.
// It is empty if there is no descriptor.
func (s *Source) Definition(service, method string) string {
	described := s.Service(service)
	if described == nil {
		return ""
	}
	for _, m := range described.Methods() {
		if m.Name == method {
			return m.Place
		}
	}
	return described.Place()
}

// DenyUncovered returns s with a rule for each service that was read and has none, which
// denies every caller as before. A comparison then takes the first rule of a service for
// what it is, and not for one of a procedure that is new.
func (s *Source) DenyUncovered() *Source {
	covered := *s
	covered.Policy.Services = maps.Clone(s.Policy.Services)
	for _, service := range s.Services() {
		if _, ok := covered.Policy.Services[service.Name()]; !ok {
			covered.Policy.Services[service.Name()] = policy.Service{Rule: policy.Rule{Denied: true, Source: service.Place()}}
		}
	}
	return &covered
}
