package httpbridge_test

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// tokenAdmin grants what no rule of the service as a whole asks for.
const tokenAdmin = "admin"

// byMethod gives the guarded service a rule that two methods do not share, and
// makes the verifier know three tokens.
func byMethod(cfg *drawbridge.Config) {
	cfg.Policy.Services[rpctest.GuardedService] = policy.Service{
		Rule: policy.Rule{Scopes: []string{rpctest.ScopeRead}},
		Methods: map[string]policy.Rule{
			rpctest.Client: {Scopes: []string{"guarded:erase"}},
			rpctest.Server: {Public: true},
		},
	}
	known := make(knownTokens)
	for raw, scopes := range map[string][]string{
		tokenRead: {rpctest.ScopeRead}, tokenAdmin: {rpctest.ScopeRead, "guarded:erase"}, "erase": {"guarded:erase"}, "none": nil,
	} {
		known[raw] = &token.Info{Issuer: login, Subject: "ada", Audience: []string{resource, mcpResource}, Scopes: scopes}
	}
	cfg.Verifier = known
}

// TestProtectByMethod: the rule of a method decides about its path, and both rules
// about any other path that may be routed to it (RPC-1).
func TestProtectByMethod(t *testing.T) {
	t.Parallel()
	const guardedService, publicService = rpctest.GuardedService, rpctest.PublicService
	unary, erase := rpctest.Procedure(guardedService, rpctest.Unary), rpctest.Procedure(guardedService, rpctest.Client)
	open, public := rpctest.Procedure(guardedService, rpctest.Server), rpctest.Procedure(publicService, rpctest.Unary)
	for _, row := range []struct {
		name, service, path string
		want                map[string]int // by token
	}{
		{"RPC-1: a method without a rule of its own", guardedService, unary, map[string]int{"": 401, "none": 403, tokenRead: 200}},
		{"RPC-1: a stricter rule of the method", guardedService, erase, map[string]int{"": 401, tokenRead: 403, tokenAdmin: 200}},
		{"RPC-1: the rule of the method decides alone", guardedService, erase, map[string]int{"erase": 200}},
		{"RPC-1: a public method", guardedService, open, map[string]int{"": 200, "none": 200}},
		{"RPC-6: a method that does not exist", guardedService, "/" + guardedService + "/Missing", map[string]int{"": 401, tokenAdmin: 404}},
		{"RPC-1: below the path of the resource", guardedService, "/mcp" + erase, map[string]int{"": 401, tokenRead: 403, "erase": 200}},
		{"RPC-1: a public method below the path of the resource", guardedService, "/mcp" + open, map[string]int{"": 200}},
		{"RPC-5: below another path", guardedService, "/x" + erase, map[string]int{"": 401, tokenRead: 403, "erase": 403, tokenAdmin: 200}},
		{"RPC-5: below a path that begins like the resource", guardedService, "/mcpx" + open, map[string]int{"": 401, "none": 403, tokenRead: 200}},
		{"RPC-5: further below the resource", guardedService, "/mcp/x" + open, map[string]int{"": 401, tokenRead: 200}},
		{"RPC-5: a public method below another path", guardedService, "/x" + open, map[string]int{"": 401, "none": 403, tokenRead: 200}},
		{"RPC-5: a slash at the end", guardedService, erase + "/", map[string]int{"": 401, tokenRead: 403, tokenAdmin: 200}},
		{"RPC-5: a public method with a slash at the end", guardedService, open + "/", map[string]int{"": 401, tokenRead: 200}},
		{"RPC-5: two slashes", guardedService, "/" + erase, map[string]int{"": 401, tokenRead: 403, tokenAdmin: 200}},
		{"RPC-5: two slashes inside", guardedService, "/" + guardedService + "//" + rpctest.Client, map[string]int{tokenRead: 403, tokenAdmin: 200}},
		{"RPC-5: an encoded slash", guardedService, "/" + guardedService + "%2F" + rpctest.Client, map[string]int{"": 401, tokenRead: 403, "erase": 403}},
		{"RPC-5: a public method with an encoded slash", guardedService, "/" + guardedService + "%2F" + rpctest.Server, map[string]int{"": 401, "none": 403}},
		{"RPC-5: an encoded letter", guardedService, "/" + guardedService + "/%43lient", map[string]int{tokenRead: 403, "erase": 403}},
		{"RPC-5: a slash encoded twice", guardedService, "/" + guardedService + "%252F" + rpctest.Client, map[string]int{tokenRead: 403}},
		{"RPC-5: a backslash", guardedService, "/" + guardedService + "%5C" + rpctest.Client, map[string]int{tokenRead: 403}},
		{"RPC-5: parameters", guardedService, "/" + guardedService + ";v=1/" + rpctest.Client + ";x", map[string]int{tokenRead: 403}},
		{"RPC-5: another method behind", guardedService, open + erase, map[string]int{"": 401, tokenRead: 403, tokenAdmin: 200}},
		{"RPC-5: another method before", guardedService, erase + open, map[string]int{"": 401, tokenRead: 403, tokenAdmin: 200}},
		{"RPC-5: too many methods", guardedService, strings.Repeat(open, 40), map[string]int{"": 401, tokenAdmin: 404}},
		{"RPC-6: another service", guardedService, public, map[string]int{"": 401, "none": 403, tokenRead: 200}},
		{"RPC-6: another service with a stricter rule", publicService, erase, map[string]int{"": 401, tokenRead: 403, "erase": 200}},
		{"RPC-6: another service, several methods", publicService, unary + erase, map[string]int{"": 401, "erase": 403, tokenAdmin: 200}},
		{"RPC-6: a public service", publicService, public, map[string]int{"": 200, "none": 200}},
		{"no procedure", guardedService, "/mcp", map[string]int{"": 401, "none": 403, tokenRead: 200}},
		{"no procedure, two segments", guardedService, "/a/b", map[string]int{"none": 403, tokenRead: 200}},
		{"a file below a procedure", guardedService, erase + "/readme", map[string]int{"none": 403, tokenRead: 200}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpbridge.Config{}, byMethod)
			server := rpctest.ServeHTTP(t, w.Protect(row.service, guarded))
			for raw, want := range row.want {
				if got := send(t, http.MethodPost, server+row.path, bearer(raw)); got.status != want {
					t.Errorf("token %q: got %d %s, want %d", raw, got.status, got.body, want)
				}
			}
		})
	}
}

// TestProtectAsksForBoth: the challenge of the second rule asks for the scopes of
// the first one, too (MCP-4).
func TestProtectAsksForBoth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, byMethod)
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, guarded))
	got := send(t, http.MethodPost, server+"/x"+rpctest.Procedure(rpctest.GuardedService, rpctest.Client), bearer(tokenRead))
	if header := got.header.Get("Www-Authenticate"); !strings.Contains(header, `scope="guarded:erase guarded:read"`) {
		t.Errorf("MCP-4: got %s", header)
	}
}

// TestProtectFindsCaller: whichever rule asks for the token, the handler finds the
// caller (RPC-1).
func TestProtectFindsCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, byMethod)
	erase := rpctest.Procedure(rpctest.GuardedService, rpctest.Client)
	for name, handler := range map[string]http.Handler{
		"the rule of the method":       w.Protect(rpctest.GuardedService, guarded),
		"that of another one's method": w.Protect(rpctest.PublicService, guarded),
	} {
		if got := send(t, http.MethodPost, rpctest.ServeHTTP(t, handler)+erase, bearer(tokenAdmin)); got.body != "hello from ada" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestProtectOfConnect: no code of a method runs for a caller that does not meet
// its rule (RPC-1).
func TestProtectOfConnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, byMethod)
	var handlers rpctest.Handlers
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, handlers.ConnectMux()))
	for _, row := range []struct {
		method, token string
		ran           int
	}{
		{rpctest.Client, tokenRead, 0},
		{rpctest.Client, "", 0},
		{rpctest.Unary, "", 0},
		{rpctest.Unary, tokenRead, 1},
		{rpctest.Client, tokenAdmin, 2},
	} {
		_, err := rpctest.CallConnect(t.Context(), rpctest.H2C(t), server, rpctest.GuardedService, row.method, bearer(row.token), connect.WithGRPC())
		if handlers.Ran() != row.ran {
			t.Errorf("RPC-1: %s, token %q: %d handlers ran, want %d (%v)", row.method, row.token, handlers.Ran(), row.ran, err)
		}
	}
}
