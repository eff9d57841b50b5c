package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// shopPolicy guards one service. Its generated code is not linked into the
// examples; in a server it is, and Undescribed is not needed.
var shopPolicy = policy.Policy{
	Services: map[string]policy.Service{
		"shop.v1.ShopService": {
			Rule:        policy.Rule{Scopes: []string{"shop:read"}},
			Methods:     map[string]policy.Rule{"Refund": {Scopes: []string{"shop:write"}}},
			Undescribed: true,
		},
	},
}

// guestBook stands in for a verifier, such as the one of package verifier that
// checks JWT access tokens.
type guestBook map[string][]string // from token to scopes

func (g guestBook) VerifyToken(_ context.Context, token string) (*interceptor.TokenInfo, error) {
	scopes, ok := g[token]
	if !ok {
		return nil, interceptor.ErrInvalidToken
	}
	return &interceptor.TokenInfo{Subject: "ada", Audience: []string{"https://shop.example.com"}, Scopes: scopes}, nil
}

func newShop() (*interceptor.Authorizer, error) {
	return interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{
			Identifier:           "https://shop.example.com",
			AuthorizationServers: []string{"https://login.example.com"},
		}},
		Policy:   shopPolicy,
		Verifier: guestBook{"token-of-ada": {"shop:read"}},
		Logger:   slog.New(slog.DiscardHandler),
	})
}

func ExampleNew() {
	authorizer, err := newShop()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(authorizer.MetadataURL(interceptor.Request{Path: "/"}))
	// Output:
	// https://shop.example.com/.well-known/oauth-protected-resource
}

// Every fault of a configuration is reported at once.
func ExampleNew_faults() {
	_, err := interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: "http://shop.example.com"}},
		Policy:    shopPolicy,
	})
	fmt.Println(err)
	// Output:
	// interceptor: Verifier: is required
	// interceptor: Resources[0].Identifier: "http://shop.example.com" is http; only https protects a token (http is allowed on loopback)
	// interceptor: Resources[0].AuthorizationServers: at least one is required (MCP authorization; RFC 9728 §2)
}

func ExampleAuthorizer_Authorize() {
	authorizer, err := newShop()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, req := range []interceptor.Request{
		{Procedure: "/shop.v1.ShopService/ListItems", Authorization: []string{"Bearer token-of-ada"}},
		{Procedure: "/shop.v1.ShopService/ListItems"},
		{Procedure: "/shop.v1.ShopService/Refund", Authorization: []string{"Bearer token-of-ada"}},
	} {
		info, err := authorizer.Authorize(context.Background(), req)
		if denial, ok := errors.AsType[*interceptor.ChallengeError](err); ok {
			fmt.Println(denial.Kind.HTTPStatus(), denial.Kind, denial.Challenge.Scopes)
			continue
		}
		fmt.Println("hello", info.Subject)
	}
	// Output:
	// hello ada
	// 401 no_credentials [shop:read]
	// 403 insufficient_scope [shop:write]
}

// A handler that calls another one inside the process asks whether its caller
// may do that too.
func ExampleAuthorizer_Check() {
	authorizer, err := newShop()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, err := authorizer.AuthorizeContext(context.Background(), interceptor.Request{
		Procedure:     "/shop.v1.ShopService/ListItems",
		Authorization: []string{"Bearer token-of-ada"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(authorizer.Check(ctx, "/shop.v1.ShopService/GetItem"))
	fmt.Println(authorizer.Check(ctx, "/shop.v1.ShopService/Refund"))
	// Output:
	// <nil>
	// the access token lacks a scope that this operation needs
}

// Nobody is let in by an error that was not looked at: what is denied carries
// no context.
func ExampleAuthorizer_AuthorizeContext() {
	authorizer, err := newShop()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, err := authorizer.AuthorizeContext(context.Background(), interceptor.Request{Procedure: "/shop.v1.ShopService/ListItems"})
	fmt.Println(ctx, err)
	// Output:
	// <nil> an access token is required
}
