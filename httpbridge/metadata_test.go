package httpbridge_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

const (
	rootDocument = `{"resource":"https://api.example.com","authorization_servers":["https://login.example.com"],` +
		`"scopes_supported":["guarded:write"],"bearer_methods_supported":["header"]}`
	mcpDocument = `{"resource":"https://api.example.com/mcp","authorization_servers":["https://login.example.com"],` +
		`"scopes_supported":["guarded:write"],"bearer_methods_supported":["header"],` +
		`"resource_name":"Inventory","resource_documentation":"https://docs.example.com"}`
)

// TestMetadata: each resource has a document at the well-known path inserted
// before its own path and at the older form appended to it, and at no other path.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) {
		cfg.Resources[1].Services = []string{rpctest.GuardedService}
	})
	behind := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	servers := map[string]string{
		"Metadata": rpctest.ServeHTTP(t, w.Metadata()),
		"Handler":  rpctest.ServeHTTP(t, w.Handler(behind)),
		"Protect":  rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, behind)),
	}
	for _, row := range []struct {
		name, method, path string
		want               int
		body               string
	}{
		{"R9728-3.a, R9728-3.c: root", http.MethodGet, wellKnown, http.StatusOK, rootDocument},
		{"R9728-3.a: root with a slash", http.MethodGet, wellKnown + "/", http.StatusOK, rootDocument},
		{"R9728-3.a, R9728-3.c: inserted", http.MethodGet, wellKnown + "/mcp", http.StatusOK, mcpDocument},
		{"SEED-10: appended", http.MethodGet, "/mcp" + wellKnown, http.StatusOK, mcpDocument},
		{"HEAD", http.MethodHead, wellKnown + "/mcp", http.StatusOK, ""},
		{"HEAD, SEED-10: appended", http.MethodHead, "/mcp" + wellKnown, http.StatusOK, ""},
		{"POST", http.MethodPost, wellKnown + "/mcp", http.StatusMethodNotAllowed, "Method Not Allowed\n"},
		{"DELETE, SEED-10: appended", http.MethodDelete, "/mcp" + wellKnown, http.StatusMethodNotAllowed, "Method Not Allowed\n"},
		{"no resource", http.MethodGet, wellKnown + "/other", http.StatusNotFound, "404 page not found\n"},
		{"below a resource", http.MethodGet, wellKnown + "/mcp/deeper", http.StatusNotFound, "404 page not found\n"},
		{"SEED-10: no resource", http.MethodGet, "/other" + wellKnown, http.StatusNotFound, "404 page not found\n"},
		{"half a segment", http.MethodGet, wellKnown + "mcp", http.StatusNotFound, "404 page not found\n"},
		{"twice", http.MethodGet, wellKnown + wellKnown, http.StatusNotFound, "404 page not found\n"},
		{"CVE-2021-29492: an encoded letter", http.MethodGet, wellKnown + "/%6dcp", http.StatusOK, mcpDocument},
		{"CVE-2021-29492, SEED-10: an encoded letter", http.MethodGet, "/%6dcp" + wellKnown, http.StatusOK, mcpDocument},
		{"two slashes", http.MethodGet, wellKnown + "//mcp", http.StatusNotFound, "404 page not found\n"},
		{"an escaped slash behind", http.MethodGet, wellKnown + "/mcp%2Fx", http.StatusNotFound, "404 page not found\n"},
		{"OPTIONS", http.MethodOptions, wellKnown + "/mcp", http.StatusNoContent, ""},
		{"OPTIONS, SEED-10: appended", http.MethodOptions, "/mcp" + wellKnown, http.StatusNoContent, ""},
		{"OPTIONS of no resource", http.MethodOptions, wellKnown + "/other", http.StatusNotFound, "404 page not found\n"},
		{"another case", http.MethodGet, strings.ToUpper(wellKnown), http.StatusNotFound, "404 page not found\n"},
		{"POST to no resource", http.MethodPost, wellKnown + "/other", http.StatusNotFound, "404 page not found\n"},
	} {
		for name, server := range servers {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				got := send(t, row.method, server+row.path, nil)
				if name != "Metadata" && row.want == http.StatusNotFound {
					want := map[string]int{"Handler": http.StatusTeapot, "Protect": http.StatusUnauthorized}[name]
					if got.status != want {
						t.Errorf("got %d, want %d from the handler", got.status, want)
					}
					return
				}
				if got.status != row.want || got.body != row.body {
					t.Errorf("got %d %s\nwant %d %s", got.status, got.body, row.want, row.body)
				}
				if row.want == http.StatusOK && got.header.Get("Content-Type") != "application/json" {
					t.Errorf("R9728-3.b: Content-Type is %q", got.header.Get("Content-Type"))
				}
				if allow := got.header.Get("Allow"); (allow == "GET, HEAD, OPTIONS") != (row.want == http.StatusMethodNotAllowed || row.want == http.StatusNoContent) {
					t.Errorf("Allow is %q", allow)
				}
			})
		}
	}
}

// TestMetadataCORS: a browser at any origin may read the documents, with the
// header fields that MCP clients send.
func TestMetadataCORS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{AllowedOrigins: []string{"https://app.example.com"}})
	for name, handler := range map[string]http.Handler{
		"Metadata": w.Metadata(), "Handler": w.Handler(guarded), "Protect": w.Protect(rpctest.GuardedService, guarded),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := rpctest.ServeHTTP(t, handler)
			for _, path := range []string{wellKnown, wellKnown + "/mcp", "/mcp" + wellKnown} {
				got := send(t, http.MethodGet, server+path, http.Header{"Origin": {"https://anywhere.example.net"}})
				if got.status != http.StatusOK || got.header.Get("Access-Control-Allow-Origin") != "*" {
					t.Errorf("%s: got %d %v", path, got.status, got.header)
				}
				got = send(t, http.MethodOptions, server+path, http.Header{
					"Origin":                         {"https://anywhere.example.net"},
					"Access-Control-Request-Method":  {http.MethodGet},
					"Access-Control-Request-Headers": {"mcp-protocol-version"},
				})
				if got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Origin") != "*" ||
					got.header.Get("Access-Control-Allow-Headers") != "mcp-protocol-version" || got.header.Get("Www-Authenticate") != "" {
					t.Errorf("MCP-11: preflight of %s: got %d %v", path, got.status, got.header)
				}
			}
		})
	}
}

// TestLoopback dials every loopback name: challenge and document have the name
// that was dialed, and the document names exactly the URL that the client used
// (SEED-5, R9728-3.c).
func TestLoopback(t *testing.T) {
	t.Parallel()
	for _, listenOn := range []string{"127.0.0.1", "[::1]"} {
		listener, err := net.Listen("tcp", listenOn+":0")
		if err != nil { // A machine without IPv6 uses the Host field.
			if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
		}
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) {
			cfg.Resources = []drawbridge.Resource{{Identifier: "http://localhost:" + port + "/mcp", AuthorizationServers: []string{login}}}
		})
		server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: w.Protect(rpctest.GuardedService, guarded)}}
		server.Start()
		t.Cleanup(server.Close)
		for _, row := range []struct{ host, want string }{
			{"127.0.0.1:" + port, "127.0.0.1:" + port},
			{"localhost:" + port, "localhost:" + port},
			{"LOCALHOST:" + port, "localhost:" + port},
			{"[::1]:" + port, "[::1]:" + port},
			{"[0:0::1]:" + port, "[::1]:" + port},
			{"127.0.0.1:1", "localhost:" + port},
			{"evil.example.com:" + port, "localhost:" + port},
		} {
			t.Run(listenOn+"/"+row.host, func(t *testing.T) {
				t.Parallel()
				dialed := dialTo(listener.Addr().String(), row.host)
				got := dialed(t, "/mcp")
				want := challengeFor("http://"+row.want+wellKnown+"/mcp", rpctest.GuardedService, "", "")
				checkAnswer(t, got, http.StatusUnauthorized, want, "{}")
				got = dialed(t, wellKnown+"/mcp")
				if want := `{"resource":"http://` + row.want + `/mcp",`; !strings.HasPrefix(got.body, want) {
					t.Errorf("SEED-5, R9728-3.c: got %s, want %s", got.body, want)
				}
			})
		}
	}
}

// dialTo returns a function that sends a GET to an address. It is reached by
// dialing the host where that is possible, and by the Host field otherwise.
func dialTo(address, host string) func(*testing.T, string) answer {
	return func(t *testing.T, path string) answer {
		t.Helper()
		target := (&url.URL{Scheme: "http", Host: host, Path: path}).String()
		if conn, err := net.Dial("tcp", host); err == nil {
			conn.Close()
			if conn.RemoteAddr().String() == address {
				return send(t, http.MethodGet, target, nil)
			}
		}
		return send(t, http.MethodGet, "http://"+address+path, http.Header{"Host": {host}})
	}
}

// TestPublicHost: the host of a request is echoed only if it is that of a
// configured base URL (SEED-5, SEED-6).
func TestPublicHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) {
		cfg.Resources[1].Aliases = []string{"https://alias.example.com:8443"}
	})
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, guarded))
	for host, want := range map[string]string{
		"api.example.com":        resource,
		"api.example.com:443":    resource,
		"API.example.com":        resource,
		"alias.example.com:8443": "https://alias.example.com:8443",
		"alias.example.com":      resource,
		"127.0.0.1":              resource,
		"localhost":              resource,
		"[::1]":                  resource,
		"evil.example.com":       resource,
		"api.example.com.evil":   resource,
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			got := send(t, http.MethodGet, server+"/mcp/deeper", http.Header{"Host": {host}})
			checkAnswer(t, got, http.StatusUnauthorized, challengeFor(want+wellKnown+"/mcp", rpctest.GuardedService, "", ""), "{}")
			got = send(t, http.MethodGet, server+wellKnown+"/mcp", http.Header{"Host": {host}})
			if want := `{"resource":"` + want + `/mcp",`; !strings.HasPrefix(got.body, want) {
				t.Errorf("SEED-5, SEED-6: got %s, want %s", got.body, want)
			}
		})
	}
}

// TestEmptyMembers: members without a value are left out, except for the
// authorization servers (R9728-2.b, R9728-2.c, MCP-1).
func TestEmptyMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) {
		cfg.Policy.Services = nil
		cfg.Policy.Implies = nil
	})
	got := send(t, http.MethodGet, rpctest.ServeHTTP(t, w.Metadata())+wellKnown, nil)
	const want = `{"resource":"https://api.example.com","authorization_servers":["https://login.example.com"],"bearer_methods_supported":["header"]}`
	if got.body != want {
		t.Errorf("R9728-2.b: got %s\nwant %s", got.body, want)
	}
}
