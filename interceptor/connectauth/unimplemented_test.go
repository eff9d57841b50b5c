package connectauth_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	_ "google.golang.org/grpc/health" // the health check of clients

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestClientSideHealth: a channel of grpc-go that checks the health of its server
// becomes ready where a public rule covers the health service and the server does
// not have it. Without a rule it does not become ready, because the check carries
// no token (RPC-8).
func TestClientSideHealth(t *testing.T) {
	t.Parallel()
	const checked = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`
	withRule := func(cfg *drawbridge.Config) {
		cfg.Policy.Services["grpc.health.v1.Health"] = policy.Service{Rule: policy.Rule{Public: true}, NoDescriptor: true}
	}
	for name, wrap := range map[string]func(*world) http.Handler{
		"guard": func(w *world) http.Handler {
			return connectauth.Guard(w.Authorizer, w.Handlers.ConnectMux())
		},
		"guard and NotFoundHandler": func(w *world) http.Handler {
			return connectauth.Guard(w.Authorizer, withNotFound(w))
		},
		"option and NotFoundHandler": withNotFound,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for want, change := range map[connectivity.State]func(*drawbridge.Config){
				connectivity.Ready:            withRule,
				connectivity.TransientFailure: func(*drawbridge.Config) {},
			} {
				w := newWorld(t, change)
				address := strings.TrimPrefix(rpctest.ServeHTTP(t, wrap(w)), "http://")
				conn := rpctest.DialGRPC(t, address, grpc.WithDefaultServiceConfig(checked))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				conn.Connect()
				for state := conn.GetState(); state != want; state = conn.GetState() {
					if !conn.WaitForStateChange(ctx, state) {
						t.Errorf("RPC-8: the channel is %v, want %v", state, want)
						break
					}
				}
				cancel()
			}
		})
	}
}

// withNotFound serves the services with an option for each handler, and answers
// the rest.
func withNotFound(w *world) http.Handler {
	mux := w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer))
	mux.Handle("/", connectauth.NotFoundHandler(w.Authorizer))
	return mux
}
