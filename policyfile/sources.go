package policyfile

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// sources are the places of what a file defines, "policy.yaml:12". The line is that of
// the key.
type sources struct {
	services  map[string]string            // by service: its name
	rules     map[string]string            // by service: its rule
	methods   map[string]map[string]string // by service and method
	resources map[string]string            // by identifier
	implies   map[string]string            // by scope, where it is first
}

func newSources() sources {
	return sources{
		services: make(map[string]string), rules: make(map[string]string),
		methods: make(map[string]map[string]string), resources: make(map[string]string), implies: make(map[string]string),
	}
}

// sourcesIn finds the places of what the root of a file defines.
func sourcesIn(name string, root *yaml.Node) sources {
	found := newSources()
	source := func(key *yaml.Node) string { return fmt.Sprintf("%s:%d", name, key.Line) }
	for field, value := range pairs(root) {
		switch field.Value {
		case "services":
			for service, content := range pairs(value) {
				found.services[service.Value] = source(service)
				found.service(service.Value, content, source)
			}
		case "resources":
			for identifier := range pairs(value) {
				found.resources[identifier.Value] = source(identifier)
			}
		case "implies":
			for _, implication := range value.Content {
				found.implication(implication, source)
			}
		}
	}
	return found
}

func (s sources) service(service string, content *yaml.Node, source func(*yaml.Node) string) {
	for field, value := range pairs(content) {
		switch field.Value {
		case "rule":
			s.rules[service] = source(field)
		case "methods":
			s.methods[service] = make(map[string]string)
			for method := range pairs(value) {
				s.methods[service][method.Value] = source(method)
			}
		}
	}
}

func (s sources) implication(content *yaml.Node, source func(*yaml.Node) string) {
	for field, value := range pairs(content) {
		if _, ok := s.implies[value.Value]; field.Value == "scope" && !ok {
			s.implies[value.Value] = source(field)
		}
	}
}

// pairs iterates over the keys of a mapping, with their values.
func pairs(mapping *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i], mapping.Content[i+1]) {
				return
			}
		}
	}
}

// of returns the place of the rule of a service, if method is empty, or of a method.
func (s sources) of(service, method string) string {
	if method != "" {
		return s.methods[service][method]
	}
	return s.rules[service]
}

// ofEntries returns [policy.Policy].Sources.
func (s sources) ofEntries() map[string]string {
	entries := make(map[string]string, len(s.implies)+len(s.resources))
	for scope, source := range s.implies {
		entries[fmt.Sprintf("Implies[%q]", scope)] = source
	}
	for identifier, source := range s.resources {
		entries[fmt.Sprintf("Resources[%q]", identifier)] = source
	}
	return entries
}
