package exchange_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// Procedures of a service that a descriptor knows.
const (
	unary  = "/" + rpctest.GuardedService + "/" + rpctest.Unary
	stream = "/" + rpctest.GuardedService + "/" + rpctest.Bidi
)

// TestOnTheWay: the known procedures in a path, and none of most paths. A path of
// one segment has none (RPC-5).
func TestOnTheWay(t *testing.T) {
	t.Parallel()
	adapter := rpctest.NewWorld(t).Adapter()
	var methods strings.Builder
	for _, method := range []string{"A", "B", "C", "D", "E", "F", "G", "H", "I"} {
		methods.WriteString(rpctest.Procedure(rpctest.GuardedService, method))
	}
	tooLong, tooMany := "/"+strings.Repeat("a/", 64)+unary[1:], methods.String()
	for _, tt := range []struct {
		name, path string
		want       []string
	}{
		{"RPC-5 a procedure", unary, []string{unary}},
		{"RPC-5 a method that does not exist", unary + "x", []string{unary + "x"}},
		{"RPC-5 below a prefix", "/api/v1" + unary, []string{unary}},
		{"RPC-5 two", unary + stream, []string{stream, unary}},
		{"RPC-5 two apart", unary + "/x" + stream, []string{stream, unary}},
		{"RPC-5 the same twice", unary + unary, []string{unary}},
		{"RPC-5 eight", tooMany[:strings.LastIndex(tooMany, "/"+rpctest.GuardedService)], upTo(8)},
		{"RPC-5 nine", tooMany, []string{tooMany}},
		{"RPC-5 65 slashes", tooLong, []string{tooLong}},
		{"RPC-5 a slash at the end", unary + "/", []string{unary}},
		{"RPC-5 two slashes", "/" + unary, []string{unary}},
		{"RPC-5 two slashes inside", "/" + rpctest.GuardedService + "//" + rpctest.Unary, []string{unary}},
		{"RPC-5 dot segments", "/./" + rpctest.GuardedService + "/x/../" + rpctest.Unary, []string{unary}},
		{"RPC-5 one cleaned, one not", stream + "/.." + unary, []string{unary, stream}},
		{"RPC-5 backslashes", `\` + rpctest.GuardedService + `\` + rpctest.Unary, []string{unary}},
		{"RPC-5 parameters", "/" + rpctest.GuardedService + ";a=b/" + rpctest.Unary + ";c", []string{unary}},
		{"RPC-5 a parameter after dots", "/x/..;/" + rpctest.GuardedService + "/x/..;y/" + rpctest.Unary, []string{unary}},
		{"RPC-5 an escape", "/" + rpctest.GuardedService + "%2f" + rpctest.Unary, []string{unary}},
		{"RPC-5 an escape and a parameter", "/" + rpctest.GuardedService + "%3bx%2f" + rpctest.Unary, []string{unary}},
		{"RPC-5 an escape that is none", "/%zz/" + rpctest.GuardedService + "%2f" + rpctest.Unary + "/%/..%2F%4", nil},
		{"RPC-5 an escape behind one that is none", "/%zz/" + rpctest.GuardedService + "%2f" + rpctest.Unary, []string{unary}},
		{"RPC-5 letters that are escaped", "/%64" + rpctest.GuardedService[1:] + "%2F%55nary", []string{unary}},
		{"RPC-5 dots that only one reading has", unary + "/%2e%2e/..", []string{unary}},
		{"RPC-5 dots that only the other reading has", unary + "/x/%2e%2e", []string{unary}},
		{"RPC-5 escapes over the bound of segments", unary + strings.Repeat("%2f", 63), []string{unary + strings.Repeat("%2f", 63)}},
		{"RPC-5 an escape that hides what is before it", unary + strings.Repeat("%2f", 400), []string{unary + strings.Repeat("%2f", 400)}},
		{"another service and dots over the bound", "/" + rpctest.NowhereService + "/" + rpctest.Unary + strings.Repeat("/.", 63), nil},
		{"another service and escapes over the bound", "/" + rpctest.NowhereService + "/" + rpctest.Unary + strings.Repeat("%2f", 63), nil},
		{"a service and no method, and dots over the bound", "/" + rpctest.GuardedService + "/not-a-method" + strings.Repeat("/.", 63), nil},
		{"RPC-5 dots up to the bound", unary + strings.Repeat("/.", 62), []string{unary}},
		{"RPC-5 dots over the bound of segments", unary + strings.Repeat("/.", 63), []string{unary + strings.Repeat("/.", 63)}},
		{"RPC-5 backslashes over the bound of segments", unary + strings.Repeat(`\`, 63), []string{unary + strings.Repeat(`\`, 63)}},
		{"RPC-5 slashes that hide what is before them", unary + strings.Repeat("/", 1024), []string{unary + strings.Repeat("/", 1024)}},
		{"RPC-5 a parameter that hides what is before it", unary + ";" + strings.Repeat("x", 1024), []string{unary + ";" + strings.Repeat("x", 1024)}},
		{"RPC-5 a parameter that is escaped", unary + "%3B" + strings.Repeat("x", 1024), []string{unary + "%3B" + strings.Repeat("x", 1024)}},
		{"RPC-5 dots that leave a long name out", unary + "/" + strings.Repeat("x", 1024) + "/..", []string{unary + "/" + strings.Repeat("x", 1024) + "/.."}},
		{"RPC-5 a long prefix", "/" + strings.Repeat("x", 4096) + unary, []string{unary}},
		{"RPC-5 slashes that hide a part of what is before them", unary + strings.Repeat("/", 1014), []string{unary + strings.Repeat("/", 1014)}},
		{"RPC-5 a parameter that just does not hide what is before it", "/x" + unary + ";" + strings.Repeat("p", 1023-len(unary)), []string{unary}},
		{"RPC-5 an escape that is escaped twice is none", "/" + rpctest.GuardedService + "%252f" + rpctest.Unary, nil},
		{"a long name", "//" + strings.Repeat("x", 1024), nil},
		{"a long name before a short one", "//" + strings.Repeat("x", 1024) + "/x", nil},
		{"two long names", "/" + strings.Repeat("x", 800) + "/" + strings.Repeat("x", 800), nil},
		{"many segments", strings.Repeat("/a", 4096), nil},
		{"RPC-5 an escape before a procedure", "/%41" + unary, []string{unary}},
		{"another service", "/" + rpctest.NowhereService + "/" + rpctest.Unary, nil},
		{"something behind", unary + "/readme", nil},
		{"a service alone", "/" + rpctest.GuardedService, nil},
		{"no slash", rpctest.GuardedService + "/" + rpctest.Unary, nil},
		{"a backslash and no slash", rpctest.GuardedService + `\` + rpctest.Unary, nil},
		{"one segment", "/mcp", nil},
		{"the root", "/", nil},
		{"an empty path", "", nil},
		{"the server as a whole", "*", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := exchange.OnTheWay(adapter, tt.path)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%.200s:\n got %.200q\nwant %.200q", tt.path, got, tt.want)
			}
			if exchange.HasOneSegment(tt.path) && len(got) > 0 {
				t.Errorf("%s has one segment, and %q", tt.path, got)
			}
		})
	}
}

// upTo returns n procedures, the last one first.
func upTo(n int) []string {
	var found []string
	for i := range n {
		found = append(found, rpctest.Procedure(rpctest.GuardedService, string(rune('A'+n-1-i))))
	}
	return found
}

func TestHasOneSegment(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"": true, "/": true, "*": true, "/mcp": true, "mcp": true, "/mcp;x": true, `\mcp`: true,
		"//": false, "/mcp/": false, "/a/b": false, "a/b": false, `/a\b`: false, `/\a`: false, "%2fa": false, "/a%2fb": false, "//a": false,
	} {
		if got := exchange.HasOneSegment(path); got != want {
			t.Errorf("%q: got %t", path, got)
		}
	}
}

// TestProcedureOfOneResource: a single resource owns every path, but only what is
// below its own is a procedure.
func TestProcedureOfOneResource(t *testing.T) {
	t.Parallel()
	adapter := rpctest.NewWorld(t, func(cfg *drawbridge.Config) { cfg.Resources[0].Identifier = rpctest.Resource + "/api" }).Adapter()
	for path, want := range map[string]string{"/api" + unary: unary, "/apix" + unary: "/apix" + unary, "/api": "", "/ap": "/ap", "/x": "/x"} {
		got, known := exchange.ProcedureOf(t.Context(), adapter, &drawbridge.Request{Path: path})
		if got != want || known != (want == unary) {
			t.Errorf("RPC-5: %q: got %q, %t; want %q", path, got, known, want)
		}
	}
}

// TestProcedureOf: a path is a procedure, or what follows the path of its resource
// is one.
func TestProcedureOf(t *testing.T) {
	t.Parallel()
	adapter := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Resources = append(cfg.Resources, drawbridge.Resource{
			Identifier: rpctest.Resource + "/api", AuthorizationServers: []string{rpctest.Issuer},
		})
	}).Adapter()
	for _, tt := range []struct {
		path, want string
		known      bool
	}{
		{unary, unary, true},
		{"/api" + unary, unary, true},
		{"/api", "", false},
		{"/api/", "/", false},
		{"/api/x", "/x", false},
		{"/apix" + unary, "/apix" + unary, false},
		{"/api/x" + unary, "/x" + unary, false},
		{"/x" + unary, "/x" + unary, false},
		{"/" + rpctest.NowhereService + "/Call", "/" + rpctest.NowhereService + "/Call", false},
		{"/api/" + rpctest.NowhereService + "/Call", "/" + rpctest.NowhereService + "/Call", false},
		{"/", "/", false},
		{"", "", false},
	} {
		got, known := exchange.ProcedureOf(t.Context(), adapter, &drawbridge.Request{Path: tt.path})
		if got != tt.want || known != tt.known {
			t.Errorf("RPC-5: %q: got %q, %t; want %q, %t", tt.path, got, known, tt.want, tt.known)
		}
	}
}
