package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	grpcmetadata "google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	billingv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// clientToken gets a token from the authorization server.
func clientToken(t *testing.T, target announcement, scope, resource string) string {
	t.Helper()
	resp, err := http.PostForm(target.TokenEndpoint, url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {target.Clients[0].ID},
		"client_secret": {target.Clients[0].Secret},
		"scope":         {scope},
		"resource":      {resource},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	decode(t, resp.Body, &answer)
	if answer.AccessToken == "" {
		t.Fatalf("no token: %s", resp.Status)
	}
	return answer.AccessToken
}

// Each RPC requires what the policy says, on both servers.
func TestPolicy(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	tokens := map[string]string{"none": ""}
	for _, scope := range []string{readStock, writeStock, readBilling} {
		tokens[scope] = clientToken(t, target, scope, target.Connect)
	}
	servers := map[string]func(ctx context.Context, token, procedure string) codes.Code{
		"connect-go": connectProbe(t, target),
		"grpc-go":    grpcProbe(t, target),
	}
	tests := []struct {
		procedure string
		allows    []string
	}{
		{inventoryv1.InventoryService_ListItems_FullMethodName, []string{readStock, writeStock}},
		{inventoryv1.InventoryService_WatchStock_FullMethodName, []string{readStock, writeStock}},
		{inventoryv1.InventoryService_AdjustStock_FullMethodName, []string{writeStock}},
		{inventoryv1.InventoryService_ImportItems_FullMethodName, []string{writeStock}},
		{inventoryv1.InventoryService_Reconcile_FullMethodName, []string{writeStock}},
		{billingv1.BillingService_GetInvoice_FullMethodName, []string{readBilling}},
		{healthv1.Health_Check_FullMethodName, []string{"none", readStock, writeStock, readBilling}},
	}
	for _, test := range tests {
		for server, probe := range servers {
			for scope, token := range tokens {
				want := codes.PermissionDenied
				if scope == "none" {
					want = codes.Unauthenticated
				}
				for _, allowed := range test.allows {
					if scope == allowed {
						want = codes.OK
					}
				}
				if got := probe(t.Context(), token, test.procedure); got != want {
					t.Errorf("%s, %s, scope %s: got %s, want %s", server, test.procedure, scope, got, want)
				}
			}
		}
	}
}

// The probes send one empty message and end the request. An error of the service
// counts as a success, because the call was authorized.
func letThrough(code codes.Code) codes.Code {
	switch code {
	case codes.InvalidArgument, codes.NotFound:
		return codes.OK
	default:
		return code
	}
}

func connectProbe(t *testing.T, target announcement) func(context.Context, string, string) codes.Code {
	t.Helper()
	wire := newTap(true)
	t.Cleanup(wire.close)
	return func(ctx context.Context, token, procedure string) codes.Code {
		client := connect.NewClient[emptypb.Empty, emptypb.Empty](
			&http.Client{Transport: bearer{next: wire, token: token}}, target.Connect+procedure)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var err error
		switch procedure {
		case inventoryv1.InventoryService_WatchStock_FullMethodName:
			var stream *connect.ServerStreamForClient[emptypb.Empty]
			if stream, err = client.CallServerStream(ctx, connect.NewRequest(&emptypb.Empty{})); err == nil {
				stream.Receive()
				err = stream.Err()
			}
		case inventoryv1.InventoryService_ImportItems_FullMethodName, inventoryv1.InventoryService_Reconcile_FullMethodName:
			stream := client.CallBidiStream(ctx)
			_ = stream.Send(&emptypb.Empty{}) // the response says why
			_ = stream.CloseRequest()
			_, err = stream.Receive()
		default:
			_, err = client.CallUnary(ctx, connect.NewRequest(&emptypb.Empty{}))
		}
		if err == nil {
			return codes.OK
		}
		return letThrough(codes.Code(connect.CodeOf(err)))
	}
}

func grpcProbe(t *testing.T, target announcement) func(context.Context, string, string) codes.Code {
	t.Helper()
	conn := dial(t, target)
	return func(ctx context.Context, token, procedure string) codes.Code {
		if token != "" {
			ctx = grpcmetadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, procedure)
		if err != nil {
			return status.Code(err)
		}
		_ = stream.SendMsg(&emptypb.Empty{}) // the response says why
		_ = stream.CloseSend()
		return letThrough(status.Code(stream.RecvMsg(&emptypb.Empty{})))
	}
}

func dial(t *testing.T, target announcement) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// grpcurl requests the descriptors without a token, with either version of the
// reflection service.
func TestReflectionIsPublic(t *testing.T) {
	t.Parallel()
	conn := dial(t, startServers(t).announcement())
	v1, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v1.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: inventoryService},
	}); err != nil {
		t.Fatal(err)
	}
	if resp, err := v1.Recv(); err != nil || len(resp.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("v1: got %v, %v", resp, err)
	}
	v1alpha, err := reflectionv1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v1alpha.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := v1alpha.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("v1alpha: got %v, want the end of an authorized stream", err)
	}
}
