package grpcauth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

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
			"grpc.health.v1.Health": {
				Rule:    policy.Rule{Scopes: []string{"health:read"}},
				Methods: map[string]policy.Rule{"List": {Scopes: []string{"health:list"}}},
			},
		}},
		Verifier: jwt,
		Logger:   slog.New(slog.DiscardHandler),
	})
}

func ExampleServerOptions() {
	issuer := authtest.Start() // an authorization server for tests
	defer issuer.Close()
	authorizer, err := newAuthorizer(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	server := grpc.NewServer(grpcauth.ServerOptions(authorizer)...)
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)

	_, err = client.Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println(status.Code(err), "-", status.Convert(err).Message())

	token := issuer.Mint(authtest.Token{Audience: []string{"https://api.example.com"}, Scope: "health:read"})
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
	res, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
	fmt.Println(res.GetStatus(), err)
	// Output:
	// Unauthenticated - an access token is required
	// SERVING <nil>
}

// A handler that acts for its caller in the same process checks a further
// procedure, and returns the denial as it is. It denies for reasons of its own in
// the same way, with [drawbridge.Authorizer.Deny].
func ExampleServerOptions_denial() {
	issuer := authtest.Start()
	defer issuer.Close()
	authorizer, err := newAuthorizer(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	// This handler stands for one that calls a Go method of another service.
	list := func(_ any, stream grpc.ServerStream) error {
		if err := authorizer.Check(stream.Context(), "/grpc.health.v1.Health/List"); err != nil {
			return err
		}
		return stream.SendMsg(&healthpb.HealthCheckResponse{})
	}
	server := grpc.NewServer(append(grpcauth.ServerOptions(authorizer), grpc.UnknownServiceHandler(list))...)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	token := issuer.Mint(authtest.Token{Audience: []string{"https://api.example.com"}, Scope: "health:read"})
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if denial, ok := grpcauth.FromError(err); ok {
		fmt.Println(denial)
		fmt.Println("get a token with", denial.Challenge.Scopes)
	}
	// Output:
	// the access token lacks a scope that this operation needs
	// get a token with [health:list health:read]
}

func ExampleFromError() {
	issuer := authtest.Start()
	defer issuer.Close()
	authorizer, err := newAuthorizer(issuer.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer(grpcauth.ServerOptions(authorizer)...)
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	_, err = healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	if denial, ok := grpcauth.FromError(err); ok {
		fmt.Println("get a token with", denial.Challenge.Scopes)
		fmt.Println("see", denial.Challenge.ResourceMetadataURL)
	}
	// Output:
	// get a token with [health:read]
	// see https://api.example.com/.well-known/oauth-protected-resource
}
