package health_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	grpchealth "google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/health"
)

// call returns a client of one RPC of the health service of server.
func call[Req, Resp any](t *testing.T, server *grpchealth.Server, procedure string) *connect.Client[Req, Resp] {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(health.NewHandler(server))
	listener := httptest.NewServer(mux)
	t.Cleanup(listener.Close)
	return connect.NewClient[Req, Resp](listener.Client(), listener.URL+procedure)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	client := call[healthv1.HealthCheckRequest, healthv1.HealthCheckResponse](t, grpchealth.NewServer(), healthv1.Health_Check_FullMethodName)
	resp, err := client.CallUnary(t.Context(), connect.NewRequest(&healthv1.HealthCheckRequest{}))
	if err != nil || resp.Msg.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("got %v, %v", resp, err)
	}
	_, err = client.CallUnary(t.Context(), connect.NewRequest(&healthv1.HealthCheckRequest{Service: "none.v1.None"}))
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("an unknown service: got %v, want not_found", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	server := grpchealth.NewServer()
	server.SetServingStatus("a.v1.A", healthv1.HealthCheckResponse_NOT_SERVING)
	client := call[healthv1.HealthListRequest, healthv1.HealthListResponse](t, server, healthv1.Health_List_FullMethodName)
	resp, err := client.CallUnary(t.Context(), connect.NewRequest(&healthv1.HealthListRequest{}))
	if err != nil || resp.Msg.GetStatuses()["a.v1.A"].GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	server := grpchealth.NewServer()
	client := call[healthv1.HealthCheckRequest, healthv1.HealthCheckResponse](t, server, healthv1.Health_Watch_FullMethodName)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.CallServerStream(ctx, connect.NewRequest(&healthv1.HealthCheckRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Receive() || stream.Msg().GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("first: got %v, %v", stream.Msg(), stream.Err())
	}
	server.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	if !stream.Receive() || stream.Msg().GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Fatalf("second: got %v, %v", stream.Msg(), stream.Err())
	}
	cancel()
	if stream.Receive() || connect.CodeOf(stream.Err()) != connect.CodeCanceled {
		t.Errorf("after the caller went away: got %v", stream.Err())
	}
}
