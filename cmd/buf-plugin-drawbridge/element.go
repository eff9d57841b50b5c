package main

import (
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// An element is a service or a method.
type element struct {
	descriptor protoreflect.Descriptor
	// path is where the option of the element is in the descriptor of its file.
	path protoreflect.SourcePath
	// option is *drawbridgev1.ServiceOptions or *drawbridgev1.MethodOptions, empty if
	// the element has no option.
	option proto.Message
}

// A service is a service and its methods.
type service struct {
	element

	methods []*element
}

// The numbers of fields in descriptor.proto, which make up a path.
const (
	servicesOfFile   = 6 // FileDescriptorProto.service
	methodsOfService = 2 // ServiceDescriptorProto.method
	serviceOptions   = 3 // ServiceDescriptorProto.options
	methodOptions    = 4 // MethodDescriptorProto.options
)

func newService(descriptor protoreflect.ServiceDescriptor) *service {
	path := []int{servicesOfFile, descriptor.Index()}
	s := &service{element: newElement(descriptor, drawbridgev1.E_Service, append(path[:2:2], serviceOptions))}
	for i := range descriptor.Methods().Len() {
		method := newElement(descriptor.Methods().Get(i), drawbridgev1.E_Method, append(path[:2:2], methodsOfService, i, methodOptions))
		s.methods = append(s.methods, &method)
	}
	return s
}

// method returns the method with a name, or nil.
func (s *service) method(name string) *element {
	for _, method := range s.methods {
		if string(method.descriptor.Name()) == name {
			return method
		}
	}
	return nil
}

// newElement returns the element of a descriptor. Its options, of which extension is
// one, are at a path.
func newElement(descriptor protoreflect.Descriptor, extension protoreflect.ExtensionType, options []int) element {
	e := element{descriptor: descriptor}
	for _, number := range append(options, int(extension.TypeDescriptor().Number())) {
		e.path = append(e.path, int32(number)) //nolint:gosec // No file has 2³¹ services.
	}
	// Plugins decode options with the extensions that are linked into them.
	e.option, _ = proto.GetExtension(descriptor.Options(), extension).(proto.Message)
	return e
}

// rule returns the rule of an element, or nil.
func (e *element) rule() *drawbridgev1.Rule {
	if service, ok := e.option.(*drawbridgev1.ServiceOptions); ok {
		return service.GetRule()
	}
	method, _ := e.option.(*drawbridgev1.MethodOptions)
	return method.GetRule()
}

// implies returns the implications of an element. Only a service has any.
func (e *element) implies() []*drawbridgev1.Implication {
	service, _ := e.option.(*drawbridgev1.ServiceOptions)
	return service.GetImplies()
}
