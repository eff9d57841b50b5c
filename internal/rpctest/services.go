// Package rpctest is a pair of services for the tests of this module, over
// connect-go and grpc-go, with every kind of stream. Both are described by real
// descriptors, and every message is a google.protobuf.StringValue.
package rpctest

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// The services. NowhereService has neither a rule nor a server.
const (
	GuardedService = "drawbridge.test.v1.GuardedService"
	PublicService  = "drawbridge.test.v1.PublicService"
	NowhereService = "drawbridge.test.v1.NowhereService"
)

// The methods of each service, one for each kind of stream.
const (
	Unary  = "Unary"
	Client = "Client"
	Server = "Server"
	Bidi   = "Bidi"
)

// Kinds are all methods of a service.
var Kinds = []string{Unary, Client, Server, Bidi}

// The scopes of GuardedService. Write implies Read, and Admin implies Write.
const (
	ScopeRead  = "guarded:read"
	ScopeWrite = "guarded:write"
	ScopeAdmin = "guarded:admin"
)

// Policy asks for ScopeWrite on every method of GuardedService.
func Policy() policy.Policy {
	return policy.Policy{
		Services: map[string]policy.Service{
			GuardedService: {Rule: policy.Rule{Scopes: []string{ScopeWrite}}},
			PublicService:  {Rule: policy.Rule{Public: true}},
		},
		Implies: map[string][]string{ScopeAdmin: {ScopeWrite}, ScopeWrite: {ScopeRead}},
	}
}

// Procedure returns "/service/method".
func Procedure(service, method string) string { return "/" + service + "/" + method }

// Handlers counts how often the code of a handler ran: authorization comes
// before.
type Handlers struct{ ran atomic.Int64 }

// Ran returns how often a handler ran.
func (h *Handlers) Ran() int { return int(h.ran.Load()) }

//nolint:gochecknoinits // Generated code registers descriptors in the same way.
func init() {
	file, err := protodesc.NewFile(describe(), protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		panic(fmt.Sprintf("rpctest: %v", err))
	}
}

func describe() *descriptorpb.FileDescriptorProto {
	message := "." + string((&wrapperspb.StringValue{}).ProtoReflect().Descriptor().FullName())
	var services []*descriptorpb.ServiceDescriptorProto
	for _, name := range []string{GuardedService, PublicService} {
		service := &descriptorpb.ServiceDescriptorProto{Name: new(string(protoreflect.FullName(name).Name()))}
		for _, method := range Kinds {
			service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
				Name:            new(method),
				InputType:       new(message),
				OutputType:      new(message),
				ClientStreaming: new(method == Client || method == Bidi),
				ServerStreaming: new(method == Server || method == Bidi),
			})
		}
		services = append(services, service)
	}
	return &descriptorpb.FileDescriptorProto{
		Name:       new("drawbridge/test/v1/test.proto"),
		Package:    new("drawbridge.test.v1"),
		Syntax:     new("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto"},
		Service:    services,
	}
}
