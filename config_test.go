package drawbridge_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// faultsOf returns the faults of a configuration.
func faultsOf(tb testing.TB, cfg drawbridge.Config) []fault.Fault {
	tb.Helper()
	a, err := drawbridge.New(cfg)
	if (err == nil) != (a != nil) {
		tb.Errorf("got %v beside %v", a, err)
	}
	var faults []fault.Fault
	for f := range fault.All(err) {
		faults = append(faults, *f)
	}
	return faults
}

// TestIdentifier: resources, issuers and aliases are validated alike (SEED-8,
// R9728-2.a). Package internal/uri tests what is valid.
func TestIdentifier(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://api.example.com":      "",
		"http://localhost:8080":        "",
		"http://LOCALHOST:8080":        "",
		"":                             "is required",
		"http://api.example.com":       "is http; only https protects a token (http is allowed on loopback)",
		"https://api.example.com/?a=b": "has a query",
		"https://api.example.com/#a":   "has a fragment",
		"https://api.example.com:":     "has a malformed host",
		"HTTPS://api.example.com":      "is not written as URLs are: a lower-case scheme, and percent-encoding where it is needed",
	} {
		cfg := config()
		cfg.Resources = []drawbridge.Resource{{Identifier: url, AuthorizationServers: []string{url}, Aliases: []string{url}}}
		got := faultsOf(t, cfg)
		if want == "" {
			if got != nil {
				t.Errorf("R9728-2.a: %q: got %+v", url, got)
			}
			continue
		}
		for i, field := range []string{"Identifier", "AuthorizationServers[0]", "Aliases[0]"} {
			if want := (fault.Fault{Place: "drawbridge: Resources[0]." + field, Value: url, Reason: want}); len(got) != 3 || got[i] != want {
				t.Errorf("SEED-8: %q: got %+v, want %+v", url, got, want)
			}
		}
	}
}

// shared is the reason why two resources cannot be told apart.
const shared = "shares host and path with another resource"

// TestApart: resources differ in host or path.
func TestApart(t *testing.T) {
	t.Parallel()
	for _, apart := range [][]drawbridge.Resource{
		resources(base, base+"/mcp"),
		resources(base+"/mcp", base+"/MCP"),
		resources(base, base+":8443"),
		resources(base, "https://api.example.com."),
		resources(base, "http://localhost"),
		resources("http://localhost:8080", "http://localhost:8081"),
		{resource(base, "https://alias.example.com"), resource(base+"/mcp", "https://alias.example.com")},
		{resource(base, base, base+"/", base+":443")}, // one resource may repeat itself
	} {
		cfg := config()
		cfg.Resources, cfg.Policy = apart, policy.Policy{}
		if got := faultsOf(t, cfg); got != nil {
			t.Errorf("R8707-2: %q", got)
		}
	}
}

// errorOf returns the error of a configuration that has one fault.
func errorOf(tb testing.TB, cfg drawbridge.Config) string {
	tb.Helper()
	faults := faultsOf(tb, cfg)
	if len(faults) != 1 {
		tb.Fatalf("got %+v, want one fault", faults)
	}
	return faults[0].Error()
}

// TestConfigFaults has a configuration for each other fault.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*drawbridge.Config)
		want   string
	}{
		{"no verifier", func(c *drawbridge.Config) { c.Verifier = nil }, "Verifier: is required"},
		{"RPC-6 a verifier that is a nil function", func(c *drawbridge.Config) { c.Verifier = verify(nil) }, `Verifier: is required`},
		{"RPC-6 a verifier that is a nil pointer and names issuers", func(c *drawbridge.Config) { c.Verifier = (*acceptor)(nil) }, `Verifier: is required`},
		{"an observer that is nil", func(c *drawbridge.Config) { c.Observers = []drawbridge.Observer{new(watcher), nil} }, `Observers[1]: is nil`},
		{"SEED-6 a field that proxies do not set", func(c *drawbridge.Config) { c.ForwardedField = "X-Real-IP" }, `ForwardedField: "X-Real-IP" is neither X-Forwarded-Host nor Forwarded`},
		{"R9449-7.2 a binding without a method", func(c *drawbridge.Config) { c.Bindings = map[string]token.Binding{"": new(binder)} }, "Bindings: has an entry without a confirmation method"},
		{"R9449-7.2 a binding that is nil", func(c *drawbridge.Config) { c.Bindings = map[string]token.Binding{"jkt": nil} }, `Bindings: "jkt" has no Binding`},
		{"R8705-3 a binding that is a nil pointer", func(c *drawbridge.Config) { c.Bindings = map[string]token.Binding{"x5t#S256": (*binder)(nil)} }, `Bindings: "x5t#S256" has no Binding`},
		{"R9728-2.e an empty issuer", func(c *drawbridge.Config) { c.Resources[0].Issuers = []string{"x", ""} }, "Resources[0].Issuers[1]: is empty"},
		{"no resources", func(c *drawbridge.Config) { c.Resources = nil }, "Resources: at least one is required"},
		{"CVE-2026-35051 a zero prefix", func(c *drawbridge.Config) { c.TrustedProxies = make([]netip.Prefix, 1) }, "TrustedProxies[0]: is the zero prefix, and means no network"},
		{"MCP-1 no authorization server", func(c *drawbridge.Config) { c.Resources[0].AuthorizationServers = nil }, "Resources[0].AuthorizationServers: at least one is required (MCP authorization; RFC 9728 §2)"},
		{"an empty authorization server", func(c *drawbridge.Config) { c.Resources[0].AuthorizationServers = []string{issuer, ""} }, "Resources[0].AuthorizationServers[1]: is required"},
		{"an alias with a path", func(c *drawbridge.Config) {
			c.Resources[0].Aliases = []string{"https://a.example/", "https://a.example/mcp"}
		}, `Resources[0].Aliases[1]: "https://a.example/mcp" has a path; an alias is a scheme and a host`},
		{"SEED-6 an alias that is http", func(c *drawbridge.Config) { c.Resources[0].Aliases = []string{"http://a.example"} }, `Resources[0].Aliases[0]: "http://a.example" is http; only https protects a token (http is allowed on loopback)`},
		{"RPC-6 a verifier that is a nil pointer", func(c *drawbridge.Config) { c.Verifier = (*known)(nil) }, `Verifier: is required`},
		{"an alias that is a host", func(c *drawbridge.Config) { c.Resources[0].Aliases = []string{"a.example"} }, `Resources[0].Aliases[0]: "a.example" is not an absolute URL such as https://api.example.com`},
		{"R8725-3.9 an empty audience", func(c *drawbridge.Config) { c.Resources[0].Audiences = []string{"x", ""} }, "Resources[0].Audiences[1]: is empty"},
		{"documentation that is not a URL", func(c *drawbridge.Config) { c.Resources[0].DocumentationURL = "see below" }, `Resources[0].DocumentationURL: "see below" is not a URL`},
		{"R8707-2 one identifier twice", func(c *drawbridge.Config) { c.Resources = resources(base, base+"/mcp", base) }, `Resources[2].Identifier: "https://api.example.com" ` + shared},
		{"R8707-2 one with a slash", func(c *drawbridge.Config) { c.Resources = resources(base+"/mcp", base+"/mcp/") }, `Resources[1].Identifier: "https://api.example.com/mcp/" ` + shared},
		{"R8707-2 one in capitals", func(c *drawbridge.Config) { c.Resources = resources(base, "https://API.Example.com") }, `Resources[1].Identifier: "https://API.Example.com" ` + shared},
		{"R8707-2 one with the default port", func(c *drawbridge.Config) { c.Resources = resources(base+"/mcp", base+":443/mcp") }, `Resources[1].Identifier: "https://api.example.com:443/mcp" ` + shared},
		{"R8707-2 one with an escape", func(c *drawbridge.Config) { c.Resources = resources(base+"/mcp", base+"/%6dcp") }, `Resources[1].Identifier: "https://api.example.com/%6dcp" ` + shared},
		{"R8707-2 one with an escaped slash", func(c *drawbridge.Config) { c.Resources = resources(base+"/a/b", base+"/a%2Fb") }, `Resources[1].Identifier: "https://api.example.com/a%2Fb" has an encoded slash or a backslash in its path`},
		{"R8707-2 another name of loopback", func(c *drawbridge.Config) { c.Resources = resources("http://localhost:8080", "http://[::1]:8080") }, `Resources[1].Identifier: "http://[::1]:8080" ` + shared},
		{"R8707-2 an IPv6 address at length", func(c *drawbridge.Config) {
			c.Resources = resources("https://[2001:db8::1]", "https://[2001:0DB8:0:0::1]")
		}, `Resources[1].Identifier: "https://[2001:0DB8:0:0::1]" ` + shared},
		{"R8707-2 the alias of one is another", func(c *drawbridge.Config) {
			c.Resources = []drawbridge.Resource{resource(base, "https://alias.example.com"), resource("https://alias.example.com:443/")}
		}, `Resources[1].Identifier: "https://alias.example.com:443/" ` + shared},
		{"R8707-2 one alias of two", func(c *drawbridge.Config) {
			c.Resources = []drawbridge.Resource{resource(base, "https://alias.example.com"), resource("https://other.example.com", "https://Alias.example.com")}
		}, `Resources[1].Identifier: "https://other.example.com" ` + shared},
		{"CVE-2026-35051 an IPv4 network written as IPv6", func(c *drawbridge.Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::ffff:10.0.0.0/104")}
		}, `TrustedProxies[1]: "::ffff:10.0.0.0/104" is an IPv4 network written as IPv6; peers are compared as IPv4`},
		{"CVE-2026-35051 one IPv4 address written as IPv6", func(c *drawbridge.Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.1/128")}
		}, `TrustedProxies[0]: "::ffff:10.0.0.1/128" is an IPv4 network written as IPv6; peers are compared as IPv4`},
		{"SEED-8 an alias with a scheme in capitals", func(c *drawbridge.Config) { c.Resources[0].Aliases = []string{"HTTPS://a.example"} }, `Resources[0].Aliases[0]: "HTTPS://a.example" is not written as URLs are: a lower-case scheme, and percent-encoding where it is needed`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			tt.change(&cfg)
			if got := errorOf(t, cfg); got != "drawbridge: "+tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestNewReportsEverything: New and Reconfigure report the faults of the
// configuration and of the policy together, each with its place, in order.
func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	cfg := drawbridge.Config{
		Resources: []drawbridge.Resource{
			{Identifier: "ftp://x", Audiences: []string{""}, Issuers: []string{""}, Aliases: []string{"x"}, DocumentationURL: "x"},
			resource(base), resource(base),
		},
		Bindings:       map[string]token.Binding{"jkt": nil, "": new(binder)},
		TrustedProxies: make([]netip.Prefix, 1),
		Policy: policy.Policy{
			Services: map[string]policy.Service{"a b": {}, "c d": {}},
			Implies:  map[string][]string{"a": {"b"}, "b": {"a"}},
		},
	}
	want := []string{
		"drawbridge: Verifier: is required",
		"drawbridge: Bindings: has an entry without",
		`drawbridge: Bindings: "jkt" has no Binding`,
		`drawbridge: Resources[0].Identifier: "ftp://x" is not an absolute URL such as https://api.example.com`,
		"drawbridge: Resources[0].AuthorizationServers: at least one",
		"drawbridge: Resources[0].Issuers[0]: is empty",
		`drawbridge: Resources[0].Aliases[0]: "x" is not an absolute URL`,
		"drawbridge: Resources[0].Audiences[0]: is empty",
		`drawbridge: Resources[0].DocumentationURL: "x" is not a URL`,
		`drawbridge: Resources[2].Identifier: "https://api.example.com" shares`,
		"drawbridge: TrustedProxies[0]: is the zero prefix",
		`policy: Implies: "a → b → a" is a cycle`,
		`policy: Services["a b"]: "a b" is not`,
		`policy: Services["c d"]: "c d" is not`,
	}
	a := newAuthorizer(t)
	_, err := drawbridge.New(cfg)
	for name, err := range map[string]error{"New": err, "Reconfigure": a.Reconfigure(cfg)} {
		var got []string
		for f := range fault.All(err) {
			got = append(got, f.Error())
			if !strings.HasPrefix(f.Error(), f.Place+": ") || f.Reason == "" {
				t.Errorf("%s: a fault without place or reason: %+v", name, f)
			}
		}
		if !slices.EqualFunc(got, want, strings.HasPrefix) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if err.Error() != strings.Join(got, "\n") {
			t.Errorf("%s: the text is\n%v", name, err)
		}
		var first *fault.Fault
		if !errors.As(err, &first) || first.Place != "drawbridge: Verifier" {
			t.Errorf("%s: the first fault is %+v", name, first)
		}
	}
	// The zero Config lacks two things.
	if got := faultsOf(t, drawbridge.Config{}); len(got) != 2 {
		t.Errorf("zero Config: got %+v", got)
	}
}

// TestConfigIsCopied: a Config may be changed after New.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := config()
	r := &cfg.Resources[0]
	r.Aliases, r.Audiences, r.Issuers = []string{alias}, []string{"aud"}, []string{issuer}
	cfg.Bindings = map[string]token.Binding{"jkt": new(binder)}
	verifier := people()
	verifier.tokens["t-writer"].Confirmation = map[string]any{"jkt": "thumb"}
	cfg.Verifier = verifier
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	a, err := drawbridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.AuthorizationServers[0], r.Aliases[0], r.Audiences[0] = "https://evil.example", "https://evil.example", "evil"
	r.Identifier, r.Issuers[0] = "https://evil.example", "evil"
	delete(cfg.Bindings, "jkt")
	delete(cfg.Policy.Services, rpctest.GuardedService)
	cfg.TrustedProxies[0] = netip.MustParsePrefix("0.0.0.0/0")

	call := sent{
		Procedure: guarded, Path: "/", Host: "alias.example.com", RemoteAddr: "192.0.2.1:1", ForwardedHost: []string{"api.example.com"},
		Authorization: bearer("t-writer"),
	}
	_, err = authorize(t.Context(), a, call)
	wantOutcome(t, err, letIn)
	call.Path = wellKnown
	document, ok := a.Metadata(t.Context(), call.Request())
	if !ok || document.Resource != alias || document.AuthorizationServers[0] != issuer {
		t.Fatalf("got %+v", document)
	}
	// Nor does a document lead back into the Authorizer.
	document.AuthorizationServers[0], document.ScopesSupported[0] = "https://evil.example", "evil"
	again, _ := a.Metadata(t.Context(), call.Request())
	if again.AuthorizationServers[0] != issuer || again.ScopesSupported[0] == "evil" {
		t.Errorf("got %+v", again)
	}
}
