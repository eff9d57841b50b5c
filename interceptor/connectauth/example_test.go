package connectauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const (
	getStock    = "/inventory.v1.InventoryService/GetStock"
	adjustStock = "/inventory.v1.InventoryService/AdjustStock"
)

// stock stands for the code of a service.
func stock(ctx context.Context, req *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
	caller, _ := token.FromContext(ctx)
	return connect.NewResponse(wrapperspb.String("7 of " + req.Msg.GetValue() + " for " + caller.Subject)), nil
}

// newAuthorizer trusts an issuer and requires scopes.
func newAuthorizer(issuer string) (*drawbridge.Authorizer, error) {
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer}}})
	if err != nil {
		return nil, err
	}
	return drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{
			Identifier:           "https://api.example.com",
			AuthorizationServers: []string{issuer},
		}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			"inventory.v1.InventoryService": {
				Rule:         policy.Rule{Scopes: []string{"inventory:read"}},
				Methods:      map[string]policy.Rule{"AdjustStock": {Scopes: []string{"inventory:write"}}},
				NoDescriptor: true, // Generated code describes its services.
			},
		}},
		Verifier: jwt,
		Logger:   slog.New(slog.DiscardHandler),
	})
}

// A guard stands around a whole mux. The client of connect-go reads the challenge,
// gets a token, and tries again.
func ExampleGuard() {
	issuer := authtest.Start() // an authorization server for tests
	defer issuer.Close()
	authorizer, err := newAuthorizer(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := http.NewServeMux()
	mux.Handle(getStock, connect.NewUnaryHandler(getStock, stock))
	server := httptest.NewServer(connectauth.Guard(authorizer, mux))
	defer server.Close()

	client := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](server.Client(), server.URL+getStock)
	req := connect.NewRequest(wrapperspb.String("bolts"))
	_, err = client.CallUnary(context.Background(), req)
	fmt.Println(err)
	denial, ok := connectauth.FromError(err)
	if !ok {
		return
	}
	fmt.Println(denial.Challenge.Header())

	req.Header().Set("Authorization", "Bearer "+issuer.Mint(authtest.Token{
		Subject:  "ada",
		Audience: []string{"https://api.example.com"},
		Scope:    strings.Join(denial.Challenge.Scopes, " "),
	}))
	res, err := client.CallUnary(context.Background(), req)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Msg.GetValue())
	// Output:
	// unauthenticated: an access token is required
	// Bearer realm="inventory.v1.InventoryService", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", scope="inventory:read"
	// 7 of bolts for ada
}

// A handler that acts for its caller in the same process checks a further
// procedure, and returns the denial as it is. It denies for reasons of its own in
// the same way.
func ExampleGuard_denial() {
	issuer := authtest.Start()
	defer issuer.Close()
	authorizer, err := newAuthorizer(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	reorder := func(ctx context.Context, req *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
		if err := authorizer.Check(ctx, adjustStock); err != nil {
			return nil, fmt.Errorf("reorder: %w", err) // The log may say more than the caller reads.
		}
		if req.Msg.GetValue() != "bolts" {
			return nil, authorizer.Deny(ctx, challenge.ReasonInsufficientScope, errors.New("not an item of this warehouse"), "inventory:all")
		}
		return connect.NewResponse(req.Msg), nil
	}
	mux := http.NewServeMux()
	mux.Handle(getStock, connect.NewUnaryHandler(getStock, reorder))
	server := httptest.NewServer(connectauth.Guard(authorizer, mux))
	defer server.Close()

	client := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](server.Client(), server.URL+getStock)
	for _, scope := range []string{"inventory:read", "inventory:read inventory:write"} {
		req := connect.NewRequest(wrapperspb.String("nuts"))
		req.Header().Set("Authorization", "Bearer "+issuer.Mint(authtest.Token{
			Audience: []string{"https://api.example.com"},
			Scope:    scope,
		}))
		_, err = client.CallUnary(context.Background(), req)
		fmt.Println(err)
		if denial, ok := connectauth.FromError(err); ok {
			fmt.Println("get a token with", denial.Challenge.Scopes)
		}
	}
	// Output:
	// permission_denied: the access token lacks a scope that this operation needs
	// get a token with [inventory:write inventory:read]
	// permission_denied: the access token lacks a scope that this operation needs
	// get a token with [inventory:all inventory:read]
}

func ExampleWithAuthorizer() {
	issuer := authtest.Start() // an authorization server for tests
	defer issuer.Close()
	authorizer, err := newAuthorizer(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := http.NewServeMux()
	mux.Handle(getStock, connect.NewUnaryHandler(getStock, stock, connectauth.WithAuthorizer(authorizer)))
	mux.Handle("/", connectauth.NotFoundHandler(authorizer))
	server := httptest.NewServer(mux)
	defer server.Close()

	client := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](server.Client(), server.URL+getStock)
	req := connect.NewRequest(wrapperspb.String("bolts"))
	_, err = client.CallUnary(context.Background(), req)
	fmt.Println(err)
	if refused, ok := errors.AsType[*connect.Error](err); ok {
		fmt.Println(refused.Meta().Get("WWW-Authenticate"))
	}

	req.Header().Set("Authorization", "Bearer "+issuer.Mint(authtest.Token{
		Subject:  "ada",
		Audience: []string{"https://api.example.com"},
		Scope:    "inventory:read",
	}))
	res, err := client.CallUnary(context.Background(), req)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Msg.GetValue())
	// Output:
	// unauthenticated: an access token is required
	// Bearer realm="inventory.v1.InventoryService", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", scope="inventory:read"
	// 7 of bolts for ada
}

// An interceptor that stands further out, such as one that counts, distinguishes
// denials from failures.
func ExampleNewInterceptor() {
	issuer := authtest.Start()
	defer issuer.Close()
	authorizer, err := newAuthorizer(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	count := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			res, err := next(ctx, req)
			if denial, ok := errors.AsType[*challenge.DenialError](err); ok {
				fmt.Println("denied:", denial.Reason)
			}
			return res, err
		}
	})
	mux := http.NewServeMux()
	mux.Handle(getStock, connect.NewUnaryHandler(getStock, stock,
		connect.WithInterceptors(count, connectauth.NewInterceptor(authorizer))))
	server := httptest.NewServer(mux)
	defer server.Close()

	client := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](server.Client(), server.URL+getStock)
	_, err = client.CallUnary(context.Background(), connect.NewRequest(wrapperspb.String("bolts")))
	fmt.Println(connect.CodeOf(err))
	// Output:
	// denied: no_credentials
	// unauthenticated
}

func ExampleFromError() {
	issuer := authtest.Start()
	defer issuer.Close()
	authorizer, err := newAuthorizer(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle(getStock, connect.NewUnaryHandler(getStock, stock, connectauth.WithAuthorizer(authorizer)))
	server := httptest.NewServer(mux)
	defer server.Close()

	client := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](server.Client(), server.URL+getStock, connect.WithProtoJSON())
	_, err = client.CallUnary(context.Background(), connect.NewRequest(wrapperspb.String("bolts")))
	if denial, ok := connectauth.FromError(err); ok {
		fmt.Println("get a token with", denial.Challenge.Scopes)
		fmt.Println("see", denial.Challenge.ResourceMetadataURL)
	}
	// Output:
	// get a token with [inventory:read]
	// see https://api.example.com/.well-known/oauth-protected-resource
}
