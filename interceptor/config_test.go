package interceptor_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// faultsOf returns the faults of a configuration, as they are written.
func faultsOf(tb testing.TB, cfg interceptor.Config) []string {
	tb.Helper()
	a, err := interceptor.New(cfg)
	if err == nil {
		return nil
	}
	if a != nil {
		tb.Error("an Authorizer beside an error")
	}
	return strings.Split(err.Error(), "\n")
}

// The reasons for which a URL is no resource identifier.
const (
	notHTTPS  = "is not an absolute URL such as https://api.example.com"
	plainHTTP = "is http; only https protects a token (http is allowed on loopback)"
	host      = "has no host, or more than a host and a port before its path"
	malformed = "has a malformed host"
	character = "holds a character that is not allowed in a URL"
	segments  = "has a path with empty or dot segments"
	noURL     = "is not a URL"
	written   = "is not written as URLs are: a lower-case scheme, and percent-encoding where it is needed"
)

// identifiers are what may and may not be a resource; want is the reason, empty
// if it is valid.
var identifiers = []struct{ name, url, want string }{
	{"R9728-2.a https", "https://api.example.com", ""},
	{"R9728-2.a a slash", "https://api.example.com/", ""},
	{"R9728-2.a a path", "https://api.example.com/mcp/v1", ""},
	{"R9728-2.a a slash at the end", "https://api.example.com/mcp/", ""},
	{"R9728-2.a a port", "https://api.example.com:8443", ""},
	{"R9728-2.a an IPv6 address", "https://[2001:db8::1]", ""},
	{"R9728-2.a an escape", "https://api.example.com/caf%C3%A9", ""},
	{"R9728-2.a an escape in lower case", "https://api.example.com/caf%c3%a9", ""},
	{"R9728-2.a escaped braces", "https://api.example.com/%7Btenant%7D", ""},
	{"R9728-2.a a host in capitals", "https://API.example.com", ""},
	{"R9728-2.a the highest port", "https://api.example.com:65535", ""},
	{"R9728-2.a a dot at the end of the host", "https://api.example.com.", ""},
	{"R9728-2.a dots that are no segment", "https://api.example.com/.well-known/...", ""},
	{"R9728-2.a http on localhost", "http://localhost:8080", ""},
	{"R9728-2.a http on 127.0.0.1", "http://127.0.0.1", ""},
	{"R9728-2.a http on [::1]", "http://[::1]:8080/mcp", ""},
	{"R9728-2.a http on 127/8", "http://127.1.2.3", ""},
	{"R9728-2.a http", "http://api.example.com", plainHTTP},
	{"R9728-2.a http on a private address", "http://10.0.0.1", plainHTTP},
	{"R9728-2.a http on all addresses", "http://0.0.0.0:8080", plainHTTP},
	{"R9728-2.a http below localhost", "http://localhost.example.com", plainHTTP},
	{"SEED-8 missing", "", "is required"},
	{"SEED-8 no scheme", "api.example.com/mcp", notHTTPS},
	{"SEED-8 no scheme, two slashes", "//api.example.com", notHTTPS},
	{"SEED-8 a path", "/mcp", notHTTPS},
	{"SEED-8 another scheme", "ftp://api.example.com", notHTTPS},
	{"SEED-8 a URN", "urn:example:api", notHTTPS},
	{"SEED-8 no host", "https://", host},
	{"SEED-8 no host, a path", "https:///mcp", host},
	{"SEED-8 no host, a port", "https://:8443", host},
	{"SEED-8 opaque", "https:api.example.com", host},
	{"SEED-8 userinfo", "https://user:secret@api.example.com", host},
	{"SEED-8 empty userinfo", "https://@api.example.com", host},
	{"SEED-8 a letter for a port", "https://api.example.com:https", noURL},
	{"SEED-8 a long port", "https://api.example.com:123456", malformed},
	{"SEED-8 a port that is none", "https://api.example.com:99999", malformed},
	{"SEED-8 a port above the highest", "https://api.example.com:65536", malformed},
	{"SEED-8 an empty port", "https://api.example.com:", malformed},
	{"SEED-8 an empty port before a path", "https://api.example.com:/mcp", malformed},
	{"SEED-8 an empty port of an IPv6 address", "https://[2001:db8::1]:", malformed},
	{"SEED-8 a dot for a host", "https://.", malformed},
	{"SEED-8 two dots for a host", "https://..", malformed},
	{"SEED-8 a host that begins with a dot", "https://.example.com", malformed},
	{"SEED-8 a host with an empty label", "https://api..example.com", malformed},
	{"R9728-3.c a scheme in capitals", "HTTPS://api.example.com", written},
	{"R9728-3.c a scheme that begins with a capital", "Https://api.example.com/mcp", written},
	{"R9728-3.c braces", "https://api.example.com/{tenant}", written},
	{"R9728-3.c a caret", "https://api.example.com/a^b", written},
	{"R9728-3.c a bar", "https://api.example.com/a|b", written},
	{"SEED-8 a zone", "https://[fe80::1%25eth0]", malformed},
	{"SEED-8 a malformed IPv6 address", "https://[:::1]", noURL},
	{"SEED-8 an escaped host", "https://api%2eexample.com", noURL},
	{"SEED-8 a star", "https://*.example.com", malformed},
	{"SEED-8 a broken escape", "https://api.example.com/%zz", noURL},
	{"R9728-2.a a query", "https://api.example.com/mcp?a=b", "has a query"},
	{"R9728-2.a an empty query", "https://api.example.com/mcp?", "has a query"},
	{"R9728-2.a a fragment", "https://api.example.com/mcp#a", "has a fragment"},
	{"R9728-2.a an empty fragment", "https://api.example.com/mcp#", "has a fragment"},
	{"SEED-8 a dot segment", "https://api.example.com/a/./b", segments},
	{"SEED-8 a way up", "https://api.example.com/a/../b", segments},
	{"SEED-8 a way up at the end", "https://api.example.com/a/..", segments},
	{"SEED-8 a way up, escaped", "https://api.example.com/a/%2e%2E/b", segments},
	{"SEED-8 an empty segment", "https://api.example.com//mcp", segments},
	{"SEED-8 a quote", `https://api.example.com/"`, character},
	{"SEED-8 a backslash", `https://api.example.com\mcp`, character},
	{"SEED-8 a space", "https://api.example.com/a b", character},
	{"SEED-8 a space before", " https://api.example.com", character},
	{"SEED-8 a line break", "https://api.example.com\r\nX: y", character},
	{"SEED-8 a tab", "https://api.example.com/\t", character},
	{"SEED-8 NUL", "https://api.example.com\x00", character},
	{"SEED-8 DEL", "https://api.example.com\x7f", character},
	{"SEED-8 beyond ASCII", "https://bücher.example.com", character},
	{"SEED-8 not UTF-8", "https://api.example.com/\xff", character},
}

// TestIdentifier: the same holds for resources and issuers (SEED-8).
func TestIdentifier(t *testing.T) {
	t.Parallel()
	for _, tt := range identifiers {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			cfg.Resources = []interceptor.Resource{{Identifier: tt.url, AuthorizationServers: []string{tt.url}}}
			_, err := interceptor.New(cfg)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			joined, ok := err.(interface{ Unwrap() []error })
			if !ok || len(joined.Unwrap()) != 2 {
				t.Fatalf("got %v, want two faults", err)
			}
			for i, field := range []string{"Resources[0].Identifier", "Resources[0].AuthorizationServers[0]"} {
				want := interceptor.ConfigError{Field: field, Value: tt.url, Reason: tt.want}
				var fault *interceptor.ConfigError
				if !errors.As(joined.Unwrap()[i], &fault) || *fault != want {
					t.Errorf("got %+v, want %+v", fault, want)
				}
			}
		})
	}
}

// shared is why two resources cannot be told apart.
const shared = "shares host and path with another resource"

// TestApart: what differs in host or path is another resource.
func TestApart(t *testing.T) {
	t.Parallel()
	for _, apart := range [][]interceptor.Resource{
		resources(base, base+"/mcp"),
		resources(base+"/mcp", base+"/MCP"),
		resources(base, base+":8443"),
		resources(base, "https://api.example.com."),
		resources(base, "http://localhost"),
		resources("http://localhost:8080", "http://localhost:8081"),
		{resource(base, "https://alias.example.com"), resource(base+"/mcp", "https://alias.example.com")},
		{resource(base, base, base+"/", base+":443")}, // One resource may repeat itself.
	} {
		cfg := config()
		cfg.Resources = apart
		if got := faultsOf(t, cfg); got != nil {
			t.Errorf("R8707-2: %q", got)
		}
	}
}

// TestConfigFaults has one configuration for each other fault.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*interceptor.Config)
		want   string
	}{
		{"no verifier", func(c *interceptor.Config) { c.Verifier = nil }, "Verifier: is required"},
		{"no resources", func(c *interceptor.Config) { c.Resources = nil }, "Resources: at least one is required"},
		{"CVE-2026-35051 a zero prefix", func(c *interceptor.Config) { c.TrustedProxies = make([]netip.Prefix, 1) }, "TrustedProxies[0]: is the zero prefix, and means no network"},
		{"MCP-1 no authorization server", func(c *interceptor.Config) { c.Resources[0].AuthorizationServers = nil }, "Resources[0].AuthorizationServers: at least one is required (MCP authorization; RFC 9728 §2)"},
		{"an empty authorization server", func(c *interceptor.Config) { c.Resources[0].AuthorizationServers = []string{issuer, ""} }, "Resources[0].AuthorizationServers[1]: is required"},
		{"an alias with a path", func(c *interceptor.Config) {
			c.Resources[0].Aliases = []string{"https://a.example/", "https://a.example/mcp"}
		}, `Resources[0].Aliases[1]: "https://a.example/mcp" has a path; an alias is a scheme and a host`},
		{"SEED-6 an alias that is http", func(c *interceptor.Config) { c.Resources[0].Aliases = []string{"http://a.example"} }, `Resources[0].Aliases[0]: "http://a.example" is http; only https protects a token (http is allowed on loopback)`},
		{"RPC-6 a verifier that is a nil pointer", func(c *interceptor.Config) { c.Verifier = (*known)(nil) }, `Verifier: is required`},
		{"an alias that is a host", func(c *interceptor.Config) { c.Resources[0].Aliases = []string{"a.example"} }, `Resources[0].Aliases[0]: "a.example" is not an absolute URL such as https://api.example.com`},
		{"R8725-3.9 an empty audience", func(c *interceptor.Config) { c.Resources[0].Audiences = []string{"x", ""} }, "Resources[0].Audiences[1]: is empty"},
		{"documentation that is no URL", func(c *interceptor.Config) { c.Resources[0].Documentation = "see below" }, `Resources[0].Documentation: "see below" is not a URL`},
		{"R8707-2 one identifier twice", func(c *interceptor.Config) { c.Resources = resources(base, base+"/mcp", base) }, `Resources[2].Identifier: "https://api.example.com" ` + shared},
		{"R8707-2 one with a slash", func(c *interceptor.Config) { c.Resources = resources(base+"/mcp", base+"/mcp/") }, `Resources[1].Identifier: "https://api.example.com/mcp/" ` + shared},
		{"R8707-2 one in capitals", func(c *interceptor.Config) { c.Resources = resources(base, "https://API.Example.com") }, `Resources[1].Identifier: "https://API.Example.com" ` + shared},
		{"R8707-2 one with the default port", func(c *interceptor.Config) { c.Resources = resources(base+"/mcp", base+":443/mcp") }, `Resources[1].Identifier: "https://api.example.com:443/mcp" ` + shared},
		{"R8707-2 one with an escape", func(c *interceptor.Config) { c.Resources = resources(base+"/mcp", base+"/%6dcp") }, `Resources[1].Identifier: "https://api.example.com/%6dcp" ` + shared},
		{"R8707-2 one with an escaped slash", func(c *interceptor.Config) { c.Resources = resources(base+"/a/b", base+"/a%2Fb") }, `Resources[1].Identifier: "https://api.example.com/a%2Fb" has an encoded slash or a backslash in its path`},
		{"R8707-2 another name of loopback", func(c *interceptor.Config) { c.Resources = resources("http://localhost:8080", "http://[::1]:8080") }, `Resources[1].Identifier: "http://[::1]:8080" ` + shared},
		{"R8707-2 an IPv6 address at length", func(c *interceptor.Config) {
			c.Resources = resources("https://[2001:db8::1]", "https://[2001:0DB8:0:0::1]")
		}, `Resources[1].Identifier: "https://[2001:0DB8:0:0::1]" ` + shared},
		{"R8707-2 the alias of one is another", func(c *interceptor.Config) {
			c.Resources = []interceptor.Resource{resource(base, "https://alias.example.com"), resource("https://alias.example.com:443/")}
		}, `Resources[1].Identifier: "https://alias.example.com:443/" ` + shared},
		{"R8707-2 one alias of two", func(c *interceptor.Config) {
			c.Resources = []interceptor.Resource{resource(base, "https://alias.example.com"), resource("https://other.example.com", "https://Alias.example.com")}
		}, `Resources[1].Identifier: "https://other.example.com" ` + shared},
		{"CVE-2026-35051 an IPv4 network written as IPv6", func(c *interceptor.Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::ffff:10.0.0.0/104")}
		}, `TrustedProxies[1]: "::ffff:10.0.0.0/104" is an IPv4 network written as IPv6; peers are compared as IPv4`},
		{"CVE-2026-35051 one IPv4 address written as IPv6", func(c *interceptor.Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.1/128")}
		}, `TrustedProxies[0]: "::ffff:10.0.0.1/128" is an IPv4 network written as IPv6; peers are compared as IPv4`},
		{"SEED-8 an alias with a scheme in capitals", func(c *interceptor.Config) { c.Resources[0].Aliases = []string{"HTTPS://a.example"} }, `Resources[0].Aliases[0]: "HTTPS://a.example" ` + written},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			tt.change(&cfg)
			if got := faultsOf(t, cfg); !slices.Equal(got, []string{"interceptor: " + tt.want}) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestNewReportsEverything: faults of the configuration and of the policy come
// together, in order.
func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	cfg := interceptor.Config{
		Resources:      []interceptor.Resource{{Identifier: "ftp://x", Audiences: []string{""}}, resource(base)},
		TrustedProxies: make([]netip.Prefix, 1),
		Policy:         policy.Policy{Services: map[string]policy.Service{"a b": {}, "c d": {}}},
	}
	want := []string{
		"interceptor: Verifier: is required",
		"interceptor: TrustedProxies[0]: is the zero prefix",
		`interceptor: Resources[0].Identifier: "ftp://x" is not an absolute URL such as https://api.example.com`,
		"interceptor: Resources[0].AuthorizationServers: at least one",
		"interceptor: Resources[0].Audiences[0]: is empty",
		`policy: Services["a b"]: "a b" is not`,
		`policy: Services["c d"]: "c d" is not`,
	}
	if got := faultsOf(t, cfg); !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	_, err := interceptor.New(cfg)
	var configFault *interceptor.ConfigError
	var policyFault *policy.Error
	if !errors.As(err, &configFault) || !errors.As(err, &policyFault) {
		t.Errorf("%v lacks a *ConfigError or a *policy.Error", err)
	}
	// The zero Config lacks two things.
	if got := faultsOf(t, interceptor.Config{}); len(got) != 2 {
		t.Errorf("zero Config: got %q", got)
	}
}

// TestConfigIsCopied: a Config may be changed after New.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := config()
	r := &cfg.Resources[0]
	r.Aliases, r.Audiences = []string{"https://alias.example.com"}, []string{"aud"}
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	a, err := interceptor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.AuthorizationServers[0], r.Aliases[0], r.Audiences[0] = "https://evil.example", "https://evil.example", "evil"
	r.Identifier = "https://evil.example"
	cfg.TrustedProxies[0] = netip.MustParsePrefix("0.0.0.0/0")

	req := interceptor.Request{Procedure: guarded, Path: "/", Host: "alias.example.com", RemoteAddr: "192.0.2.1:1", ForwardedHost: []string{"api.example.com"}}
	document, ok := a.Metadata(req)
	if !ok || document.Resource != "https://alias.example.com" || document.AuthorizationServers[0] != issuer {
		t.Fatalf("got %+v", document)
	}
	// Nor does a document that was handed out lead back.
	document.AuthorizationServers[0], document.ScopesSupported[0] = "https://evil.example", "evil"
	again, _ := a.Metadata(req)
	if again.AuthorizationServers[0] != issuer || again.ScopesSupported[0] == "evil" {
		t.Errorf("got %+v", again)
	}
}
