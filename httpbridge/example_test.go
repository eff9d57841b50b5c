package httpbridge_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// newBridge accepts the tokens of an issuer. No protobuf descriptor describes
// the service "inventory", which is a plain HTTP handler.
func newBridge(issuer string) (*httpbridge.Bridge, error) {
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer}}})
	if err != nil {
		return nil, err
	}
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{
			Identifier:           "https://api.example.com/mcp",
			AuthorizationServers: []string{"https://login.example.com"},
			Issuers:              []string{issuer}, // its tokens carry another name
		}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			"inventory":             {Rule: policy.Rule{Scopes: []string{"inventory:read"}}, NoDescriptor: true},
			"grpc.health.v1.Health": {Rule: policy.Rule{Scopes: []string{"health:read"}}},
		}},
		Verifier: jwt,
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	return httpbridge.New(httpbridge.Config{Authorizer: authorizer})
}

// call sends a request, and returns status, body and challenge of the response.
func call(method, url, accessToken string) string {
	req, err := http.NewRequest(method, url, http.NoBody)
	if err != nil {
		return err.Error()
	}
	if accessToken != "" {
		req.Header.Set("Authorization", "Bearer "+accessToken)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s\n%s", res.StatusCode, body, res.Header.Get("WWW-Authenticate")))
}

func ExampleBridge_Protect() {
	issuer := authtest.Start() // an authorization server for tests
	defer issuer.Close()
	bridge, err := newBridge(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := http.NewServeMux()
	mux.Handle("/.well-known/", bridge.Metadata())
	mux.Handle("/mcp", bridge.Protect("inventory", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := token.FromContext(r.Context())
		fmt.Fprint(w, "hello ", caller.Subject)
	})))
	server := httptest.NewServer(mux)
	defer server.Close()

	fmt.Println(call(http.MethodPost, server.URL+"/mcp", ""))
	fmt.Println(call(http.MethodGet, server.URL+"/.well-known/oauth-protected-resource/mcp", ""))
	fmt.Println(call(http.MethodPost, server.URL+"/mcp", issuer.Mint(authtest.Token{
		Subject:  "ada",
		Audience: []string{"https://api.example.com/mcp"},
		Scope:    "inventory:read",
	})))
	// Output:
	// 401 {}
	// Bearer realm="inventory", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp", scope="inventory:read"
	// 200 {"resource":"https://api.example.com/mcp","authorization_servers":["https://login.example.com"],"scopes_supported":["health:read","inventory:read"],"bearer_methods_supported":["header"]}
	// 200 hello ada
}

// A handler calls a gRPC backend for its caller and responds with 502 if the call
// fails. Below the bridge, a denial of the backend becomes the response instead.
func ExampleBridge_Handler() {
	issuer := authtest.Start()
	defer issuer.Close()
	bridge, err := newBridge(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	backend := grpc.NewServer(grpcauth.ServerOptions(bridge.Authorizer())...)
	healthpb.RegisterHealthServer(backend, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = backend.Serve(listener) }()
	defer backend.Stop()

	conn, err := grpc.NewClient(listener.Addr().String(), append(grpcauth.RelayDialOptions(grpcauth.RelayConfig{}),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := metadata.AppendToOutgoingContext(r.Context(), "authorization", r.Header.Get("Authorization"))
		res, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			http.Error(w, "Bad Gateway", http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, res.GetStatus())
	})
	server := httptest.NewServer(bridge.Handler(handler))
	defer server.Close()

	claims := authtest.Token{Audience: []string{"https://api.example.com/mcp"}, Scope: "inventory:read"}
	fmt.Println(call(http.MethodGet, server.URL+"/mcp", issuer.Mint(claims)))
	claims.Scope = "health:read"
	fmt.Println(call(http.MethodGet, server.URL+"/mcp", issuer.Mint(claims)))
	// Output:
	// 403 {"error":"insufficient_scope","error_description":"the access token lacks a scope that this operation needs","server":"grpc.health.v1.Health"}
	// Bearer realm="grpc.health.v1.Health", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp", scope="health:read", error="insufficient_scope", error_description="the access token lacks a scope that this operation needs"
	// 200 SERVING
}
