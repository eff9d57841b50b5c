package source

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Service is one that has a descriptor.
type Service struct {
	descriptor protoreflect.ServiceDescriptor
	isOwn      bool
	from, in   string
}

// A Method is a method of a [Service].
type Method struct {
	// Name is the plain name.
	Name string
	// Kind is the kind of stream.
	Kind Kind
	// Place is where the method is defined: "orders.proto:31", or the file and the full
	// name if the line is not known.
	Place string
}

// A Kind is the kind of stream that a method has: [Unary], [ServerStream], [ClientStream]
// or [BidiStream].
type Kind string

// The kinds.
const (
	Unary        Kind = "unary"
	ServerStream Kind = "server"
	ClientStream Kind = "client"
	BidiStream   Kind = "bidi"
)

// Name returns the full name.
func (s *Service) Name() string { return string(s.descriptor.FullName()) }

// Place returns where the service is defined, as in [Method].
func (s *Service) Place() string {
	return s.place(s.descriptor, protoreflect.SourcePath{servicesOfFile, int32(s.descriptor.Index())}) //nolint:gosec // No file has 2³¹ services.
}

// Methods returns the methods in the order of the file.
func (s *Service) Methods() []Method {
	var methods []Method
	for i := range s.descriptor.Methods().Len() {
		method := s.descriptor.Methods().Get(i)
		path := protoreflect.SourcePath{servicesOfFile, int32(s.descriptor.Index()), methodsOfService, int32(i)} //nolint:gosec // As above.
		methods = append(methods, Method{Name: string(method.Name()), Kind: kindOf(method), Place: s.place(method, path)})
	}
	return methods
}

// The numbers of fields in descriptor.proto.
const (
	servicesOfFile   = 6 // FileDescriptorProto.service
	methodsOfService = 2 // ServiceDescriptorProto.method
)

func (s *Service) place(descriptor protoreflect.Descriptor, path protoreflect.SourcePath) string {
	file := s.descriptor.ParentFile()
	location := file.SourceLocations().ByPath(path)
	if location.Path == nil {
		return fmt.Sprintf("%s (%s)", file.Path(), descriptor.FullName())
	}
	return fmt.Sprintf("%s:%d", file.Path(), location.StartLine+1)
}

func kindOf(method protoreflect.MethodDescriptor) Kind {
	switch {
	case method.IsStreamingClient() && method.IsStreamingServer():
		return BidiStream
	case method.IsStreamingClient():
		return ClientStream
	case method.IsStreamingServer():
		return ServerStream
	default:
		return Unary
	}
}
