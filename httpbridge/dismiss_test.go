package httpbridge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestDismissAlike: two calls are denied with equal statuses, and a handler that can
// do without one of them gets the denial of the other (SEED-1).
func TestDismissAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	var handlers rpctest.Handlers
	address := rpctest.ServeGRPC(t, handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer())...))
	conn := rpctest.DialGRPC(t, address, grpcauth.RelayDialOptions(grpcauth.RelayConfig{})...)
	call := func(ctx context.Context, method string) error {
		_, err := rpctest.CallGRPC(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+tokenRead), conn, rpctest.GuardedService, method)
		return err
	}
	for _, method := range rpctest.Kinds {
		server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			first, second := call(r.Context(), method), call(r.Context(), method)
			if !errors.Is(first, second) {
				t.Errorf("the statuses do not look alike: %v, %v", first, second)
			}
			for _, name := range r.Header["X-Dismiss"] {
				httpbridge.Dismiss(r.Context(), fmt.Errorf("wrapped: %w", map[string]error{"first": first, "second": second}[name]))
			}
			rw.WriteHeader(http.StatusAccepted)
		})))
		for _, row := range []struct {
			name    string
			dismiss []string
			want    int
		}{
			{"none", nil, http.StatusForbidden},
			{"the first", []string{"first"}, http.StatusForbidden},
			{"the second", []string{"second"}, http.StatusForbidden},
			{"the first twice", []string{"first", "first"}, http.StatusForbidden},
			{"both", []string{"first", "second"}, http.StatusAccepted},
		} {
			if got := send(t, http.MethodPost, server+"/mcp", http.Header{"X-Dismiss": row.dismiss}); got.status != row.want {
				t.Errorf("SEED-1: %s, %s: got %d, want %d", method, row.name, got.status, row.want)
			}
		}
	}
}
