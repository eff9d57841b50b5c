package source

import (
	"strings"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate" // to import it
	_ "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"                // to import it
	_ "google.golang.org/genproto/googleapis/api/annotations"                   // to import it
	_ "google.golang.org/genproto/googleapis/rpc/code"                          // to import it
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"                    // to import it
	_ "google.golang.org/genproto/googleapis/rpc/status"                        // to import it
	_ "google.golang.org/grpc/health/grpc_health_v1"                            // for rules of it
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1"                    // for rules of it
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"               // for rules of it
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	_ "google.golang.org/protobuf/types/gofeaturespb"          // to import it
	_ "google.golang.org/protobuf/types/known/anypb"           // to import it
	_ "google.golang.org/protobuf/types/known/apipb"           // to import it
	_ "google.golang.org/protobuf/types/known/durationpb"      // to import it
	_ "google.golang.org/protobuf/types/known/emptypb"         // to import it
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"     // to import it
	_ "google.golang.org/protobuf/types/known/sourcecontextpb" // to import it
	_ "google.golang.org/protobuf/types/known/structpb"        // to import it
	_ "google.golang.org/protobuf/types/known/timestamppb"     // to import it
	_ "google.golang.org/protobuf/types/known/typepb"          // to import it
	_ "google.golang.org/protobuf/types/known/wrapperspb"      // to import it
	_ "google.golang.org/protobuf/types/pluginpb"              // to import it
)

// linkedPackages are the directories of files that every tree can import without having
// them. This program has them in itself, from generated code, so that they are as old as
// the modules in its go.mod.
var linkedPackages = []string{"drawbridge/v1/", "google/protobuf/", "google/api/", "google/rpc/", "buf/validate/", "grpc/"}

// linkedFile returns a file of linkedPackages, nil if it is none of them.
func linkedFile(path string) protoreflect.FileDescriptor {
	for _, directory := range linkedPackages {
		if strings.HasPrefix(path, directory) {
			file, err := protoregistry.GlobalFiles.FindFileByPath(path)
			if err == nil {
				return file
			}
		}
	}
	return nil
}

// addLinkedService adds a service that many servers have, and whose protobuf file is usually
// not part of the source tree.
func (d *descriptors) addLinkedService(name string) {
	switch name {
	case "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection":
	default:
		return
	}
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return
	}
	if service, ok := found.(protoreflect.ServiceDescriptor); ok {
		d.services[name] = &Service{descriptor: service, from: "this program", in: service.ParentFile().Path()}
	}
}
