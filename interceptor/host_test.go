package interceptor_test

import (
	"cmp"
	"crypto/tls"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// hostVector is an entry of testdata/hosts.json: a configuration, and the base
// URL that each of several requests came in under. Resources are an identifier
// and its aliases.
type hostVector struct {
	Name      string     `json:"name"`
	Resources [][]string `json:"resources"`
	Proxies   []string   `json:"proxies"`
	Path      string     `json:"path"`
	Requests  []struct {
		ID        string   `json:"id"`
		Name      string   `json:"name"`
		Host      string   `json:"host"`
		TLS       bool     `json:"tls"`
		Remote    string   `json:"remote"`
		Forwarded []string `json:"forwarded"`
		XHost     []string `json:"xhost"`
		XProto    []string `json:"xproto"`
		Want      string   `json:"want"`
	} `json:"requests"`
}

func (v hostVector) authorizer(tb testing.TB) *interceptor.Authorizer {
	tb.Helper()
	return newAuthorizer(tb, func(cfg *interceptor.Config) {
		cfg.Resources = nil
		for _, urls := range v.Resources {
			cfg.Resources = append(cfg.Resources, resource(urls[0], urls[1:]...))
		}
		for _, proxy := range v.Proxies {
			cfg.TrustedProxies = append(cfg.TrustedProxies, netip.MustParsePrefix(proxy))
		}
	})
}

// TestHost: challenge and metadata document follow the host that was dialled,
// together.
func TestHost(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors[hostVector](t, "testdata/hosts.json") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			a := v.authorizer(t)
			if !a.UsesHost() {
				t.Error("UsesHost: got false with several base URLs")
			}
			for _, r := range v.Requests {
				t.Run(r.ID+" "+r.Name, func(t *testing.T) {
					t.Parallel()
					req := interceptor.Request{
						Procedure: guarded, Path: v.Path, Host: r.Host, RemoteAddr: r.Remote,
						Forwarded: r.Forwarded, ForwardedHost: r.XHost, ForwardedProto: r.XProto,
					}
					if r.TLS {
						req.TLS = new(tls.ConnectionState)
					}
					wantBase(t, a, req, r.Want, v.Path)
				})
			}
		})
	}
}

func wantBase(t *testing.T, a *interceptor.Authorizer, req interceptor.Request, want, path string) {
	t.Helper()
	metadataURL := want + wellKnown + path
	if got := a.MetadataURL(req); got != metadataURL {
		t.Errorf("MetadataURL: got %s, want %s", got, metadataURL)
	}
	_, err := a.Authorize(t.Context(), req)
	if got := denialOf(t, err, interceptor.KindNoCredentials).Challenge.ResourceMetadata; got != metadataURL {
		t.Errorf("challenge: got %s, want %s", got, metadataURL)
	}
	req.Path = cmp.Or(path, "/")
	if document, ok := a.Metadata(req); !ok || document.Resource != want+path {
		t.Errorf("metadata document: got %q, want %q", document.Resource, want+path)
	}
	u, err := url.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	if origin := u.Scheme + "://" + strings.TrimSuffix(u.Host, ":443"); !a.OwnOrigin(origin) {
		t.Errorf("OwnOrigin(%q): got false", origin)
	}
}

// TestUsesHost: with one base URL the host makes no difference, and nobody has
// to look for it.
func TestUsesHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		resources []interceptor.Resource
		want      bool
	}{
		{resources(base), false},
		{resources(base, base+"/mcp", base+"/a/b"), false},
		{[]interceptor.Resource{resource(base, base)}, false},
		{[]interceptor.Resource{resource(base, "https://alias.example.com")}, true},
		{resources(base, "https://other.example.com/mcp"), true},
		{resources("http://localhost:8080"), true},
	} {
		a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Resources = tt.resources })
		if got := a.UsesHost(); got != tt.want {
			t.Errorf("%+v: got %t, want %t", tt.resources, got, tt.want)
		}
	}
}

// TestOwnOrigin: origins as browsers write them (MCP-8).
func TestOwnOrigin(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Resources = []interceptor.Resource{resource("https://API.example.com:443/mcp", "https://alias.example.com:8443", "http://localhost:80")}
	})
	for origin, want := range map[string]bool{
		"https://api.example.com":              true,
		"HTTPS://API.EXAMPLE.COM":              true,
		"https://alias.example.com:8443":       true,
		"http://localhost":                     true,
		"http://127.0.0.1":                     true,
		"http://[::1]":                         true,
		"http://api.example.com":               false,
		"https://api.example.com:443":          false, // no browser writes that
		"https://api.example.com:8443":         false,
		"https://alias.example.com":            false,
		"https://localhost":                    false,
		"https://api.example.com/":             false,
		"https://api.example.com.evil.example": false,
		"https://evil.example":                 false,
		"null":                                 false,
		"":                                     false,
	} {
		if got := a.OwnOrigin(origin); got != want {
			t.Errorf("MCP-8: OwnOrigin(%q): got %t, want %t", origin, got, want)
		}
	}
}

// TestForwardedNeverChoosesResource: what a proxy says of the host makes no
// token good that the router's host does not (R8707-2).
func TestForwardedNeverChoosesResource(t *testing.T) {
	t.Parallel()
	const public, admin = "https://public.example.com", "https://admin.example.com"
	verifier := people()
	verifier.tokens["t-admin"].Audience = []string{admin}
	verifier.tokens["t-writer"].Audience = []string{public}
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Resources = []interceptor.Resource{resource(public, "https://www.example.com"), resource(public + "/deep"), resource(admin)}
		cfg.Verifier = verifier
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, tt := range []struct {
		name             string
		host, path       string
		forwarded, xhost []string
		token            string
		want             interceptor.Kind
		echoed           string // the resource whose metadata a challenge leads to
	}{
		{"R8707-2 without a proxy", "admin.example.com", "/", nil, nil, "t-admin", letIn, admin + wellKnown},
		{"R8707-2 X-Forwarded-Host brings no other resource", "admin.example.com", "/", nil, []string{"public.example.com"}, "t-writer", interceptor.KindInvalidToken, admin + wellKnown},
		{"R8707-2 X-Forwarded-Host takes none away", "admin.example.com", "/", nil, []string{"public.example.com"}, "t-admin", letIn, admin + wellKnown},
		{"R8707-2 Forwarded brings no other resource", "public.example.com", "/", []string{"host=admin.example.com;proto=https"}, nil, "t-admin", interceptor.KindInvalidToken, public + wellKnown},
		{"R8707-2 nor a longer path", "admin.example.com", "/deep/x", nil, []string{"public.example.com"}, "t-admin", letIn, admin + wellKnown},
		{"SEED-5 among the names of one resource it chooses", "public.example.com", "/", nil, []string{"www.example.com"}, "t-writer", letIn, "https://www.example.com" + wellKnown},
		{"SEED-5 so does Forwarded", "public.example.com", "/", []string{"host=www.example.com"}, nil, "t-writer", letIn, "https://www.example.com" + wellKnown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := interceptor.Request{
				Procedure: guarded, Path: tt.path, Host: tt.host, RemoteAddr: "10.0.0.1:1",
				Forwarded: tt.forwarded, ForwardedHost: tt.xhost, Authorization: bearer(tt.token),
			}
			_, err := a.Authorize(t.Context(), req)
			wantOutcome(t, err, tt.want)
			if got := a.MetadataURL(req); got != tt.echoed {
				t.Errorf("SEED-5: got %s, want %s", got, tt.echoed)
			}
		})
	}
}

// TestForwardedIsBounded: forwarded fields of more than 8 KiB, all of them
// together, are ignored, and nothing is allocated for them (SEED-6).
func TestForwardedIsBounded(t *testing.T) {
	const alias, limit = "https://alias.example.com", 8 << 10
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Resources = []interceptor.Resource{resource(base, alias)}
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	// fill returns a field of so many bytes that ends with a value.
	fill := func(length int, value string) []string {
		return []string{strings.Repeat(",", length-len(value)) + value}
	}
	for _, tt := range []struct {
		name string
		req  interceptor.Request
		want string
	}{
		{"SEED-6 Forwarded, as long as may be", interceptor.Request{Forwarded: fill(limit, "host=alias.example.com")}, alias},
		{"SEED-6 Forwarded, a byte longer", interceptor.Request{Forwarded: fill(limit+1, "host=alias.example.com")}, base},
		{"SEED-6 Forwarded, a mebibyte", interceptor.Request{Forwarded: fill(1<<20, "host=alias.example.com")}, base},
		{"SEED-6 X-Forwarded-Host, as long as may be", interceptor.Request{ForwardedHost: fill(limit, "alias.example.com")}, alias},
		{"SEED-6 X-Forwarded-Host, a byte longer", interceptor.Request{ForwardedHost: fill(limit+1, "alias.example.com")}, base},
		{"SEED-6 X-Forwarded-Host, a mebibyte", interceptor.Request{ForwardedHost: fill(1<<20, "alias.example.com")}, base},
		{"SEED-6 host and proto, as long as may be", interceptor.Request{ForwardedHost: fill(limit-10, "alias.example.com"), ForwardedProto: []string{"https", "https"}}, alias},
		{"SEED-6 host and proto, a byte longer", interceptor.Request{ForwardedHost: fill(limit-9, "alias.example.com"), ForwardedProto: []string{"https", "https"}}, base},
		{"SEED-6 a long field that would not count", interceptor.Request{Forwarded: []string{"host=alias.example.com"}, ForwardedProto: fill(limit, "https")}, base},
		{"SEED-6 many short fields", interceptor.Request{ForwardedHost: slices.Repeat([]string{"alias.example.com"}, limit)}, base},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := tt.req
			req.Procedure, req.Host, req.RemoteAddr = guarded, "api.example.com", "10.0.0.1:1"
			if got, want := a.MetadataURL(req), tt.want+wellKnown; got != want {
				t.Errorf("SEED-6: got %s, want %s", got, want)
			}
			if got := testing.AllocsPerRun(10, func() { a.MetadataURL(req) }); tt.want == base && got != 0 {
				t.Errorf("SEED-6: %v allocations for what is ignored", got)
			}
		})
	}
}

// TestForwardedIsLinear: a mebibyte of anything is parsed in as many steps. With
// the square of that, the test would not end.
func TestForwardedIsLinear(t *testing.T) {
	t.Parallel()
	for unit, want := range map[string]int{
		",": 0, " ": 0, "\t": 0, ";": 0, "=": 0, `"`: 0, "a": 0, "a,": 0, "a=": 0, "a=b,": 0, "a=b;": 0, ";,": 0, " ,": 0, "host=;": 0, `host="`: 0,
		"host=a,": 1 << 20 / 7, `host="a",`: 1 << 20 / 9, "proto=a;host=b ,": 1 << 20 / 16, "host=a;": 1,
	} {
		if got := len(interceptor.ParseForwarded([]string{strings.Repeat(unit, 1<<20/len(unit))})); got != want {
			t.Errorf("SEED-6: %d elements in a mebibyte of %q, want %d", got, unit, want)
		}
	}
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	for _, v := range forwardedVectors(t) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			t.Parallel()
			if got := interceptor.ParseForwarded(v.Values); !slices.Equal(got, v.Want) {
				t.Errorf("%q: got %q, want %q", v.Values, got, v.Want)
			}
		})
	}
}

// forwardedVector is an entry of testdata/forwarded.json; Want are pairs of
// host and proto.
type forwardedVector struct {
	ID     string      `json:"id"`
	Name   string      `json:"name"`
	Values []string    `json:"values"`
	Want   [][2]string `json:"want"`
}

func forwardedVectors(tb testing.TB) []forwardedVector {
	tb.Helper()
	return readVectors[forwardedVector](tb, "testdata/forwarded.json")
}

// FuzzForwarded: whatever a request says of its host, the answer names one of
// the configured base URLs, in a header that can be sent (SEED-6, R6750-3.c).
func FuzzForwarded(f *testing.F) {
	bases := []string{base, "https://alias.example.com:8443", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"}
	a := newAuthorizer(f, func(cfg *interceptor.Config) {
		cfg.Resources = []interceptor.Resource{resource(base+"/mcp", bases[1], bases[2])}
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, v := range forwardedVectors(f) {
		f.Add(strings.Join(v.Values, "\n"), "", "", "", "10.0.0.1:1", false)
	}
	for _, v := range readVectors[hostVector](f, "testdata/hosts.json") {
		for _, r := range v.Requests {
			f.Add(strings.Join(r.Forwarded, "\n"), strings.Join(r.XHost, "\n"), strings.Join(r.XProto, "\n"), r.Host, r.Remote, r.TLS)
		}
	}
	f.Fuzz(func(t *testing.T, forwarded, xhost, xproto, host, remote string, encrypted bool) {
		req := interceptor.Request{
			Procedure: guarded, Host: host, RemoteAddr: remote,
			Forwarded: lines(forwarded), ForwardedHost: lines(xhost), ForwardedProto: lines(xproto),
		}
		if encrypted {
			req.TLS = new(tls.ConnectionState)
		}
		_, err := a.Authorize(t.Context(), req)
		challenge := denialOf(t, err, interceptor.KindNoCredentials).Challenge
		found, ok := strings.CutSuffix(challenge.ResourceMetadata, wellKnown+"/mcp")
		if !ok || !slices.Contains(bases, found) {
			t.Errorf("SEED-6: %+v: challenge for %q", req, challenge.ResourceMetadata)
		}
		wantSendable(t, challenge.Header())
		// From a stranger, the fields that proxies write change nothing.
		req.RemoteAddr = "192.0.2.1:1"
		with := a.MetadataURL(req)
		req.Forwarded, req.ForwardedHost, req.ForwardedProto = nil, nil, nil
		if without := a.MetadataURL(req); with != without {
			t.Errorf("SEED-6: a stranger made %s of %s", with, without)
		}
	})
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
