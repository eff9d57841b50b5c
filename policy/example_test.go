package policy_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// payout asks for a user who authenticated with a second factor in the last five
// minutes, and acts in person or through the assistant of the shop.
var payout = policy.Rule{
	Scopes:    []string{"shop:write"},
	ACRValues: []string{"phrh", "phr"}, // phishing-resistant, in hardware or not
	MaxAge:    5 * time.Minute,
	Party:     token.PartyUser,
	Actors:    []policy.Actor{{ClientID: "shop-assistant"}},
}

// shop is the policy of a shop whose generated code is not linked into the
// examples.
var shop = policy.Policy{
	Services: map[string]policy.Service{
		"shop.v1.ShopService": {
			Rule: policy.Rule{Scopes: []string{"shop:read"}},
			Methods: map[string]policy.Rule{
				"Refund":     {Scopes: []string{"shop:write"}, AnyScopes: []string{"role:clerk", "role:manager"}},
				"GetOpening": {Public: true},
				"Payout":     payout,
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

// What a rule asks for besides scopes.
func ExampleRule() {
	table, err := policy.Compile(shop)
	if err != nil {
		fmt.Println(err)
		return
	}
	const procedure = "/shop.v1.ShopService/Payout"
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	ada := token.Info{
		Issuer: "https://login.example.com", Subject: "ada", Party: token.PartyUser,
		Scopes: []string{"shop:write"}, ACR: "phr", AuthTime: now.Add(-time.Minute),
	}
	assisted, borrowed, yesterday := ada, ada, ada
	assisted.Actor = &token.Actor{ClientID: "shop-assistant"}
	borrowed.Actor = &token.Actor{ClientID: "price-comparison"}
	yesterday.AuthTime = now.Add(-24 * time.Hour)
	for _, caller := range []token.Info{ada, assisted, borrowed, yesterday} {
		err := table.Lookup(procedure).Check(context.Background(), policy.Input{Info: &caller, Procedure: procedure, Now: now})
		switch shortfall, ok := errors.AsType[*policy.ShortfallError](err); {
		case !ok:
			fmt.Println("allowed")
		case shortfall.MaxAge != nil:
			fmt.Println(shortfall.Reason, shortfall.ACRValues, *shortfall.MaxAge, shortfall.Scopes)
		default:
			fmt.Println(shortfall.Reason)
		}
	}
	// Output:
	// allowed
	// allowed
	// forbidden
	// insufficient_user_authentication [phrh phr] 5m0s [shop:write]
}
