package httpbridge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestPreflightHeaders: a page may send the fields of RPC and MCP, those of the
// configuration, and any Mcp-Param field (MCP-11).
func TestPreflightHeaders(t *testing.T) {
	t.Parallel()
	const allowed = "https://app.example.com"
	bridge := newWorld(t, httpbridge.Config{AllowedOrigins: []string{allowed}, AllowedHeaders: []string{"X-Request-Id", "traceparent"}})
	servers := map[string]string{
		"Protect":            rpctest.ServeHTTP(t, bridge.Protect(rpctest.GuardedService, guarded)),
		"Handler":            rpctest.ServeHTTP(t, bridge.Handler(guarded)),
		"Protect in Handler": rpctest.ServeHTTP(t, bridge.Handler(bridge.Protect(rpctest.GuardedService, guarded))),
	}
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf("mcp-param-%03d", i))
	}
	for _, row := range []struct {
		name, origin string
		asks         []string
		want         bool
	}{
		{"MCP-11: what RPC and MCP need", allowed, []string{"authorization,connect-protocol-version,content-type,mcp-method,mcp-name,mcp-protocol-version"}, true},
		{"MCP-11: a parameter", allowed, []string{"mcp-param-region"}, true},
		{"MCP-11: parameters among others", allowed, []string{"authorization,content-type,mcp-method,mcp-name,mcp-param-a,mcp-param-sku.v2,mcp-protocol-version"}, true},
		{"MCP-11: parameters in two fields", allowed, []string{"mcp-param-a", "mcp-param-b"}, true},
		{"MCP-11: parameters with spaces", allowed, []string{"mcp-param-a, mcp-param-b"}, true},
		{"MCP-11: parameters and configured fields", allowed, []string{"mcp-param-a,traceparent,x-request-id"}, true},
		{"MCP-11: configured fields", allowed, []string{"traceparent,x-request-id"}, true},
		{"MCP-11: nothing", allowed, nil, true},
		{"MCP-11: 64 parameters", allowed, []string{strings.Join(many[:64], ",")}, true},
		{"MCP-11: 65 parameters", allowed, []string{strings.Join(many, ",")}, false},
		{"MCP-11: a long parameter", allowed, []string{"mcp-param-" + strings.Repeat("x", 119)}, false},
		{"MCP-11: the longest parameter", allowed, []string{"mcp-param-" + strings.Repeat("x", 118)}, true},
		{"MCP-11: no parameter", allowed, []string{"mcp-param-"}, false},
		{"MCP-11: a prefix of another field", allowed, []string{"mcp-params"}, false},
		{"MCP-11: a wildcard", allowed, []string{"mcp-param-*"}, false},
		{"MCP-11: no token", allowed, []string{"mcp-param-a b"}, false},
		{"MCP-11: another field beside a parameter", allowed, []string{"mcp-param-a,x-evil"}, false},
		{"MCP-11: another field", allowed, []string{"x-evil"}, false},
		{"MCP-11: a field that contains the prefix", allowed, []string{"x-mcp-param-a"}, false},
		{"MCP-8: another origin", "https://evil.example.com", []string{"mcp-param-a"}, false},
	} {
		for name, server := range servers {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				header := http.Header{"Origin": {row.origin}, "Access-Control-Request-Method": {http.MethodPost}}
				if row.asks != nil {
					header["Access-Control-Request-Headers"] = row.asks
				}
				got := send(t, http.MethodOptions, server+"/mcp", header)
				if allows := got.header.Get("Access-Control-Allow-Origin") == row.origin; allows != row.want {
					t.Errorf("MCP-11: got %d %v", got.status, got.header)
				}
				if echoed := got.header.Values("Access-Control-Allow-Headers"); row.want && !slices.Equal(echoed, row.asks) || !row.want && len(echoed) > 0 {
					t.Errorf("MCP-11: Access-Control-Allow-Headers is %q", echoed)
				}
				if got.header.Get("Www-Authenticate") != "" {
					t.Errorf("MCP-11: the preflight was challenged")
				}
			})
		}
	}
}

// TestPreflightWithoutOrigins: without AllowedOrigins, a preflight reaches a handler
// as it came, and is answered where the handler is protected (MCP-11).
func TestPreflightWithoutOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	teapot := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) })
	for name, row := range map[string]struct {
		handler http.Handler
		want    int
	}{
		"Handler": {w.Handler(teapot), http.StatusTeapot},
		"Protect": {w.Protect(rpctest.GuardedService, teapot), http.StatusNoContent},
	} {
		got := send(t, http.MethodOptions, rpctest.ServeHTTP(t, row.handler)+"/mcp", http.Header{"Origin": {resource}, "Access-Control-Request-Method": {http.MethodPost}})
		if got.status != row.want || got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Vary") != "" {
			t.Errorf("MCP-11: %s: got %+v", name, got)
		}
	}
}

// TestAllowedHeaders: every name that is not one of a header field is a fault, and so
// are names that have no effect.
func TestAllowedHeaders(t *testing.T) {
	t.Parallel()
	bad := []string{"", "*", "X-*", "X Y", "X:", "X\n", "X\u00e9", "\"X\"", "X,Y", "X(Y)", "X@Y", "X[Y]", "X\x7f"}
	good := []string{"X", "x-request-id", "X_Y.Z~1", "!#$%&'+-.^_`|~09azAZ"}
	w := newWorld(t, httpbridge.Config{AllowedOrigins: []string{"https://app.example.com"}, AllowedHeaders: good})
	_, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer(), AllowedHeaders: slices.Concat(bad, good)})
	faults := slices.Collect(fault.All(err))
	if len(faults) != len(bad)+1 {
		t.Fatalf("SEED-8: got %d faults: %v", len(faults), err)
	}
	for i, name := range bad {
		if f := faults[i]; f.Place != fmt.Sprintf("httpbridge: AllowedHeaders[%d]", i) || f.Value != name || !strings.Contains(f.Reason, "name of a header field") {
			t.Errorf("SEED-8: %q: got %v", name, f)
		}
	}
	if last := faults[len(bad)]; last.Place != "httpbridge: AllowedHeaders" || !strings.Contains(last.Reason, "AllowedOrigins") {
		t.Errorf("SEED-8: got %v", last)
	}
}

// TestAllowedHeadersAreCopied: a Bridge is immutable.
func TestAllowedHeadersAreCopied(t *testing.T) {
	t.Parallel()
	const allowed = "https://app.example.com"
	cfg := httpbridge.Config{AllowedOrigins: []string{allowed}, AllowedHeaders: []string{"x-good"}}
	w := newWorld(t, cfg)
	cfg.AllowedHeaders[0] = "x-evil"
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, guarded))
	for asked, want := range map[string]string{"mcp-param-a,x-good": allowed, "mcp-param-a,x-evil": ""} {
		got := send(t, http.MethodOptions, server+"/mcp", http.Header{
			"Origin": {allowed}, "Access-Control-Request-Method": {http.MethodPost}, "Access-Control-Request-Headers": {asked},
		})
		if got.header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("MCP-11: %s: got %v", asked, got.header)
		}
	}
}
