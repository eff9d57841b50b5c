package policy_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// shop is the policy of a shop whose generated code is not linked into the
// examples.
var shop = policy.Policy{
	Services: map[string]policy.Service{
		"shop.v1.ShopService": {
			Rule: policy.Rule{Scopes: []string{"shop:read"}},
			Methods: map[string]policy.Rule{
				"Refund":     {Scopes: []string{"shop:write"}, AnyScopes: []string{"role:clerk", "role:manager"}},
				"GetOpening": {Public: true},
			},
			NoDescriptor: true,
		},
	},
	Implies: map[string][]string{"shop:write": {"shop:read"}},
}

func ExampleCompile() {
	table, err := policy.Compile(shop)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, procedure := range []string{"/shop.v1.ShopService/ListItems", "/shop.v1.ShopService/Refund", "/shop.v1.ShopService/GetOpening", "/other.v1.Other/Get"} {
		requirement := table.Lookup(procedure)
		switch {
		case requirement == nil:
			fmt.Println(procedure, "is denied")
		case requirement.Public():
			fmt.Println(procedure, "is public")
		default:
			fmt.Println(procedure, "requires", requirement.ChallengeScopes())
		}
	}
	// Output:
	// /shop.v1.ShopService/ListItems requires [shop:read]
	// /shop.v1.ShopService/Refund requires [shop:write role:clerk]
	// /shop.v1.ShopService/GetOpening is public
	// /other.v1.Other/Get is denied
}

// A misspelled name is an error, and all errors are reported at once.
func ExampleCompile_misspelled() {
	_, err := policy.Compile(policy.Policy{
		Services: map[string]policy.Service{
			"grpc.health.v2.Health": {Rule: policy.Rule{Public: true}},
			"shop.v1.ShopService":   {Rule: policy.Rule{Scopes: []string{"shop:read shop:write"}}, NoDescriptor: true},
		},
	})
	for f := range fault.All(err) {
		fmt.Println(f.Place)
		fmt.Printf("\t%q %s\n", f.Value, f.Reason)
	}
	// Output:
	// policy: Services["grpc.health.v2.Health"]
	// 	"grpc.health.v2.Health" is not the name of a service whose descriptor is linked into this program
	// policy: Services["shop.v1.ShopService"].Rule.Scopes
	// 	"shop:read shop:write" is not a scope: RFC 6749 §3.3 allows visible ASCII without space, quote and backslash
}

func ExampleRequirement_Check() {
	table, err := policy.Compile(shop)
	if err != nil {
		fmt.Println(err)
		return
	}
	const procedure = "/shop.v1.ShopService/ListItems"
	requirement := table.Lookup(procedure)
	for _, caller := range []*token.Info{
		{Subject: "ada", Scopes: []string{"shop:write"}}, // It implies shop:read.
		{Subject: "eve", Scopes: []string{"other"}},
		nil,
	} {
		err := requirement.Check(context.Background(), policy.Input{Info: caller, Procedure: procedure})
		if shortfall, ok := errors.AsType[*policy.ShortfallError](err); ok {
			fmt.Println(shortfall.Reason, shortfall.Scopes)
			continue
		}
		fmt.Println("allowed")
	}
	// Output:
	// allowed
	// insufficient_scope [shop:read]
	// no_credentials []
}
