package main

import (
	"cmp"
	"iter"
	"slices"

	"buf.build/go/bufplugin/check"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policyfile/cel"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A schema is what a request asks to check. It is immutable.
type schema struct {
	config config
	// services are those to check, in order of their names, and imported those that
	// only explain them.
	services, imported []*service
	// policy has the rules of all of them.
	policy policy.Policy
	// faults are what is wrong with policy.
	faults []*fault.Fault
	// implies is that of policy, empty if it is faulty.
	implies map[string][]string
}

// newSchema reads a request. The error joins a [*fault.Fault] for each fault of the
// options of the plugin.
func newSchema(request check.Request) (*schema, error) {
	config, err := newConfig(request.Options())
	if err != nil {
		return nil, err
	}
	s := &schema{config: config}
	files := new(protoregistry.Files)
	for _, file := range request.FileDescriptors() {
		descriptor := file.ProtoreflectFileDescriptor()
		if err := files.RegisterFile(descriptor); err != nil {
			return nil, err
		}
		for i := range descriptor.Services().Len() {
			found := newService(descriptor.Services().Get(i))
			if file.IsImport() {
				s.imported = append(s.imported, found)
			} else {
				s.services = append(s.services, found)
			}
		}
	}
	for _, services := range [][]*service{s.services, s.imported} {
		slices.SortFunc(services, func(a, b *service) int { return cmp.Compare(a.descriptor.FullName(), b.descriptor.FullName()) })
	}
	conditions, err := cel.New(cel.Config{})
	if err != nil {
		return nil, err
	}
	s.policy = policy.FromDescriptors(files)
	_, err = policy.Compiler{Descriptors: files, Conditions: conditions, Questions: anyQuestion{}}.Compile(s.policy)
	s.faults = slices.Collect(fault.All(err))
	if _, err := policy.Compile(policy.Policy{Implies: s.policy.Implies}); err == nil {
		s.implies = s.policy.Implies
	}
	return s, nil
}

// elements iterates over the services to check and their methods.
func (s *schema) elements() iter.Seq[*element] {
	return func(yield func(*element) bool) {
		for _, service := range s.services {
			for _, e := range append([]*element{&service.element}, service.methods...) {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// isImported reports whether an element is of a file that is only imported.
func (s *schema) isImported(e *element) bool {
	return slices.ContainsFunc(s.imported, func(service *service) bool {
		return e == &service.element || slices.Contains(service.methods, e)
	})
}

// rulesOf returns the rule of a service, the zero Rule if it has none, and those of its
// methods.
func (s *schema) rulesOf(service *service) policy.Service {
	return s.policy.Services[string(service.descriptor.FullName())]
}
