package resource_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/resource"
)

const dots = "has empty or dot segments, or a backslash"

const shared = "shares host and path with another resource"

// TestFaults: every fault of a resource is reported, with its place.
func TestFaults(t *testing.T) {
	t.Parallel()
	change := func(f func(*resource.Config)) []resource.Config {
		cfg := configured(base)
		f(&cfg)
		return []resource.Config{cfg}
	}
	for _, tt := range []struct {
		name    string
		configs []resource.Config
		proxies []netip.Prefix
		field   string
		want    []fault.Fault
	}{
		{"no resources", nil, nil, "", []fault.Fault{{Place: "Resources", Reason: "at least one is required"}}},
		{"SEED-8 R9728-2.a everything at once", []resource.Config{{
			Identifier: "http://api.example.com", AuthorizationServers: []string{issuer, "ftp://x"}, Issuers: []string{"x", ""},
			Aliases: []string{alias + "/", alias + "/x", "alias.example.com"}, Audiences: []string{"x", ""}, DocumentationURL: "see below",
		}, configured(base)}, nil, "", []fault.Fault{
			{Place: "Resources[0].Identifier", Value: "http://api.example.com", Reason: "is http; only https protects a token (http is allowed on loopback)"},
			{Place: "Resources[0].AuthorizationServers[1]", Value: "ftp://x", Reason: "is not an absolute URL such as https://api.example.com"},
			{Place: "Resources[0].Issuers[1]", Reason: "is empty"},
			{Place: "Resources[0].Aliases[1]", Value: alias + "/x", Reason: "has a path; an alias is a scheme and a host"},
			{Place: "Resources[0].Aliases[2]", Value: "alias.example.com", Reason: "is not an absolute URL such as https://api.example.com"},
			{Place: "Resources[0].Audiences[1]", Reason: "is empty"},
			{Place: "Resources[0].DocumentationURL", Value: "see below", Reason: "is not a URL"},
		}},
		{"MCP-1 no authorization server", change(func(c *resource.Config) { c.AuthorizationServers = nil }), nil, "", []fault.Fault{
			{Place: "Resources[0].AuthorizationServers", Reason: "at least one is required (MCP authorization; RFC 9728 §2)"},
		}},
		{"documentation that does not parse", change(func(c *resource.Config) { c.DocumentationURL = "https://%zz" }), nil, "", []fault.Fault{
			{Place: "Resources[0].DocumentationURL", Value: "https://%zz", Reason: "is not a URL"},
		}},
		{"R8707-2 one identifier twice", identified(base, base+"/mcp", base), nil, "", []fault.Fault{{Place: "Resources[2].Identifier", Value: base, Reason: shared}}},
		{"R8707-2 an alias of one is an alias of another", []resource.Config{configured(base, alias), configured("https://other.example.com", alias)}, nil, "", []fault.Fault{
			{Place: "Resources[1].Identifier", Value: "https://other.example.com", Reason: shared},
		}},
		{"CVE-2026-35051 proxies", identified(base), []netip.Prefix{{}, netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::ffff:10.0.0.0/104")}, "x-forwarded-host", []fault.Fault{
			{Place: "ForwardedField", Value: "x-forwarded-host", Reason: "is neither X-Forwarded-Host nor Forwarded"},
			{Place: "TrustedProxies[0]", Reason: "is the zero prefix, and means no network"},
			{Place: "TrustedProxies[2]", Value: "::ffff:10.0.0.0/104", Reason: "is an IPv4 network written as IPv6; peers are compared as IPv4"},
		}},
		{"R8707-2 different paths under one alias", []resource.Config{configured(base, alias), configured(base+"/mcp", alias)}, nil, "Forwarded", nil},
		{"one resource that repeats itself", []resource.Config{configured(base, base, base+"/", base+":443")}, nil, "X-Forwarded-Host", nil},
		{"a mount path, services and a metadata URL", []resource.Config{
			{Identifier: base + "/api", AuthorizationServers: []string{issuer}, MountPath: "api", Services: []string{"a.v1.A", ""}, MetadataURL: "http://docs.example.com/x"},
			mountedAt(configured(base+"/b"), "/b/../c"), mountedAt(configured(base+"/c"), "/c%20d"), mountedAt(configured(base+"/d"), "/d//e"), mountedAt(configured(base+"/e"), `/e\`),
		}, nil, "", []fault.Fault{
			{Place: "Resources[0].MountPath", Value: "api", Reason: "does not begin with a slash"},
			{Place: "Resources[0].Services[1]", Reason: "is empty"},
			{Place: "Resources[0].MetadataURL", Value: "http://docs.example.com/x", Reason: "is http; only https protects a token (http is allowed on loopback)"},
			{Place: "Resources[1].MountPath", Value: "/b/../c", Reason: dots},
			{Place: "Resources[2].MountPath", Value: "/c%20d", Reason: "is not a decoded path: it has an escape, a query or a fragment"},
			{Place: "Resources[3].MountPath", Value: "/d//e", Reason: dots},
			{Place: "Resources[4].MountPath", Value: `/e\`, Reason: dots},
		}},
		{"R8707-2 two resources that arrive at one path", []resource.Config{mountedAt(configured(base+"/api"), "/"), configured(base + "/mcp"), configured(base)}, nil, "", []fault.Fault{
			{Place: "Resources[2].MountPath", Value: "/", Reason: "is where the requests for another resource with this host arrive, too", Remedy: "give the resources different hosts or mount paths"},
		}},
		{"R8707-2 two resources that arrive at one path of different hosts", []resource.Config{mountedAt(configured(base+"/api"), "/"), configured("https://other.example.com")}, nil, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var faults fault.List
			resource.NewDirectory(tt.configs, resource.Proxies{Networks: tt.proxies, Field: tt.field}, &faults)
			var got []fault.Fault
			for f := range fault.All(faults.Err()) {
				got = append(got, *f)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, tt.want)
			}
		})
	}
}

// TestResource: audiences and issuers are compared byte for byte (R8707-2,
// R9728-2.e, R8725-3.9).
func TestResource(t *testing.T) {
	t.Parallel()
	plain := configured(base, alias)
	full := resource.Config{
		Identifier: base + "/mcp", AuthorizationServers: []string{issuer, "https://second.example.com"}, Issuers: []string{"urn:iss"},
		Services: []string{"a.v1.A"}, Audiences: []string{"client-id"}, Name: "Tools", DocumentationURL: "https://docs.example.com/",
	}
	for _, tt := range []struct {
		name      string
		config    resource.Config
		path      string
		audiences map[string]bool
		issuers   map[string]bool
	}{
		{
			"at the root", plain, "",
			map[string]bool{base: true, base + "/": true, alias: true, alias + "/": true, "": false, base + "/mcp": false, base + ":443": false, strings.ToUpper(base): false},
			map[string]bool{issuer: true, issuer + "/": false, "": false, base: false},
		},
		{
			"R9728-2.e with a path, audiences and issuers", full, "/mcp",
			map[string]bool{base + "/mcp": true, base + "/mcp/": false, base: false, "client-id": true, "Client-ID": false},
			map[string]bool{"urn:iss": true, issuer: false, "https://second.example.com": false},
		},
		{
			"R9728-2.e with a pattern of issuers",
			resource.Config{Identifier: base, AuthorizationServers: []string{issuer}, Issuers: []string{"https://login.example.com/{tid}/v2.0", "urn:iss"}}, "",
			map[string]bool{base: true},
			map[string]bool{
				"https://login.example.com/a-1/v2.0": true, "urn:iss": true, issuer: false,
				"https://login.example.com/{tid}/v2.0": false, "https://login.example.com/a/b/v2.0": false, "https://login.example.com/a-1/v2.0/": false,
			},
		},
		{
			"on loopback", configured("http://localhost:8080/dev/"), "/dev",
			map[string]bool{"http://127.0.0.1:8080/dev/": true, "http://[::1]:8080/dev/": true, "http://localhost:8080/dev": false, "http://localhost:9090/dev/": false},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newDirectory(t, []resource.Config{tt.config}).Addresses()[0].Resource
			for audience, want := range tt.audiences {
				if got := r.Accepts([]string{"x", audience}); got != want {
					t.Errorf("R8707-2: audience %q: got %t", audience, got)
				}
			}
			if r.Accepts(nil) {
				t.Error("R8725-3.9: accepts a token without an audience")
			}
			for iss, want := range tt.issuers {
				if got := r.Trusts(iss); got != want {
					t.Errorf("R9728-2.e: issuer %q: got %t", iss, got)
				}
			}
			if r.Mount() != tt.path || r.Name() != tt.config.Name || r.DocumentationURL() != tt.config.DocumentationURL {
				t.Errorf("got %q, %q, %q", r.Mount(), r.Name(), r.DocumentationURL())
			}
			if d := newDirectory(t, []resource.Config{tt.config}); len(d.Resources()) != 1 || d.Resources()[0].Place() != "Resources[0]" {
				t.Errorf("got the resources %v", d.Resources())
			}
			wantIssuers, wantField := tt.config.AuthorizationServers, "AuthorizationServers"
			if tt.config.Issuers != nil {
				wantIssuers, wantField = tt.config.Issuers, "Issuers"
			}
			if !slices.Equal(r.Issuers(), wantIssuers) || r.IssuersField() != wantField || !slices.Equal(r.Services(), tt.config.Services) {
				t.Errorf("got the issuers %q of %s, services %q", r.Issuers(), r.IssuersField(), r.Services())
			}
			if sorted := slices.Sorted(slices.Values(r.Audiences())); len(slices.Compact(sorted)) != len(r.Audiences()) {
				t.Errorf("an audience is listed twice: %q", r.Audiences())
			}
			for _, audience := range r.Audiences() {
				if !r.Accepts([]string{audience}) {
					t.Errorf("R8707-2: does not accept its own audience %q", audience)
				}
			}
			servers := r.AuthorizationServers()
			if !slices.Equal(servers, tt.config.AuthorizationServers) {
				t.Errorf("got the authorization servers %q", servers)
			}
			servers[0] = "https://evil.example"
			if r.AuthorizationServers()[0] != issuer {
				t.Error("a result leads back into the resource")
			}
		})
	}
}

// TestConfigIsCopied: a Config may be changed after NewDirectory.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := configured(base)
	cfg.Audiences, cfg.Issuers = []string{"aud"}, []string{"iss"}
	proxies := prefixes([]string{"10.0.0.0/8"})
	configs := []resource.Config{cfg}
	var faults fault.List
	d := resource.NewDirectory(configs, resource.Proxies{Networks: proxies}, &faults)
	cfg.AuthorizationServers[0], cfg.Audiences[0], cfg.Issuers[0], configs[0].Identifier = "evil", "evil", "evil", "evil"
	proxies[0] = netip.MustParsePrefix("0.0.0.0/0")
	r := d.Addresses()[0].Resource
	if !r.Accepts([]string{"aud"}) || r.Accepts([]string{"evil"}) || !r.Trusts("iss") || r.Trusts("evil") || !reflect.DeepEqual(r.AuthorizationServers(), []string{issuer}) {
		t.Errorf("got %+v", r)
	}
}

// TestAddresses: an address for every base URL and every name of loopback,
// numbered in the order of the configuration, each with the identifier as it was
// written (R9728-3.a, R9728-3.c).
func TestAddresses(t *testing.T) {
	t.Parallel()
	const wellKnown = resource.WellKnown
	d := newDirectory(t, []resource.Config{
		configured("https://API.example.com/", alias+":8443"),
		configured(base + "/a/b/"),
		configured("http://localhost:8080/mcp"),
		{Identifier: "https://grpc.example.com", AuthorizationServers: []string{issuer}, Aliases: []string{alias}, MetadataURL: base + "/docs"},
	})
	want := [][3]string{
		{"https://API.example.com", "https://API.example.com/", "https://API.example.com" + wellKnown},
		{alias + ":8443", alias + ":8443/", alias + ":8443" + wellKnown},
		{base, base + "/a/b/", base + wellKnown + "/a/b/"},
		{"http://localhost:8080", "http://localhost:8080/mcp", "http://localhost:8080" + wellKnown + "/mcp"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/mcp", "http://127.0.0.1:8080" + wellKnown + "/mcp"},
		{"http://[::1]:8080", "http://[::1]:8080/mcp", "http://[::1]:8080" + wellKnown + "/mcp"},
		{"https://grpc.example.com", "https://grpc.example.com", base + "/docs"},
		{alias, alias, base + "/docs"},
	}
	if got := len(d.Addresses()); got != len(want) {
		t.Fatalf("got %d addresses, want %d", got, len(want))
	}
	for i, address := range d.Addresses() {
		if got := [3]string{address.Base, address.Identifier, address.MetadataURL}; got != want[i] || address.Index != i {
			t.Errorf("R9728-3.a: %d: got %q, want %q", address.Index, got, want[i])
		}
	}
	if a, b := d.Addresses()[3].Resource, d.Addresses()[5].Resource; a != b {
		t.Error("the names of loopback are different resources")
	}
}
