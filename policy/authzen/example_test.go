package authzen_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// accounts is a policy decision point that knows who owns which account.
func accounts(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Subject, Resource struct{ Type, ID string }
		Action            struct{ Name string }
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, "a bad request", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	owns := asked.Subject.Type == "user" && asked.Subject.ID == "ada" && asked.Resource.Type == "account" && asked.Resource.ID == "a-1"
	fmt.Fprintf(w, `{"decision": %t}`, owns && asked.Action.Name == "Unary")
}

// A rule asks who owns the account that the message names.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(accounts))
	defer server.Close()
	point, err := authzen.New(authzen.Config{URL: server.URL, BearerToken: "2YotnFZFEjr1zCsicMWpAA"})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A server sets Compiler in its drawbridge.Config.
	table, err := policy.Compiler{Questions: point}.Compile(policy.Policy{Services: map[string]policy.Service{
		rpctest.GuardedService: {Methods: map[string]policy.Rule{
			"Unary": {Scopes: []string{"accounts:read"}, Question: &policy.Question{
				Resource: policy.Entity{Type: "account", ID: "request.value"},
			}},
		}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	const procedure = "/" + rpctest.GuardedService + "/Unary"
	ada := &token.Info{Subject: "ada", ClientID: "app", Party: token.PartyUser, Scopes: []string{"accounts:read"}}
	for _, account := range []string{"a-1", "b-2"} {
		err := table.Lookup(procedure).Check(context.Background(), policy.Input{Info: ada, Procedure: procedure, Message: wrapperspb.String(account)})
		if shortfall, ok := errors.AsType[*policy.ShortfallError](err); ok {
			fmt.Println(account, shortfall.Reason)
			continue
		}
		fmt.Println(account, "allowed")
	}
	// Output:
	// a-1 allowed
	// b-2 forbidden
}

// A misspelled path is a fault when the policy is compiled.
func ExampleDecisionPoint_CompileQuestion() {
	point, err := authzen.New(authzen.Config{URL: "https://pdp.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = point.CompileQuestion(
		policy.Question{Resource: policy.Entity{Type: "account", ID: "request.valeu"}},
		policy.Target{Service: rpctest.GuardedService, Method: "Unary", Request: new(wrapperspb.StringValue).ProtoReflect().Descriptor()},
	)
	fmt.Println(err)
	// Output:
	// Resource.ID "request.valeu": google.protobuf.StringValue has no field "valeu"; write value
}
