package policy_test

import (
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

func ExampleCompile() {
	table, err := policy.Compile(policy.Policy{
		Services: map[string]policy.Service{
			"shop.v1.ShopService": {
				Rule: policy.Rule{Scopes: []string{"shop:read"}},
				Methods: map[string]policy.Rule{
					"Refund":     {Scopes: []string{"shop:write"}, AnyScopes: []string{"role:clerk", "role:manager"}},
					"GetOpening": {Public: true},
				},
				Undescribed: true, // No generated code of this service is linked into the example.
			},
		},
		Implies: map[string][]string{"shop:write": {"shop:read"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	list := table.Lookup("/shop.v1.ShopService/ListItems")
	fmt.Println("ListItems asks for", list.Ask(), "and shop:write suffices:", list.Satisfied([]string{"shop:write"}))
	refund := table.Lookup("/shop.v1.ShopService/Refund")
	fmt.Println("Refund asks for", refund.Ask(), "and shop:write suffices:", refund.Satisfied([]string{"shop:write"}))
	fmt.Println("GetOpening is public:", table.Lookup("/shop.v1.ShopService/GetOpening").Public())
	fmt.Println("another service is denied:", table.Lookup("/other.v1.Other/Get") == nil)
	// Output:
	// ListItems asks for [shop:read] and shop:write suffices: true
	// Refund asks for [shop:write role:clerk] and shop:write suffices: false
	// GetOpening is public: true
	// another service is denied: true
}

// A rule that would never be asked is an error, and all errors come at once.
func ExampleCompile_misspelt() {
	_, err := policy.Compile(policy.Policy{
		Services: map[string]policy.Service{
			"grpc.health.v2.Health": {Rule: policy.Rule{Public: true}},
			"shop.v1.ShopService":   {Rule: policy.Rule{Scopes: []string{"shop:read shop:write"}}, Undescribed: true},
		},
	})
	fmt.Println(err)
	// Output:
	// policy: Services["grpc.health.v2.Health"]: no service "grpc.health.v2.Health" is linked into this program; a plain HTTP handler, or a service that is served elsewhere, sets Undescribed
	// policy: Services["shop.v1.ShopService"].Rule.Scopes: "shop:read shop:write" is not a scope: RFC 6749 §3.3 allows visible ASCII without space, quote and backslash
}
