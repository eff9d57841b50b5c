package grpcauth_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// everything relays every denial.
var everything = grpcauth.RelayConfig{DangerouslyEveryReason: true}

// TestRelayDialOptions: a client leaves the denial of a backend for the bridge, for
// every kind of stream, and returns the error as it is (RPC-1, RPC-3). What the
// backend says of a token of the server does not become a 401 for the caller
// (MCP-7).
func TestRelayDialOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := rpctest.ServeGRPC(t, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...))
	plain := rpctest.DialGRPC(t, address)
	own := grpcauth.RelayConfig{Logger: slog.New(slog.DiscardHandler)}
	for _, row := range []struct {
		token string
		cfg   grpcauth.RelayConfig
		want  challenge.Reason
	}{
		{"", everything, challenge.ReasonNoCredentials},
		{"two tokens", everything, challenge.ReasonInvalidRequest},
		{tokenBad, everything, challenge.ReasonInvalidToken},
		{tokenRead, everything, challenge.ReasonInsufficientScope},
		{tokenDown, everything, challenge.ReasonUnavailable},
		{tokenPanic, everything, challenge.ReasonInternal},
		{"", own, challenge.ReasonInternal},
		{tokenBad, own, challenge.ReasonInternal},
		{tokenRead, own, challenge.ReasonInsufficientScope},
		{tokenDown, own, challenge.ReasonUnavailable},
	} {
		t.Run(fmt.Sprintf("%q as %v", row.token, row.want), func(t *testing.T) {
			t.Parallel()
			conn := rpctest.DialGRPC(t, address, grpcauth.RelayDialOptions(row.cfg)...)
			each(t, func(t *testing.T, method string) {
				recorded := newExchange()
				got := call(exchange.NewContext(t.Context(), recorded), conn, rpctest.GuardedService, method, row.token)
				denial := recorded.Denials.Denial()
				if procedure, _ := recorded.Native.Claimed(); denial == nil || procedure != "" || denial.Reason != row.want {
					t.Fatalf("recorded %v (answered by %q), want %v", denial, procedure, row.want)
				}
				if denial.Remote && denial.Challenge.ResourceMetadataURL != metadataURL || denial.Remote != (row.cfg == everything || row.want != challenge.ReasonInternal) {
					t.Errorf("recorded %+v", denial.Challenge)
				}
				unchanged := call(t.Context(), plain, rpctest.GuardedService, method, row.token)
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
	guarded := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...)), grpcauth.RelayDialOptions(everything)...)
	open := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer()), grpcauth.RelayDialOptions(everything)...)
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
	conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer()), grpcauth.RelayDialOptions(everything)...)
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
