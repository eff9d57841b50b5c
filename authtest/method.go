package authtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// A method is one of a service whose descriptor is linked into the test.
type method struct {
	procedure string // "/pkg.Service/Method"
	isStream  bool
	isSafe    bool // it has no side effects, so Connect calls it with GET, too
}

// methodsOf returns the methods of services, or of all services if there are none
// given, sorted by procedure.
func methodsOf(services []string) ([]method, error) {
	var methods []method
	if len(services) == 0 {
		protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
			for i := range file.Services().Len() {
				methods = append(methods, methodsIn(file.Services().Get(i))...)
			}
			return true
		})
	}
	var unknown []string
	for _, name := range services {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		service, ok := found.(protoreflect.ServiceDescriptor)
		if err != nil || !ok {
			unknown = append(unknown, name)
			continue
		}
		methods = append(methods, methodsIn(service)...)
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("no service with a descriptor that is linked into the test is named %s; import its generated package", strings.Join(unknown, ", "))
	}
	slices.SortFunc(methods, func(a, b method) int { return cmp.Compare(a.procedure, b.procedure) })
	return slices.Compact(methods), nil
}

func methodsIn(service protoreflect.ServiceDescriptor) []method {
	var methods []method
	for i := range service.Methods().Len() {
		descriptor := service.Methods().Get(i)
		options, _ := descriptor.Options().(*descriptorpb.MethodOptions)
		methods = append(methods, method{
			procedure: fmt.Sprintf("/%s/%s", service.FullName(), descriptor.Name()),
			isStream:  descriptor.IsStreamingClient() || descriptor.IsStreamingServer(),
			isSafe:    options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS,
		})
	}
	return methods
}
