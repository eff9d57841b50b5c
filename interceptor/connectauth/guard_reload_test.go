package connectauth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestGuardSeesOneConfiguration: each of two configurations refuses the request, and
// no mix of both, whose resource is mounted as in one and whose audience is that
// of the other, lets it in while they are swapped.
func TestGuardSeesOneConfiguration(t *testing.T) {
	t.Parallel()
	config := func(identifier string) drawbridge.Config {
		w := newWorld(t)
		return drawbridge.Config{
			Resources: []drawbridge.Resource{{Identifier: identifier, AuthorizationServers: []string{rpctest.Issuer}}},
			Policy:    rpctest.Policy(),
			Verifier:  &w.Verifier,
			Logger:    slog.New(slog.DiscardHandler),
		}
	}
	mounted, root := config(resource+"/api"), config(resource)
	a, err := drawbridge.New(root)
	if err != nil {
		t.Fatal(err)
	}
	var ran atomic.Int64
	guarded := connectauth.Guard(a, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran.Add(1) }))
	request := newHTTPRequest(t, http.MethodPost, "/api"+guardedUnary, "Content-Type", "application/proto", "Authorization", "Bearer "+tokenGood)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20_000 {
			guarded.ServeHTTP(httptest.NewRecorder(), request)
		}
	}()
	for reloaded := false; ; reloaded = !reloaded {
		cfg := root
		if reloaded {
			cfg = mounted
		}
		if err := a.Reconfigure(cfg); err != nil {
			t.Error(err)
		}
		select {
		case <-done:
			if got := ran.Load(); got != 0 {
				t.Errorf("%d requests were let in that both configurations refuse", got)
			}
			return
		default:
		}
	}
}
