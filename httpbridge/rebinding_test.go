package httpbridge_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestRebinding: under a public rule, a request to a loopback address needs a Host
// that a page of others cannot have (go-sdk CVE-2026-34742).
func TestRebinding(t *testing.T) {
	t.Parallel()
	const service, evil = rpctest.PublicService, "evil.example.com:8080"
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	outside := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 8080}
	for _, row := range []struct {
		name, service, path, host, token string
		local                            net.Addr
		want                             int
	}{
		{"CVE-2026-34742: a foreign host", service, "/mcp", evil, "", loopback, 403},
		{"CVE-2026-34742: with a token, which is not read", service, "/mcp", evil, tokenGood, loopback, 403},
		{"CVE-2026-34742: IPv6", service, "/mcp", evil, "", &net.TCPAddr{IP: net.IPv6loopback}, 403},
		{"CVE-2026-34742: IPv4 in IPv6", service, "/mcp", evil, "", &net.TCPAddr{IP: net.ParseIP("::ffff:127.1.2.3")}, 403},
		{"CVE-2026-34742: a host that begins like loopback", service, "/mcp", "localhost.evil.example.com", "", loopback, 403},
		{"CVE-2026-34742: a host that begins like an own one", service, "/mcp", "api.example.com.evil.com", "", loopback, 403},
		{"CVE-2026-34742: a malformed host", service, "/mcp", "[::1", "", loopback, 403},
		{"CVE-2026-34742: an address elsewhere", service, "/mcp", "10.1.2.3:8080", "", loopback, 403},
		{"CVE-2026-34742: a path that ends in a procedure", service, "/x" + rpctest.Procedure(service, rpctest.Unary), evil, "", loopback, 403},
		{"localhost", service, "/mcp", "localhost:8080", "", loopback, 200},
		{"localhost in capitals", service, "/mcp", "LocalHost", "", loopback, 200},
		{"an IPv4 address", service, "/mcp", "127.0.0.1:8080", "", loopback, 200},
		{"an IPv6 address", service, "/mcp", "[::1]:8080", "", loopback, 200},
		{"the host of a resource, behind a proxy", service, "/mcp", "api.example.com", "", loopback, 200},
		{"the host of a resource with a port", service, "/mcp", "API.example.com:8443", "", loopback, 200},
		{"an alias", service, "/mcp", "alias.example.com", "", loopback, 200},
		{"no host, as in HTTP/1.0", service, "/mcp", "", "", loopback, 200},
		{"another address, as of a probe", service, "/mcp", "10.1.2.3:8080", "", outside, 200},
		{"another address, any host", service, "/mcp", evil, "", outside, 200},
		{"a socket", service, "/mcp", evil, "", &net.UnixAddr{Name: "/run/x"}, 200},
		{"no address", service, "/mcp", evil, "", nil, 200},
		{"a public RPC", service, rpctest.Procedure(service, rpctest.Unary), evil, "", loopback, 200},
		{"a rule that asks for a token", rpctest.GuardedService, "/mcp", evil, tokenGood, loopback, 200},
		{"a rule that asks for a token, without one", rpctest.GuardedService, "/mcp", evil, "", loopback, 401},
		{"another service that asks for a token", service, "/x" + rpctest.Procedure(rpctest.GuardedService, rpctest.Unary), evil, tokenGood, loopback, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) { cfg.Resources[1].Aliases = []string{"https://alias.example.com"} })
			ctx := t.Context()
			if row.local != nil {
				ctx = context.WithValue(ctx, http.LocalAddrContextKey, row.local)
			}
			req := httptest.NewRequestWithContext(ctx, http.MethodGet, row.path, http.NoBody)
			req.Host, req.Header = row.host, bearer(row.token)
			res := httptest.NewRecorder()
			w.Protect(row.service, guarded).ServeHTTP(res, req)
			if res.Code != row.want {
				t.Errorf("got %d %s, want %d", res.Code, res.Body, row.want)
			}
			if row.want != http.StatusForbidden {
				return
			}
			if want := body("forbidden_origin", "requests from this origin are not allowed", service); res.Body.String() != want || res.Header().Get("Www-Authenticate") != "" {
				t.Errorf("got %s %v", res.Body, res.Header())
			}
			if kept := w.log.logged(); len(kept) != 1 || !strings.Contains(kept[0], "loopback") {
				t.Errorf("SEED-1: logged %v", kept)
			}
		})
	}
}

// TestRebindingOverLoopback: net/http gives the local address.
func TestRebindingOverLoopback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.PublicService, guarded))
	for host, want := range map[string]int{"": 200, "api.example.com": 200, "evil.example.com": 403} {
		if got := send(t, http.MethodGet, server+"/mcp", http.Header{"Host": {host}}); got.status != want {
			t.Errorf("CVE-2026-34742: %q: got %+v", host, got)
		}
	}
}
