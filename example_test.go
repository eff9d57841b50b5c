package drawbridge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// shopPolicy guards one service. Its generated code is not linked into the
// examples; in a server it is, and NoDescriptor is not needed.
func shopPolicy(refund string) policy.Policy {
	return policy.Policy{
		Services: map[string]policy.Service{
			"shop.v1.ShopService": {
				Rule:         policy.Rule{Scopes: []string{"shop:read"}},
				Methods:      map[string]policy.Rule{"Refund": {Scopes: []string{refund}}},
				NoDescriptor: true,
			},
		},
	}
}

// shopTokens stands in for a verifier, such as that of package verifier for JWT
// access tokens. It maps tokens to scopes.
type shopTokens map[string][]string

func (s shopTokens) VerifyToken(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
	scopes, ok := s[raw]
	if !ok {
		return nil, token.ErrInvalid
	}
	return &token.Info{
		Issuer:   "https://login.example.com",
		Subject:  "ada",
		Audience: []string{"https://shop.example.com"},
		Scopes:   scopes,
	}, nil
}

func shopConfig() drawbridge.Config {
	return drawbridge.Config{
		Resources: []drawbridge.Resource{{
			Identifier:           "https://shop.example.com",
			AuthorizationServers: []string{"https://login.example.com"},
		}},
		Policy:   shopPolicy("shop:write"),
		Verifier: shopTokens{"token-of-ada": {"shop:read"}},
		Logger:   slog.New(slog.DiscardHandler),
	}
}

// shopCall returns a call with a token. An adapter makes it of what its framework
// passes on.
func shopCall(method, raw string) drawbridge.Request {
	r, _ := http.NewRequest(http.MethodPost, "https://shop.example.com/shop.v1.ShopService/"+method, http.NoBody)
	if raw != "" {
		r.Header.Set("Authorization", "Bearer "+raw)
	}
	req := drawbridge.HTTPRequest(r)
	req.Procedure = r.URL.Path
	return req
}

func ExampleNew() {
	authorizer, err := drawbridge.New(shopConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	document, _ := authorizer.Metadata(context.Background(), drawbridge.Request{Path: "/.well-known/oauth-protected-resource"})
	fmt.Println(document.Resource, document.ScopesSupported)
	// Output:
	// https://shop.example.com [shop:read shop:write]
}

// Every fault of a configuration is reported at once.
func ExampleNew_faults() {
	_, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: "http://shop.example.com"}},
		Policy:    shopPolicy("shop:write"),
	})
	fmt.Println(err)
	for f := range fault.All(err) {
		fmt.Println(f.Place)
	}
	// Output:
	// drawbridge: Verifier: is required
	// drawbridge: Resources[0].Identifier: "http://shop.example.com" is http; only https protects a token (http is allowed on loopback)
	// drawbridge: Resources[0].AuthorizationServers: at least one is required (MCP authorization; RFC 9728 §2)
	// drawbridge: Verifier
	// drawbridge: Resources[0].Identifier
	// drawbridge: Resources[0].AuthorizationServers
}

func ExampleAuthorizer_Authorize() {
	authorizer, err := drawbridge.New(shopConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, req := range []drawbridge.Request{
		shopCall("ListItems", "token-of-ada"),
		shopCall("ListItems", ""),
		shopCall("Refund", "token-of-ada"),
	} {
		ctx, err := authorizer.Authorize(context.Background(), req)
		if denial, ok := errors.AsType[*challenge.DenialError](err); ok {
			fmt.Println(denial.Reason.HTTPStatus(), denial.Reason, denial.Challenge.Scopes)
			continue
		}
		info, _ := token.FromContext(ctx)
		fmt.Println("hello", info.Subject)
	}
	// Output:
	// hello ada
	// 401 no_credentials [shop:read]
	// 403 insufficient_scope [shop:write]
}

// A denied call has no context, so an error that is ignored lets no caller in.
func ExampleAuthorizer_Authorize_denied() {
	authorizer, err := drawbridge.New(shopConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, err := authorizer.Authorize(context.Background(), shopCall("ListItems", ""))
	fmt.Println(ctx, err)
	// Output:
	// <nil> an access token is required
}

// A handler that calls another one inside the process checks whether its caller
// may do that too.
func ExampleAuthorizer_Check() {
	authorizer, err := drawbridge.New(shopConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, err := authorizer.Authorize(context.Background(), shopCall("ListItems", "token-of-ada"))
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

// A handler refuses a call for a reason that no rule knows, with the challenge of
// the resource that the caller came to.
func ExampleAuthorizer_Deny() {
	authorizer, err := drawbridge.New(shopConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := func(ctx context.Context) error {
		return authorizer.Deny(ctx, challenge.ReasonInsufficientScope, errors.New("the order is another user's"), "orders:all")
	}
	ctx, err := authorizer.Authorize(context.Background(), shopCall("ListItems", "token-of-ada"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(challenge.DenialOf(handler(ctx)).Challenge.Header())
	// Output:
	// Bearer realm="shop.v1.ShopService", resource_metadata="https://shop.example.com/.well-known/oauth-protected-resource", scope="orders:all shop:read", error="insufficient_scope", error_description="the access token lacks a scope that this operation needs"
}

// audit keeps a line for each decision.
type audit struct{ lines []string }

func (a *audit) ObserveDecision(_ context.Context, d drawbridge.Decision) {
	a.lines = append(a.lines, fmt.Sprintf("%t %s %q %v", d.Allowed, d.Procedure, d.Subject, d.GrantedScopes))
}

// An observer sees every decision, also those that let a call in.
func ExampleObserver() {
	var trail audit
	cfg := shopConfig()
	cfg.Observers = []drawbridge.Observer{&trail}
	authorizer, err := drawbridge.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, raw := range []string{"token-of-ada", ""} {
		_, _ = authorizer.Authorize(context.Background(), shopCall("ListItems", raw))
	}
	for _, line := range trail.lines {
		fmt.Println(line)
	}
	// Output:
	// true /shop.v1.ShopService/ListItems "ada" [shop:read]
	// false /shop.v1.ShopService/ListItems "" []
}

// A call keeps the configuration that let it in. Calls that begin after
// Reconfigure use the new one.
func ExampleAuthorizer_Reconfigure() {
	authorizer, err := drawbridge.New(shopConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, err := authorizer.Authorize(context.Background(), shopCall("ListItems", "token-of-ada"))
	if err != nil {
		fmt.Println(err)
		return
	}
	next := shopConfig()
	next.Policy = shopPolicy("shop:read")
	if err := authorizer.Reconfigure(next); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in flight:", authorizer.Check(ctx, "/shop.v1.ShopService/Refund"))
	_, err = authorizer.Authorize(context.Background(), shopCall("Refund", "token-of-ada"))
	fmt.Println("afterwards:", err)
	// Output:
	// in flight: the access token lacks a scope that this operation needs
	// afterwards: <nil>
}

// An adapter fills a Request, asks for the decision, and writes a denial in the
// caller's protocol. This one guards an HTTP handler.
func ExampleAdapter() {
	authorizer, err := drawbridge.New(shopConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter := authorizer.Adapter()
	guard := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req := drawbridge.HTTPRequest(r)
			req.Procedure = r.URL.Path
			ctx, denial := adapter.Authorize(r.Context(), &req)
			if denial != nil {
				denial.Response().Write(w)
				return
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	response := httptest.NewRecorder()
	guard(http.NotFoundHandler()).ServeHTTP(response, httptest.NewRequest(http.MethodPost, "/shop.v1.ShopService/ListItems", http.NoBody))
	fmt.Println(response.Code, response.Header().Get("WWW-Authenticate"))
	// Output:
	// 401 Bearer realm="shop.v1.ShopService", resource_metadata="https://shop.example.com/.well-known/oauth-protected-resource", scope="shop:read"
}
