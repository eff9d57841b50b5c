package grpcauth_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestRelayDialOptions: a client leaves the denial of a backend for the bridge, for
// every kind of stream, and returns the error as it is (RPC-1, RPC-3).
func TestRelayDialOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := rpctest.ServeGRPC(t, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...))
	conn, plain := rpctest.DialGRPC(t, address, grpcauth.RelayDialOptions()...), rpctest.DialGRPC(t, address)
	for token, want := range map[string]challenge.Reason{
		"":           challenge.ReasonNoCredentials,
		"two tokens": challenge.ReasonInvalidRequest,
		tokenBad:     challenge.ReasonInvalidToken,
		tokenRead:    challenge.ReasonInsufficientScope,
		tokenDown:    challenge.ReasonUnavailable,
		tokenPanic:   challenge.ReasonInternal,
	} {
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, method string) {
				recorded := newExchange()
				got := call(exchange.NewContext(t.Context(), recorded), conn, rpctest.GuardedService, method, token)
				denial := recorded.Denials.Denial()
				if procedure, _ := recorded.Native.Claimed(); denial == nil || procedure != "" || denial.Reason != want {
					t.Fatalf("recorded %v (answered by %q), want %v", denial, procedure, want)
				}
				if denial.Challenge.ResourceMetadataURL != metadataURL || denial.Challenge.Realm != rpctest.GuardedService {
					t.Errorf("recorded %+v", denial.Challenge)
				}
				unchanged := call(t.Context(), plain, rpctest.GuardedService, method, token)
				if !proto.Equal(got.status.Proto(), unchanged.status.Proto()) {
					t.Errorf("the error was changed: %v, before %v", got.status, unchanged.status)
				}
			})
		})
	}
}

// TestRelayDialOptionsElsewhere: only denials are recorded, and only under a
// bridge.
func TestRelayDialOptionsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guarded := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...)), grpcauth.RelayDialOptions()...)
	open := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer()), grpcauth.RelayDialOptions()...)
	each(t, func(t *testing.T, method string) {
		for _, row := range []struct {
			conn           *grpc.ClientConn
			service, token string
			want           codes.Code
		}{
			{guarded, rpctest.GuardedService, tokenGood, codes.OK},
			{guarded, rpctest.PublicService, "", codes.OK},
			{open, rpctest.NowhereService, "", codes.Unimplemented},
		} {
			recorded := newExchange()
			got := call(exchange.NewContext(t.Context(), recorded), row.conn, row.service, method, row.token)
			checkCode(t, got, row.want)
			if denial := recorded.Denials.Denial(); denial != nil {
				t.Errorf("%s: recorded %v", row.service, denial)
			}
		}
		checkCode(t, call(t.Context(), guarded, rpctest.GuardedService, method, ""), codes.Unauthenticated)
	})
}

// TestRelayDialOptionsNoStream: a stream that cannot even be opened is an error as
// ever.
func TestRelayDialOptionsNoStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer()), grpcauth.RelayDialOptions()...)
	recorded := newExchange()
	ctx, cancel := context.WithCancel(exchange.NewContext(t.Context(), recorded))
	cancel()
	for _, method := range rpctest.Kinds {
		checkCode(t, call(ctx, conn, rpctest.PublicService, method, ""), codes.Canceled)
	}
	if denial := recorded.Denials.Denial(); denial != nil {
		t.Errorf("recorded %v", denial)
	}
}
