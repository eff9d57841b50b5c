package cel_test

import (
	"context"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/drawbridge-rpc/drawbridge/policyfile/cel"
)

// A condition on the message of a unary method.
func Example() {
	conditions, err := cel.New(cel.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	compiler := policy.Compiler{Conditions: conditions}
	rules := func(condition string) policy.Policy {
		return policy.Policy{Services: map[string]policy.Service{"grpc.testing.TestService": {
			Methods: map[string]policy.Rule{"UnaryCall": {Scopes: []string{"test:call"}, Condition: condition}},
		}}}
	}

	table, err := compiler.Compile(rules(`request.response_size < 100 || "test:bulk" in token.scopes`))
	if err != nil {
		fmt.Println(err)
		return
	}
	requirement := table.Lookup("/grpc.testing.TestService/UnaryCall")
	info := &token.Info{Issuer: "https://login.example.com", Subject: "ada", Scopes: []string{"test:call"}}
	for _, size := range []int32{10, 1_000} {
		err := requirement.Check(context.Background(), policy.Input{Info: info, Message: &grpc_testing.SimpleRequest{ResponseSize: size}})
		fmt.Println(size, err)
	}

	_, err = compiler.Compile(rules(`request.respons_size < 100`))
	fmt.Println(err)
	// Output:
	// 10 <nil>
	// 1000 policy: forbidden
	// policy: Services["grpc.testing.TestService"].Methods["UnaryCall"].Condition: "request.respons_size < 100" is no condition: 1:9: grpc.testing.SimpleRequest has no field "respons_size"; the nearest is "response_size"
}
