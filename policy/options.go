package policy

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// FromOptions returns the policy that stands in the options of the protobuf services
// that are linked into the program: (drawbridge.v1.service) and
// (drawbridge.v1.method). Without names it is that of every service which has a
// rule there, itself or on a method. Of the named ones, one that does not exist or has no
// rule is a fault of [Compile].
//
// Implications apply to the whole policy, wherever they stand.
func FromOptions(services ...string) Policy {
	return FromDescriptors(protoregistry.GlobalFiles, services...)
}

// FromDescriptors is [FromOptions] for other descriptors than those that are linked
// into the program, such as those of a descriptor set. If they have the positions of
// the source, [Rule.Source] has the line.
func FromDescriptors(descriptors Descriptors, services ...string) Policy {
	p := reader{Policy{Services: make(map[string]Service)}}
	for _, name := range services {
		found, err := descriptors.FindDescriptorByName(protoreflect.FullName(name))
		service, ok := found.(protoreflect.ServiceDescriptor)
		if err != nil || !ok {
			p.fault("", fmt.Sprintf("Services[%q]", name), "is not the name of a service in the descriptors", "import its generated package, or do not name it")
			continue
		}
		p.addOptions(service)
		if _, ok := p.Services[name]; !ok {
			p.fault(service.ParentFile().Path(), fmt.Sprintf("Services[%q]", name),
				"has no rule in an option (drawbridge.v1.service), and none of its methods has one in (drawbridge.v1.method)",
				"write its rules there, or do not name it")
		}
	}
	if len(services) > 0 {
		return p.Policy
	}
	// RangeFiles has no order, and what stands in a file must not depend on it.
	var files []protoreflect.FileDescriptor
	descriptors.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		files = append(files, file)
		return true
	})
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	for _, file := range files {
		for i := range file.Services().Len() {
			p.addOptions(file.Services().Get(i))
		}
	}
	return p.Policy
}

// addOptions adds the rules of a service, if it has any.
func (p *reader) addOptions(descriptor protoreflect.ServiceDescriptor) {
	name := string(descriptor.FullName())
	var service Service
	sources := sourcesOf(descriptor)
	service.Source = sources[-1]
	options := new(drawbridgev1.ServiceOptions)
	hasRules := p.read(descriptor, drawbridgev1.E_Service, options, sources[-1]) && options.GetRule() != nil
	if rule := options.GetRule(); rule != nil {
		service.Rule = p.rule(rule, sources[-1], name)
	}
	p.addImplications(options.GetImplies())
	for _, implication := range options.GetImplies() {
		if place := impliesPlace(implication.GetScope()); p.Sources[place] == "" {
			p.Sources = replaceIn(p.Sources, map[string]string{place: sources[-1]})
		}
	}
	for i := range descriptor.Methods().Len() {
		method := descriptor.Methods().Get(i)
		options := new(drawbridgev1.MethodOptions)
		if !p.read(method, drawbridgev1.E_Method, options, sources[i]) {
			continue
		}
		if rule := options.GetRule(); rule != nil {
			hasRules = true
			if service.Methods == nil {
				service.Methods = make(map[string]Rule)
			}
			service.Methods[string(method.Name())] = p.rule(rule, sources[i], string(method.FullName()))
		}
	}
	if hasRules {
		p.Services[name] = service
	}
}

// read reads an option of a descriptor into a message. It reports whether there is one.
//
// It goes by the encoding: descriptors that were not compiled by Go have the option as
// unknown bytes, or as one of an extension that they define themselves.
func (p *reader) read(descriptor protoreflect.Descriptor, option protoreflect.ExtensionType, into proto.Message, source string) bool {
	what := string(descriptor.FullName())
	encoded, err := proto.MarshalOptions{AllowPartial: true}.Marshal(descriptor.Options())
	if err != nil {
		p.fault(source, what, "has options that cannot be read: "+err.Error(), "")
		return false
	}
	found := false
	for len(encoded) > 0 {
		number, kind, n := protowire.ConsumeField(encoded)
		field, tag := encoded, 0
		if n >= 0 {
			field, encoded = encoded[:n], encoded[n:]
			_, _, tag = protowire.ConsumeTag(field)
		}
		if n >= 0 && number != option.TypeDescriptor().Number() {
			continue
		}
		found = true
		value, length := []byte(nil), -1
		if n >= 0 && kind == protowire.BytesType {
			value, length = protowire.ConsumeBytes(field[tag:])
		}
		if length < 0 || (proto.UnmarshalOptions{AllowPartial: true, Merge: true}).Unmarshal(value, into) != nil {
			p.fault(source, what, "has an option "+string(option.TypeDescriptor().FullName())+" that cannot be read", "compile the protobuf file again")
			return false
		}
	}
	if found {
		p.refuseUnknown(into.ProtoReflect(), source, what)
	}
	return found
}

// The numbers of fields in descriptor.proto, which make up the path of a location.
const (
	servicesOfFile   = 6 // FileDescriptorProto.service
	methodsOfService = 2 // ServiceDescriptorProto.method
	serviceOptions   = 3 // ServiceDescriptorProto.options
	methodOptions    = 4 // MethodDescriptorProto.options
)

// sourcesOf returns where the rules of a service are written: that of the service under
// -1, and those of its methods by their index. That is the line of the option where the
// descriptor has it, else the file and the name.
func sourcesOf(service protoreflect.ServiceDescriptor) map[int]string {
	file := service.ParentFile().Path()
	sources := map[int]string{-1: fmt.Sprintf("%s (%s)", file, service.FullName())}
	for i := range service.Methods().Len() {
		sources[i] = fmt.Sprintf("%s (%s)", file, service.Methods().Get(i).FullName())
	}
	found := make(map[int]bool)
	locations := service.ParentFile().SourceLocations()
	for i := range locations.Len() {
		location := locations.Get(i)
		of, ok := optionAt(location.Path, int32(service.Index())) //nolint:gosec // No file has 2³¹ services.
		if ok && !found[of] {
			found[of] = true
			sources[of] = fmt.Sprintf("%s:%d", file, location.StartLine+1)
		}
	}
	return sources
}

// optionAt reports whether a path is that of an option of ours of a service, -1, or of
// one of its methods.
func optionAt(path protoreflect.SourcePath, service int32) (of int, ok bool) {
	if len(path) < 4 || path[0] != servicesOfFile || path[1] != service {
		return 0, false
	}
	switch {
	case path[2] == serviceOptions && path[3] == int32(drawbridgev1.E_Service.TypeDescriptor().Number()):
		return -1, true
	case len(path) > 5 && path[2] == methodsOfService && path[4] == methodOptions &&
		path[5] == int32(drawbridgev1.E_Method.TypeDescriptor().Number()):
		return int(path[3]), true
	default:
		return 0, false
	}
}
