package resource_test

import (
	"cmp"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/resource"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

// hostVector is an entry of testdata/hosts.json: a configuration, and the base
// URL that each of several requests came in under. Resources are an identifier
// and its aliases.
type hostVector struct {
	Name      string        `json:"name"`
	Resources [][]string    `json:"resources"`
	Proxies   []string      `json:"proxies"`
	Field     string        `json:"field"`
	Path      string        `json:"path"`
	Requests  []hostRequest `json:"requests"`
}

type hostRequest struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Host      string   `json:"host"`
	TLS       bool     `json:"tls"`
	Remote    string   `json:"remote"`
	Forwarded []string `json:"forwarded"`
	XHost     []string `json:"xhost"`
	XProto    []string `json:"xproto"`
	Want      string   `json:"want"`
}

func (v *hostVector) configs() []resource.Config {
	var configs []resource.Config
	for _, urls := range v.Resources {
		configs = append(configs, configured(urls[0], urls[1:]...))
	}
	return configs
}

func (r *hostRequest) transport() *transport {
	return &transport{host: r.Host, remote: r.Remote, encrypted: r.TLS, forwarded: r.Forwarded, xhost: r.XHost, xproto: r.XProto}
}

// TestHost: challenge and metadata document follow the host that the client
// dialed, together (SEED-5, SEED-6).
func TestHost(t *testing.T) {
	t.Parallel()
	for _, v := range vectors.Read[hostVector](t, "testdata/hosts.json") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			d := newProxied(t, v.configs(), v.Field, v.Proxies...)
			for _, r := range v.Requests {
				t.Run(r.ID+" "+r.Name, func(t *testing.T) {
					t.Parallel()
					req := &resource.Request{Path: cmp.Or(v.Path, "/x"), Transport: r.transport()}
					wantBase(t, d, req, r.Want, v.Path)
					// A peer that the adapter knows counts as that of the connection.
					known := r.transport()
					known.remote = "192.0.2.1:1"
					if r.Remote != "" {
						wantBase(t, d, &resource.Request{Path: req.Path, RemoteAddr: r.Remote, Transport: known}, r.Want, v.Path)
					}
				})
			}
		})
	}
}

func wantBase(t *testing.T, d *resource.Directory, req *resource.Request, want, path string) {
	t.Helper()
	address := d.Locate(t.Context(), req)
	if address == nil { // An unknown host of two sites: a challenge leads to the first.
		address = d.Addresses()[0]
	}
	if address.Base != want || address.MetadataURL != want+resource.WellKnown+path {
		t.Errorf("got %+v, want %s", address, want)
	}
	document := *req
	document.Path = resource.WellKnown + path
	if got := d.LocateDocument(t.Context(), &document); identifierOf(got) != want+path {
		t.Errorf("document: got %q, want %q", identifierOf(got), want+path)
	}
	u, err := url.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	if origin := u.Scheme + "://" + strings.TrimSuffix(u.Host, ":443"); !d.OwnsOrigin(origin) {
		t.Errorf("OwnsOrigin(%q): got false", origin)
	}
}

// TestLocate: the resource with the longest path that covers the path of the
// request by whole segments.
func TestLocate(t *testing.T) {
	t.Parallel()
	all := identified(base, base+"/mcp", base+"/mcp/admin", base+"/caf%C3%A9", base+"/slash/")
	deep := identified(base+"/b", base+"/a", base+"/a/deeper")
	hosts := identified("https://a.test", "https://b.test", "https://a.test/x")
	ports := identified("http://localhost:8080", "http://localhost:8081")
	apart := identified("https://public.test", "https://internal.test/mcp")
	mounted := []resource.Config{mountedAt(configured(base+"/api"), "/"), configured(base + "/mcp")}
	for _, tt := range []struct {
		name       string
		configs    []resource.Config
		path, host string
		want       string
	}{
		{"the root", all, "/", "", base},
		{"an RPC", all, "/a.v1.A/Get", "", base},
		{"a resource", all, "/mcp", "", base + "/mcp"},
		{"a resource and a slash", all, "/mcp/", "", base + "/mcp"},
		{"below a resource", all, "/mcp/x", "", base + "/mcp"},
		{"the longest", all, "/mcp/admin/x", "", base + "/mcp/admin"},
		{"a segment that begins like the longest", all, "/mcp/administrator", "", base + "/mcp"},
		{"a segment that begins like one", all, "/mcpx", "", base},
		{"in capitals", all, "/MCP", "", base},
		{"an escape", all, "/caf%C3%A9/x", "", base + "/caf%C3%A9"},
		{"a slash at the end of the identifier", all, "/slash", "", base + "/slash/"},
		{"one base URL, and any host", all, "/mcp", "evil.example.com", base + "/mcp"},
		{"SEED-7 covered by none", deep, "/c", "", ""},
		{"SEED-7 the root above all", deep, "/", "", ""},
		{"a single resource owns every path", identified(base + "/mcp"), "/other", "evil.example.com", base + "/mcp"},
		{"R8707-2 a host", hosts, "/", "b.test", "https://b.test"},
		{"R8707-2 a host in capitals with the default port", hosts, "/x", "A.TEST:443", "https://a.test/x"},
		{"R8707-2 a host with another port", hosts, "/x/y", "a.test:8443", "https://a.test/x"},
		{"R8707-2 a host that covers less", hosts, "/x", "b.test:1", "https://b.test"},
		{"R8707-2 an unknown host of two sites", hosts, "/", "c.test", ""},
		{"R8707-2 no host", hosts, "/", "", ""},
		{"R8707-2 a malformed host", hosts, "/", "b.test:", ""},
		{"R8707-2 an unknown host of one site", hosts, "/x", "c.test", ""},
		{"R8707-2 a path that only another host covers", apart, "/reports", "internal.test", ""},
		{"R8707-2 a path that only another host covers, on another port", apart, "/reports", "internal.test:8443", ""},
		{"R8707-2 a host of its own", apart, "/reports", "public.test", "https://public.test"},
		{"R8707-2 a path that only one covers, and an unknown host", apart, "/reports", "c.test", ""},
		{"R8707-2 an alias of another resource of the site", []resource.Config{configured(base+"/x", alias), configured(base + "/y")}, "/y", "alias.example.com", ""},
		{"R8707-2 one name on two ports", ports, "/x", "localhost:8081", "http://localhost:8081"},
		{"R8707-2 one name on two ports, and a third", ports, "/x", "localhost:9", "http://localhost:8080"},
		{"a mount path", mounted, "/a.v1.A/Get", "", base + "/api"},
		{"a mount path of another resource", mounted, "/mcp/x", "", base + "/mcp"},
		{"the identifier's own path below a mount path", mounted, "/api/x", "", base + "/api"},
		{"an unknown host, and one site", []resource.Config{configured(base, alias), configured(base + "/mcp")}, "/mcp", "evil.example.com", base + "/mcp"},
		{"an alias of the resource above", []resource.Config{configured(base, alias), configured(base + "/mcp")}, "/mcp", "alias.example.com", alias},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t, tt.configs)
			if got := identifierOf(d.Locate(t.Context(), at(t, tt.path, tt.host))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLocateDocument: a metadata document belongs to exactly the path of its
// resource, and in the older form to its mount path (R9728-3.a, R9728-3.c,
// SEED-10).
func TestLocateDocument(t *testing.T) {
	t.Parallel()
	const wellKnown = resource.WellKnown
	d := newDirectory(t, append(identified(base, base+"/slash/"), configured(base+"/mcp", alias), configured("https://other.example.com/x")))
	mounted := newDirectory(t, []resource.Config{mountedAt(configured(base+"/api"), "/"), configured(base + "/mcp")})
	for _, tt := range []struct {
		name       string
		directory  *resource.Directory
		path, host string
		want       string
	}{
		{"the root", d, wellKnown, "", base},
		{"the root and a slash", d, wellKnown + "/", "", base},
		{"R9728-3.c a path", d, wellKnown + "/mcp", "api.example.com", base + "/mcp"},
		{"R9728-3.c a path and a slash", d, wellKnown + "/mcp/", "api.example.com", base + "/mcp"},
		{"R9728-3.c a slash that was configured", d, wellKnown + "/slash/", "", base + "/slash/"},
		{"SEED-5 an alias", d, wellKnown + "/mcp", "alias.example.com", alias + "/mcp"},
		{"SEED-6 an unknown host", d, wellKnown + "/x", "evil.example.com", "https://other.example.com/x"},
		{"SEED-10 appended", d, "/mcp" + wellKnown, "api.example.com", base + "/mcp"},
		{"SEED-10 appended to a slash", d, "/slash/" + wellKnown, "", base + "/slash/"},
		{"R9728-3.c below a path", d, wellKnown + "/mcp/x", "api.example.com", ""},
		{"R9728-3.c another path", d, wellKnown + "/other", "api.example.com", ""},
		{"R9728-3.c two slashes", d, wellKnown + "/mcp//", "api.example.com", ""},
		{"R9728-3.a not the name", d, wellKnown + "x", "api.example.com", ""},
		{"another path altogether", d, "/mcp", "api.example.com", ""},
		{"R9728-3.a a mount path is not that of the identifier", mounted, wellKnown + "/api", "", base + "/api"},
		{"SEED-10 appended, and stripped by the proxy", mounted, wellKnown, "", base + "/api"},
		{"SEED-10 appended, and not stripped", mounted, "/api" + wellKnown, "", ""},
		{"R9728-3.a beside a mount path", mounted, wellKnown + "/mcp", "", base + "/mcp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := identifierOf(tt.directory.LocateDocument(t.Context(), at(t, tt.path, tt.host))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	// Two sites with one path and an unknown host: a document is public, so that
	// of the first will do.
	sites := newDirectory(t, identified("https://a.test", "https://b.test"))
	if got := identifierOf(sites.LocateDocument(t.Context(), at(t, wellKnown, "c.test"))); got != "https://a.test" {
		t.Errorf("two sites: got %q", got)
	}
}

// TestOwnsHost: a Host belongs to the server if a base URL has it, on any port.
func TestOwnsHost(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, []resource.Config{configured(base, alias+":8443"), configured("http://localhost:80/mcp")})
	for host, want := range map[string]bool{
		"api.example.com": true, "API.example.com:9090": true, "alias.example.com": true, "127.0.0.1:1": true, "[::1]": true,
		"evil.example.com": false, "api.example.com.evil.test": false, "": false, "api.example.com:": false, "127.0.0.2": false,
	} {
		if got := d.OwnsHost(host); got != want {
			t.Errorf("%q: got %t", host, got)
		}
	}
}

// TestOwnsOrigin: origins are written as browsers write them (MCP-8).
func TestOwnsOrigin(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, []resource.Config{configured("https://API.example.com:443/mcp", alias+":8443", "http://localhost:80")})
	for origin, want := range map[string]bool{
		"https://api.example.com":     true,
		"HTTPS://API.EXAMPLE.COM":     true,
		alias + ":8443":               true,
		"http://localhost":            true,
		"http://127.0.0.1":            true,
		"http://[::1]":                true,
		"http://api.example.com":      false,
		"https://api.example.com:443": false,
		alias:                         false,
		"https://api.example.com/":    false,
		"null":                        false,
		"":                            false,
	} {
		if got := d.OwnsOrigin(origin); got != want {
			t.Errorf("MCP-8: %q: got %t", origin, got)
		}
	}
}

// TestLazy: a transport is asked only for what makes a difference.
func TestLazy(t *testing.T) {
	t.Parallel()
	several := identified(base, base+"/mcp")
	aliased := []resource.Config{configured(base, alias)}
	for _, tt := range []struct {
		name                 string
		configs              []resource.Config
		proxies              []string
		transport            transport
		hosts, conns, fields int
	}{
		{"one base URL", identified(base), nil, transport{host: "x"}, 0, 0, 0},
		{"one base URL and proxies", several, []string{"10.0.0.0/8"}, transport{host: "x"}, 0, 0, 0},
		{"two base URLs", aliased, nil, transport{host: "alias.example.com"}, 1, 0, 0},
		{"two base URLs and proxies", aliased, []string{"10.0.0.0/8"}, transport{host: "alias.example.com"}, 1, 0, 2},
		{"a forwarded field", aliased, []string{"10.0.0.0/8"}, transport{xhost: []string{"alias.example.com"}}, 1, 1, 2},
		{"two schemes under one host", []resource.Config{configured("http://localhost", "https://localhost")}, nil, transport{host: "localhost"}, 1, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t, tt.configs, tt.proxies...)
			asked := tt.transport
			req := &resource.Request{Path: "/x", Transport: &asked}
			if d.Locate(t.Context(), req) == nil || d.IsAmbiguous(t.Context(), req) {
				t.Fatal("no resource")
			}
			if asked.hosts != tt.hosts || asked.conns != tt.conns || asked.fields != tt.fields {
				t.Errorf("asked for host %d, connection %d, fields %d times", asked.hosts, asked.conns, asked.fields)
			}
		})
	}
}

// TestNoTransport: a request without a transport has no host, no scheme and no
// fields.
func TestNoTransport(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, []resource.Config{configured("https://localhost", "http://localhost")}, "127.0.0.0/8")
	req := &resource.Request{Path: "/", RemoteAddr: "127.0.0.1:1"}
	if got := d.Locate(t.Context(), req); got == nil || got.Base != "https://localhost" {
		t.Errorf("got %+v", got)
	}
	if d.IsAmbiguous(t.Context(), req) {
		t.Error("the root is ambiguous")
	}
}
