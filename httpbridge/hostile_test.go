package httpbridge_test

import (
	"io"
	"maps"
	"net/http"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestCallerCannotSwitchOff: whatever a request looks like, the denial that a page
// met becomes the response: the content type of the response decides (RPC-4).
func TestCallerCannotSwitchOff(t *testing.T) {
	t.Parallel()
	const procedure = "/" + rpctest.GuardedService + "/" + rpctest.Unary
	w := newWorld(t, httpbridge.Config{})
	page := func(claims bool) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if claims { // as an RPC handler does that the page calls in the process
				interceptor.Answer(r.Context(), procedure, nil)
			}
			interceptor.Relay(r.Context(), denied, denied)
			if contentType := r.Header.Get("X-Response"); contentType != "" {
				rw.Header().Set("Content-Type", contentType)
			}
			_, _ = io.WriteString(rw, "<html>stands")
		})
	}
	servers := map[string]string{
		"Handler":             rpctest.ServeHTTP(t, w.Handler(page(false))),
		"Handler, in process": rpctest.ServeHTTP(t, w.Handler(page(true))),
		"Protect":             rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, page(false))),
		"Protect, in process": rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, page(true))),
		"Guard in Handler":    rpctest.ServeHTTP(t, w.Handler(connectauth.Guard(w.Authorizer(), page(false)))),
	}
	for _, path := range []string{procedure, procedure + "?connect=v1&encoding=json&message=%22%22", "/mcp", "/mcp?connect=v1", "/front" + procedure, "/mcp?x=" + procedure} {
		for name, header := range map[string]http.Header{
			"nothing":              nil,
			"a version of Connect": {"Connect-Protocol-Version": {"1"}},
			"JSON":                 {"Content-Type": {"application/json"}, "Connect-Protocol-Version": {"1"}},
			"Connect":              {"Content-Type": {"application/proto"}},
			"a stream of Connect":  {"Content-Type": {"application/connect+proto"}},
			"gRPC":                 {"Content-Type": {"application/grpc"}, "Te": {"trailers"}},
			"gRPC-Web":             {"Content-Type": {"application/grpc-web-text"}, "Accept": {"application/grpc-web-text"}},
			"SSE":                  {"Accept": {"text/event-stream"}, "Last-Event-Id": {"1"}},
			"MCP":                  {"Mcp-Session-Id": {"1"}, "Mcp-Method": {"ping"}, "Drawbridge-Call": {"1"}},
			"a page":               {"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}},
			"another method":       {"X-Http-Method-Override": {"OPTIONS"}},
			"a proxy":              {"X-Forwarded-Prefix": {procedure}, "X-Original-Url": {procedure}},
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodOptions} {
				for server, url := range servers {
					sent := bearer(tokenGood)
					maps.Copy(sent, header)
					sent.Set("X-Response", "text/html; charset=utf-8")
					if got := send(t, method, url+path, sent); got.body == "<html>stands" {
						t.Errorf("RPC-4: %s: %s %s with %s: got %d %s", server, method, path, name, got.status, got.body)
					}
				}
			}
		}
	}
}
