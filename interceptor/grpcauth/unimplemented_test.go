package grpcauth_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	alphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// public adds public rules for services.
func public(services ...string) func(*drawbridge.Config) {
	return func(cfg *drawbridge.Config) {
		for _, service := range services {
			cfg.Policy.Services[service] = policy.Service{Rule: policy.Rule{Public: true}, NoDescriptor: true}
		}
	}
}

const healthService = "grpc.health.v1.Health"

// TestClientSideHealth: a channel of grpc-go that checks the health of its server
// becomes ready if a public rule covers the health service, whether the server has
// that service or not. The check carries no token, so that without a rule the
// channel does not become ready (RPC-8).
func TestClientSideHealth(t *testing.T) {
	t.Parallel()
	const checked = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`
	for _, row := range []struct {
		name   string
		change func(*drawbridge.Config)
		serves bool
		want   connectivity.State
	}{
		{"public and not there", public(healthService), false, connectivity.Ready},
		{"public and there", public(healthService), true, connectivity.Ready},
		{"no rule", public(), false, connectivity.TransientFailure},
		{"no rule and there", public(), true, connectivity.TransientFailure},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, row.change)
			server := w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...)
			if row.serves {
				healthpb.RegisterHealthServer(server, health.NewServer())
			}
			conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, server), grpc.WithDefaultServiceConfig(checked))
			waitFor(t, conn, row.want)
		})
	}
}

// waitFor connects, and waits until the channel is in a state.
func waitFor(t *testing.T, conn *grpc.ClientConn, want connectivity.State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn.Connect()
	for state := conn.GetState(); state != want; state = conn.GetState() {
		if !conn.WaitForStateChange(ctx, state) {
			t.Fatalf("RPC-8: the channel is %v, want %v", state, want)
		}
	}
}

// TestReflectionFallback: a client that lists the services of a server falls back
// to the older protocol where the server has only that (RPC-8).
func TestReflectionFallback(t *testing.T) {
	t.Parallel()
	v1, v1alpha := reflectionpb.ServerReflection_ServiceDesc.ServiceName, alphapb.ServerReflection_ServiceDesc.ServiceName
	for _, row := range []struct {
		name, token string
		change      func(*drawbridge.Config)
	}{
		{"public rules for both", "", public(v1, v1alpha)},
		{"a rule for the older one, a token", tokenGood, func(cfg *drawbridge.Config) {
			cfg.Policy.Services[v1alpha] = policy.Service{Rule: policy.Rule{Authenticated: true}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, row.change)
			server := w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...)
			alphapb.RegisterServerReflectionServer(server, reflection.NewServer(reflection.ServerOptions{Services: server}))
			conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, server))
			ctx := bearer(t.Context(), row.token)
			if n, err := listServices(reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)); status.Code(err) != codes.Unimplemented {
				t.Fatalf("RPC-8: v1: got %d services, %v, want unimplemented", n, err)
			}
			if n, err := listAlpha(alphapb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)); err != nil || n != 3 {
				t.Errorf("RPC-8: v1alpha: got %d services, %v", n, err)
			}
		})
	}
}

func listServices(stream reflectionpb.ServerReflection_ServerReflectionInfoClient, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	_ = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	response, err := stream.Recv()
	return len(response.GetListServicesResponse().GetService()), err
}

func listAlpha(stream alphapb.ServerReflection_ServerReflectionInfoClient, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	//nolint:staticcheck // The old protocol that clients fall back to.
	_ = stream.Send(&alphapb.ServerReflectionRequest{MessageRequest: &alphapb.ServerReflectionRequest_ListServices{}})
	response, err := stream.Recv()
	return len(response.GetListServicesResponse().GetService()), err //nolint:staticcheck // See above.
}
