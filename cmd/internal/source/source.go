// Package source reads what a policy is written in: the options in protobuf files, in a
// compiled image, or in the descriptors of a running server, and policy files.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policyfile/cel"
)

// A Spec says where to read a policy. The zero Spec reads nothing, which is an error.
type Spec struct {
	// Protos are directories of protobuf files. Each is an import path, too.
	Protos []string
	// Imports are further import paths. Only files that others import are read there.
	Imports []string
	// Images are files with a buf image or a descriptor set, in its binary or its JSON
	// form. "-" is Stdin.
	Images []string
	// Files are policy files, or directories of them. Each overrides those before it,
	// and all of them override the options.
	Files []string
	// Server is a server to ask for its descriptors, if it has an address.
	Server Server
	// Stdin is what "-" reads. Nil is empty.
	Stdin io.Reader
}

// IsZero reports whether the Spec names nothing to read.
func (s Spec) IsZero() bool {
	return len(s.Protos) == 0 && len(s.Images) == 0 && len(s.Files) == 0 && s.Server.Address == ""
}

// A Source is what was read. It is immutable.
type Source struct {
	// Policy holds the rules of the options, under those of the files.
	Policy policy.Policy
	// Names are what was read, as the person who named it wrote it.
	Names []string
	// Files are the policy files and directories among Names.
	Files []string

	descriptors *descriptors
	conditions  policy.ConditionCompiler
}

// ErrNothing is the error of a Spec that names nothing to read.
var ErrNothing = errors.New("nothing to read: give --proto, --image, --reflect or --file")

// Read reads a policy. What is wrong inside of the files is a *fault.Fault each, which
// the error joins; any other error is about the Spec or the machine.
func Read(ctx context.Context, spec Spec) (*Source, error) { return read(ctx, spec, nil) }

// ReadBeside is Read for a policy that is compared with another one. If spec names no
// descriptors, its names are checked against those of the other, without the rules in
// their options.
func ReadBeside(ctx context.Context, spec Spec, other *Source) (*Source, error) {
	return read(ctx, spec, other.descriptors)
}

func read(ctx context.Context, spec Spec, fallback *descriptors) (*Source, error) {
	if spec.IsZero() {
		return nil, ErrNothing
	}
	for _, paths := range []*[]string{&spec.Protos, &spec.Imports, &spec.Images, &spec.Files} {
		*paths = unique(*paths)
	}
	s := &Source{descriptors: new(descriptors), Files: slices.Clone(spec.Files)}
	s.Names = slices.Concat(spec.Protos, spec.Images)
	if spec.Server.Address != "" {
		s.Names = append(s.Names, spec.Server.Address)
	}
	s.Names = append(s.Names, spec.Files...)
	if err := s.readDescriptors(ctx, spec); err != nil {
		return nil, err
	}
	if !s.descriptors.isEmpty() {
		s.Policy = policy.FromDescriptors(s.descriptors)
	}
	var faults []error
	for _, path := range spec.Files {
		p, err := loadFile(path)
		faults = append(faults, err)
		s.Policy = s.Policy.Override(p)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if s.descriptors.isEmpty() && fallback != nil {
		s.descriptors = fallback
	}
	s.complete()
	if err := s.prepareConditions(); err != nil {
		return nil, err
	}
	return s, nil
}

// prepareConditions makes the compiler of conditions, if there are any. Without descriptors
// there is nothing to check their types against.
func (s *Source) prepareConditions() error {
	s.conditions = unjudged{}
	if !s.HasDescriptors() || !hasConditions(s.Policy) {
		return nil
	}
	conditions, err := cel.New(cel.Config{})
	if err != nil {
		return err
	}
	s.conditions = conditions
	return nil
}

// unique returns paths without those that are repeated, as they are in the completion of a
// command line.
func unique(paths []string) []string {
	var kept []string
	for _, path := range paths {
		if !slices.Contains(kept, path) {
			kept = append(kept, path)
		}
	}
	return kept
}

func hasConditions(p policy.Policy) bool {
	for _, service := range p.Services {
		if service.Rule.Condition != "" {
			return true
		}
		for _, rule := range service.Methods {
			if rule.Condition != "" {
				return true
			}
		}
	}
	return false
}

func (s *Source) readDescriptors(ctx context.Context, spec Spec) error {
	var errs []error
	if len(spec.Protos) > 0 {
		errs = append(errs, s.descriptors.addTrees(ctx, spec.Protos, spec.Imports))
	}
	for _, path := range spec.Images {
		errs = append(errs, s.descriptors.addImage(path, spec.Stdin))
	}
	if spec.Server.Address != "" {
		errs = append(errs, s.descriptors.addServer(ctx, spec.Server))
	}
	return errors.Join(errs...)
}

// complete makes up for descriptors that were not read. A server has those of the health
// and the reflection service linked in. Without any descriptors at all, the names in the
// policy cannot be checked.
func (s *Source) complete() {
	services := maps.Clone(s.Policy.Services)
	for _, name := range slices.Sorted(maps.Keys(services)) {
		service := services[name]
		switch {
		case s.descriptors.isEmpty():
			service.NoDescriptor = true
			services[name] = service
		case !service.NoDescriptor && s.descriptors.find(name) == nil:
			s.descriptors.addLinkedService(name)
		}
	}
	s.Policy.Services = services
}

// HasDescriptors reports whether there is anything to check the names of services and
// methods against.
func (s *Source) HasDescriptors() bool { return !s.descriptors.isEmpty() }

// Compiler returns a compiler of the policy.
func (s *Source) Compiler() policy.Compiler {
	return policy.Compiler{Descriptors: s.descriptors, Conditions: s.conditions, Questions: unjudged{}}
}

// Service returns a service that has a descriptor, nil if there is none.
func (s *Source) Service(name string) *Service { return s.descriptors.find(name) }

// Services returns the services in the files that were named, sorted. Services in files
// that are merely imported are not among them.
func (s *Source) Services() []*Service { return s.descriptors.own() }

// String names what was read.
func (s *Source) String() string { return strings.Join(s.Names, ", ") }

// twice is the error of a service or file that is in two places.
func twice(what, name, first, second string) error {
	return fmt.Errorf("%s %s is in both %s and %s; name one of them", what, name, first, second)
}
