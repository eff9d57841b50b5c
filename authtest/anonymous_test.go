package authtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

const healthService = "grpc.health.v1.Health"

// newWorld requires a token for everything but PublicService.
func newWorld(t *testing.T) *rpctest.World {
	t.Helper()
	return rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Policy.Services[healthService] = policy.Service{Rule: policy.Rule{Authenticated: true}}
	})
}

// procedures returns those of a service, or of some methods, sorted.
func procedures(service string, methods ...string) []string {
	if len(methods) == 0 {
		methods = rpctest.Kinds
	}
	var all []string
	for _, method := range methods {
		all = append(all, rpctest.Procedure(service, method))
	}
	slices.Sort(all)
	return all
}

// guarded is a server with a guard round its mux.
func guarded(t *testing.T) http.Handler {
	t.Helper()
	world := newWorld(t)
	return connectauth.Guard(world.Authorizer, world.Handlers.ConnectMux())
}

// forgotten is a server whose guard is missing on PublicService.
func forgotten(t *testing.T) http.Handler {
	t.Helper()
	world := newWorld(t)
	open := world.Handlers.ConnectMux()
	mux := http.NewServeMux()
	mux.Handle("/"+rpctest.GuardedService+"/", world.Handlers.ConnectMux(connectauth.WithAuthorizer(world.Authorizer)))
	mux.Handle("/"+rpctest.PublicService+"/", open)
	return mux
}

func serveHTTP1(t *testing.T, handler http.Handler) authtest.AnonymousCheck {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return authtest.AnonymousCheck{URL: server.URL}
}

func serveH2C(t *testing.T, handler http.Handler) authtest.AnonymousCheck {
	t.Helper()
	return authtest.AnonymousCheck{URL: rpctest.ServeHTTP(t, handler) + "/"}
}

func serveTLS(t *testing.T, handler http.Handler) authtest.AnonymousCheck {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return authtest.AnonymousCheck{URL: server.URL, Client: server.Client()}
}

func serveGRPC(t *testing.T, options ...grpc.ServerOption) authtest.AnonymousCheck {
	t.Helper()
	handlers := new(rpctest.Handlers)
	server := handlers.GRPCServer(options...)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	return authtest.AnonymousCheck{URL: "http://" + rpctest.ServeGRPC(t, server)}
}

// errorsOf returns what a check reports.
func errorsOf(t *testing.T, check authtest.AnonymousCheck) []string {
	t.Helper()
	recorder := &recorder{TB: t}
	check.Run(recorder)
	return recorder.errors
}

// expect compares what a check reports with the beginnings of its errors.
func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	matches := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		matches = matches && strings.HasPrefix(got[i], "authtest: "+want[i])
	}
	if !matches {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// each returns a text for each of the procedures.
func each(procedures []string, text string) []string {
	var all []string
	for _, procedure := range procedures {
		all = append(all, procedure+" "+text)
	}
	return all
}

// TestGuardedServers: a server that is guarded passes, over every protocol and
// version of HTTP (RPC-1).
func TestGuardedServers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		serve func(*testing.T) authtest.AnonymousCheck
	}{
		{"RPC-1 Connect over h2c", func(t *testing.T) authtest.AnonymousCheck { return serveH2C(t, guarded(t)) }},
		{"RPC-1 Connect over HTTP/2 with TLS", func(t *testing.T) authtest.AnonymousCheck { return serveTLS(t, guarded(t)) }},
		{"RPC-1 grpc-go", func(t *testing.T) authtest.AnonymousCheck {
			return serveGRPC(t, grpcauth.ServerOptions(newWorld(t).Authorizer)...)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check := tt.serve(t)
			check.Public = procedures(rpctest.PublicService)
			check.Run(t)
			check.Services = []string{rpctest.GuardedService, rpctest.PublicService, rpctest.GuardedService}
			check.Run(t)
		})
	}
	t.Run("RPC-1 Connect over HTTP/1.1", func(t *testing.T) {
		t.Parallel()
		authtest.RefusesAnonymous(t, serveHTTP1(t, guarded(t)).URL, rpctest.GuardedService)
	})
}

// TestForgottenService: a service without the guard is reported method by method,
// named or not.
func TestForgottenService(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*testing.T, http.Handler) authtest.AnonymousCheck{
		"h2c": serveH2C, "TLS": serveTLS,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := serve(t, forgotten(t))
			const open = "lets an anonymous call in: Connect answered 200 OK"
			want := each(procedures(rpctest.PublicService), open)
			expect(t, errorsOf(t, check), want...)
			check.Services = []string{rpctest.PublicService}
			expect(t, errorsOf(t, check), want...)
			check.Services = []string{rpctest.GuardedService}
			expect(t, errorsOf(t, check))
		})
	}
}

// TestHalfGuarded: a grpc-go server with one of the two interceptors leaves the
// other half open.
func TestHalfGuarded(t *testing.T) {
	t.Parallel()
	world := newWorld(t)
	check := serveGRPC(t, grpc.ChainUnaryInterceptor(grpcauth.UnaryServerInterceptor(world.Authorizer)))
	check.Services = []string{rpctest.GuardedService}
	expect(t, errorsOf(t, check), each(procedures(rpctest.GuardedService, rpctest.Bidi, rpctest.Client, rpctest.Server),
		"lets an anonymous call in: gRPC answered 200 OK with ")...)

	const answered = "lets an anonymous call in: gRPC answered 200 OK with a message"
	check = serveGRPC(t, grpc.ChainStreamInterceptor(grpcauth.StreamServerInterceptor(world.Authorizer)))
	check.Public = procedures(rpctest.PublicService)
	expect(t, errorsOf(t, check),
		rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)+" "+answered,
		"/grpc.health.v1.Health/Check "+answered,
		"/grpc.health.v1.Health/List "+answered)
}

// TestBidiNeedsHTTP2: a method that cannot be called is not passed over.
func TestBidiNeedsHTTP2(t *testing.T) {
	t.Parallel()
	world := newWorld(t)
	check := serveHTTP1(t, world.Handlers.ConnectMux(connectauth.WithAuthorizer(world.Authorizer)))
	check.Public = procedures(rpctest.PublicService, rpctest.Unary, rpctest.Client, rpctest.Server)
	const unreachable = "cannot be called; a bidirectional stream needs a server that speaks HTTP/2: " +
		"Connect answered 505 HTTP Version Not Supported, gRPC answered 505"
	expect(t, errorsOf(t, check),
		rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi)+" "+unreachable,
		rpctest.Procedure(rpctest.PublicService, rpctest.Bidi)+" "+unreachable)
}

// TestNotServed: what is not served is an error if it was named, or if nothing is
// served at all.
func TestNotServed(t *testing.T) {
	t.Parallel()
	missing := serveHTTP1(t, http.NotFoundHandler())
	expect(t, errorsOf(t, missing), fmt.Sprintf("%q serves none of the ", missing.URL))
	missing.Services = []string{healthService}
	expect(t, errorsOf(t, missing),
		"/grpc.health.v1.Health/Check is not served: Connect answered 404 Not Found, gRPC answered 404 Not Found, gRPC-Web answered 404 Not Found",
		"/grpc.health.v1.Health/List is not served", "/grpc.health.v1.Health/Watch is not served")

	pages := http.NewServeMux()
	pages.Handle("GET /", http.NotFoundHandler())
	static := serveHTTP1(t, pages)
	expect(t, errorsOf(t, static), fmt.Sprintf("%q serves none of the ", static.URL))

	world := newWorld(t)
	some := serveH2C(t, world.Handlers.ConnectMux(connectauth.WithAuthorizer(world.Authorizer)))
	some.Public = append(procedures(rpctest.PublicService), "/grpc.health.v1.Health/Check")
	expect(t, errorsOf(t, some), "/grpc.health.v1.Health/Check is not served")

	unknown := "http://" + rpctest.ServeGRPC(t, grpc.NewServer())
	expect(t, errorsOf(t, authtest.AnonymousCheck{URL: unknown, Services: []string{rpctest.GuardedService}}),
		each(procedures(rpctest.GuardedService),
			`is not served: Connect answered 415 Unsupported Media Type, gRPC answered 200 OK with status 12 "unknown service drawbridge.test.v1.GuardedService"`)...)

	nothing := authtest.AnonymousCheck{URL: missing.URL, Services: []string{empty}}
	expect(t, errorsOf(t, nothing), "there is nothing to call: no descriptor of a method is linked into the test, and no MCP endpoint is listed")
	nothing.Services = []string{"a.v1.A"}
	expect(t, errorsOf(t, nothing), "no service with a descriptor that is linked into the test is named a.v1.A; ")
	expect(t, errorsOf(t, authtest.AnonymousCheck{URL: missing.URL, Services: []string{"a.v1.A", rpctest.GuardedService, "google.protobuf.StringValue"}}),
		"no service with a descriptor that is linked into the test is named a.v1.A, google.protobuf.StringValue; import its generated package")
}

// TestNoServer: a check that reaches no server reports that alone.
func TestNoServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	for _, url := range []string{server.URL, "", "://"} {
		expect(t, errorsOf(t, authtest.AnonymousCheck{URL: url}), fmt.Sprintf("no server answers at %q: ", url))
	}
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	expect(t, errorsOf(t, authtest.AnonymousCheck{URL: encrypted.URL}), "no server answers at ")
}

// TestPublicIsExact: a procedure that is listed as public lets anonymous callers
// in, and is one of those that were called.
func TestPublicIsExact(t *testing.T) {
	t.Parallel()
	check := serveH2C(t, guarded(t))
	misspelled := "/" + rpctest.PublicService + "/Unaryy"
	check.Public = append(procedures(rpctest.PublicService), rpctest.Procedure(rpctest.GuardedService, rpctest.Server), misspelled)
	expect(t, errorsOf(t, check),
		rpctest.Procedure(rpctest.GuardedService, rpctest.Server)+" is listed as public, and refuses an anonymous call: Connect answered 200 OK with status unauthenticated, gRPC answered",
		fmt.Sprintf("%q is listed as public, and is not a method of the services that were called", misspelled))
}

// TestUnimplementedStub: a method without implementation is open nevertheless.
func TestUnimplementedStub(t *testing.T) {
	t.Parallel()
	procedure := rpctest.Procedure(rpctest.PublicService, rpctest.Unary)
	mux := http.NewServeMux()
	mux.Handle("/", guarded(t))
	mux.Handle(procedure, connect.NewUnaryHandler(procedure, func(context.Context, *connect.Request[rpctest.Message]) (*connect.Response[rpctest.Message], error) {
		return nil, connect.NewError(connect.CodeUnimplemented, errors.New("soon"))
	}))
	check := serveH2C(t, mux)
	check.Public = procedures(rpctest.PublicService, rpctest.Client, rpctest.Server, rpctest.Bidi)
	expect(t, errorsOf(t, check), procedure+" lets an anonymous call in: Connect answered 501 Not Implemented with code unimplemented, "+
		`gRPC answered 200 OK with status 12 "soon", gRPC-Web answered 200 OK with status 12 "soon"`)
}
