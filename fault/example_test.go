package fault_test

import (
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

func ExampleAll() {
	_, err := policy.Compile(policy.Policy{Services: map[string]policy.Service{
		"shop.v1.ShopService": {NoDescriptor: true, Rule: policy.Rule{Scopes: []string{"shop:read shop:write"}}},
		"shop.v1.CartService": {NoDescriptor: true},
	}})
	for f := range fault.All(err) {
		fmt.Printf("%s\n\tvalue  %q\n\treason %s\n", f.Place, f.Value, f.Reason)
	}
	// Output:
	// policy: Services["shop.v1.CartService"]
	// 	value  ""
	// 	reason has neither a rule nor methods
	// policy: Services["shop.v1.ShopService"].Rule.Scopes
	// 	value  "shop:read shop:write"
	// 	reason is not a scope: RFC 6749 §3.3 allows visible ASCII without space, quote and backslash
}

// A constructor collects the faults of its own fields and those of the parts
// that it builds.
func ExampleList() {
	faults := fault.List{Within: "shop: "}
	faults.Add("Listen", "localhost", "has no port", "write host:port")
	_, err := policy.Compile(policy.Policy{Implies: map[string][]string{"a": {"b"}, "b": {"a"}}})
	faults.Join(err)
	fmt.Println(faults.Err())
	// Output:
	// shop: Listen: "localhost" has no port; write host:port
	// policy: Implies: "a → b → a" is a cycle of scopes that imply each other
}
