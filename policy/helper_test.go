package policy_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

const (
	// elsewhere is a service without a descriptor.
	elsewhere = "a.v1.A"
	// described is a service whose descriptor knows the methods Get, Put and
	// Watch.
	described = "policy.test.v1.Described"
)

func TestMain(m *testing.M) {
	message := "." + string((&wrapperspb.StringValue{}).ProtoReflect().Descriptor().FullName())
	service := &descriptorpb.ServiceDescriptorProto{Name: new("Described")}
	for _, method := range []string{"Get", "Put", "Watch"} {
		service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{Name: new(method), InputType: new(message), OutputType: new(message)})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       new("policy/test/v1/described.proto"),
		Package:    new("policy.test.v1"),
		Syntax:     new("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto"},
		Service:    []*descriptorpb.ServiceDescriptorProto{service},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		panic(fmt.Sprintf("policy_test: %v", err))
	}
	os.Exit(m.Run())
}

// rules is a policy for the one service elsewhere, with a rule for it and for
// some of its methods.
func rules(rule policy.Rule, methods map[string]policy.Rule) policy.Policy {
	return policy.Policy{Services: map[string]policy.Service{
		elsewhere: {Rule: rule, Methods: methods, NoDescriptor: true},
	}}
}

func compile(tb testing.TB, p policy.Policy) *policy.Table {
	tb.Helper()
	table, err := policy.Compile(p)
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

// allScopes returns the scopes of all services of a table.
func allScopes(table *policy.Table) []string { return table.ScopesOf(table.HasService) }

// faultsOf returns the text of each fault that Compile finds.
func faultsOf(tb testing.TB, p policy.Policy) []string {
	tb.Helper()
	table, err := policy.Compile(p)
	if err == nil {
		return nil
	}
	if table != nil {
		tb.Error("RPC-6: a table beside an error")
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		tb.Fatalf("%T does not unwrap to []error", err)
	}
	found := slices.Collect(fault.All(err))
	if len(found) != len(joined.Unwrap()) {
		tb.Errorf("%d errors, of which %d are faults", len(joined.Unwrap()), len(found))
	}
	var texts []string
	for _, f := range found {
		if f.Place == "" || f.Reason == "" {
			tb.Errorf("%+v lacks its place or its reason", f)
		}
		texts = append(texts, f.Error())
	}
	return texts
}
