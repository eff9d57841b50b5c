package grpcauth_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestDialOptions: a client leaves the denial of a backend for the bridge, for
// every kind of stream, and returns the error as it is (RPC-1, RPC-3).
func TestDialOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := rpctest.ServeGRPC(t, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...))
	conn, plain := rpctest.DialGRPC(t, address, grpcauth.DialOptions()...), rpctest.DialGRPC(t, address)
	for token, want := range map[string]interceptor.Kind{
		"":           interceptor.KindNoCredentials,
		"two tokens": interceptor.KindInvalidRequest,
		tokenBad:     interceptor.KindInvalidToken,
		tokenRead:    interceptor.KindInsufficientScope,
		tokenDown:    interceptor.KindUnavailable,
		tokenPanic:   interceptor.KindInternal,
	} {
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, method string) {
				recorded := new(recorder.Recorder)
				got := call(recorder.NewContext(t.Context(), recorded), conn, rpctest.GuardedService, method, token)
				denial := recorded.Denial()
				if procedure, _ := recorded.Answering(); denial == nil || procedure != "" || denial.Kind != want {
					t.Fatalf("recorded %v (answered by %q), want %v", denial, procedure, want)
				}
				if denial.Challenge.ResourceMetadata != metadataURL || denial.Challenge.Realm != rpctest.GuardedService {
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

// TestDialOptionsElsewhere: what is no denial is not recorded, and without a
// bridge there is nothing to record in.
func TestDialOptionsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guarded := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...)), grpcauth.DialOptions()...)
	open := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer()), grpcauth.DialOptions()...)
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
			recorded := new(recorder.Recorder)
			got := call(recorder.NewContext(t.Context(), recorded), row.conn, row.service, method, row.token)
			checkCode(t, got, row.want)
			if denial := recorded.Denial(); denial != nil {
				t.Errorf("%s: recorded %v", row.service, denial)
			}
		}
		checkCode(t, call(t.Context(), guarded, rpctest.GuardedService, method, ""), codes.Unauthenticated)
	})
}

// TestDialOptionsNoStream: a stream that cannot even be opened is an error as
// ever.
func TestDialOptionsNoStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer()), grpcauth.DialOptions()...)
	recorded := new(recorder.Recorder)
	ctx, cancel := context.WithCancel(recorder.NewContext(t.Context(), recorded))
	cancel()
	for _, method := range rpctest.Kinds {
		checkCode(t, call(ctx, conn, rpctest.PublicService, method, ""), codes.Canceled)
	}
	if denial := recorded.Denial(); denial != nil {
		t.Errorf("recorded %v", denial)
	}
}
