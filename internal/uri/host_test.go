package uri_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	const (
		wildcard  = "has a wildcard"
		browsers  = "has a character that browsers do not send in an origin; hosts are in punycode"
		notOrigin = "is not an origin such as https://app.example.com"
		port      = "has a malformed port"
		host      = "has a malformed host"
		more      = "has more than a scheme, a host and a port"
		standard  = "names the default port, which browsers leave out"
	)
	for origin, want := range map[string]string{
		"https://app.example.com":        "",
		"https://app.example.com:8443":   "",
		"HTTPS://APP.EXAMPLE.COM":        "",
		"http://localhost:3000":          "",
		"http://app.example.com:443":     "",
		"https://app.example.com:80":     "",
		"https://[::1]:8443":             "",
		"https://192.0.2.1":              "",
		"https://xn--bcher-kva.example":  "",
		"chrome-extension://abc":         "",
		"*":                              wildcard,
		"https://*.example.com":          wildcard,
		"https://*":                      wildcard,
		"app.example.com":                notOrigin,
		"null":                           notOrigin,
		"":                               notOrigin,
		"https://":                       notOrigin,
		"https:///x":                     notOrigin,
		"//app.example.com":              notOrigin,
		"https:app.example.com":          notOrigin,
		"https://app.example.com:https":  notOrigin,
		"https://a b":                    browsers,
		"https://b\u00fccher.example":    browsers,
		"https://a\"b":                   browsers,
		"https://app.example.com\n":      browsers,
		"https://app.example.com:":       port,
		"https://app.example.com:99999":  port,
		"https://app.example.com:08443":  port,
		"https://[::1]:":                 port,
		"https://.":                      host,
		"https://.example.com":           host,
		"https://a..b":                   host,
		"https://:8443":                  host,
		"https://a,b":                    host,
		"https://[fe80::1%25eth0]":       host,
		"https://app.example.com/":       more,
		"https://app.example.com/x":      more,
		"https://app.example.com?x":      more,
		"https://app.example.com?":       more,
		"https://app.example.com#":       more,
		"https://app.example.com#x":      more,
		"https://ada@app.example.com":    more,
		"https://@app.example.com":       more,
		"https://app.example.com:443":    standard,
		"http://app.example.com:80":      standard,
		"https://app.example.com:443/x":  more,
		"https://app.example.com:8443/x": more,
	} {
		if got := uri.CheckOrigin(origin); got != want {
			t.Errorf("SEED-8: %q: got %q, want %q", origin, got, want)
		}
	}
}

// TestSplitHost: exactly host [":" port] is accepted (RFC 9110 §7.2).
func TestSplitHost(t *testing.T) {
	t.Parallel()
	for hostport, want := range map[string]struct{ name, port, canonical string }{
		"api.example.com":        {"api.example.com", "", "api.example.com"},
		"API.Example.com:8443":   {"api.example.com", "8443", "api.example.com:8443"},
		"api.example.com.":       {"api.example.com.", "", "api.example.com."},
		"a_b-c.test":             {"a_b-c.test", "", "a_b-c.test"},
		"192.0.2.1:80":           {"192.0.2.1", "80", "192.0.2.1:80"},
		"a:0":                    {"a", "0", "a:0"},
		"a:65535":                {"a", "65535", "a:65535"},
		"[::1]":                  {"[::1]", "", "[::1]"},
		"[::1]:8080":             {"[::1]", "8080", "[::1]:8080"},
		"[2001:0DB8:0:0::1]:443": {"[2001:db8::1]", "443", "[2001:db8::1]:443"},
		"[::ffff:192.0.2.1]":     {"[::ffff:192.0.2.1]", "", "[::ffff:192.0.2.1]"},
		"":                       {},
		":":                      {},
		":80":                    {},
		"a:":                     {},
		"a:x":                    {},
		"a:+80":                  {},
		"a:-1":                   {},
		"a:080":                  {},
		"a:65536":                {},
		"a:80:90":                {},
		"a: 80":                  {},
		" a":                     {},
		"a b":                    {},
		"a/b":                    {},
		"a@b":                    {},
		"a,b":                    {},
		"a%20b":                  {},
		"*":                      {},
		".":                      {},
		".a":                     {},
		"a..b":                   {},
		"b\u00fccher":            {},
		"a\x00":                  {},
		"::1":                    {},
		"[::1":                   {},
		"::1]":                   {},
		"[]":                     {},
		"[::1]x":                 {},
		"[::1]:":                 {},
		"[::1]:x":                {},
		"[::1]8080":              {},
		"[192.0.2.1]":            {},
		"[fe80::1%eth0]":         {},
		"[:::1]":                 {},
		"[[::1]]":                {},
		"[api.example.com]":      {},
	} {
		if name, port := uri.SplitHost(hostport); name != want.name || port != want.port {
			t.Errorf("SplitHost(%q): got %q, %q, want %q, %q", hostport, name, port, want.name, want.port)
		}
		got := uri.CanonicalHost(hostport)
		if got != want.canonical {
			t.Errorf("CanonicalHost(%q): got %q, want %q", hostport, got, want.canonical)
		}
		if again := uri.CanonicalHost(got); again != got {
			t.Errorf("CanonicalHost(%q): got %q, want itself", got, again)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.255.255.254": true, "::1": true, "[::1]": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.": false, "localhost.example.com": false, "a.localhost": false, "127.0.0.1.example.com": false, "127.1": false,
		"0.0.0.0": false, "::": false, "10.0.0.1": false, "128.0.0.1": false, "localhost:80": false, "127.0.0.1:80": false, "[::1]:80": false,
	} {
		if got := uri.IsLoopback(host); got != want {
			t.Errorf("%q: got %t, want %t", host, got, want)
		}
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for port, want := range map[string]bool{
		"": true, "0": true, "1": true, "80": true, "65535": true,
		"65536": false, "080": false, "00": false, "-1": false, "+1": false, "\t1": false, "0x50": false, "1_0": false, "http": false, "\u0661": false,
	} {
		if got := uri.IsPort(port); got != want {
			t.Errorf("IsPort(%q): got %t, want %t", port, got, want)
		}
	}
	for scheme, want := range map[string]string{"https": "443", "http": "80", "": "", "ftp": "", "HTTPS": ""} {
		if got := uri.DefaultPort(scheme); got != want {
			t.Errorf("DefaultPort(%q): got %q, want %q", scheme, got, want)
		}
	}
}

func TestHasDotSegment(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"": false, "/": false, "/a": false, "/a/b": false, "/a.b": false, "/.well-known/x": false, "/...": false, "/..a": false, "/a..": false,
		"/a./b": false, "/.a/..b": false, "/a.../b": false, "//": false, `\a.b`: false, "/ ./": false,
		"/.": true, "/..": true, "/./": true, "/../": true, "/a/.": true, "/a/..": true, "/a/./b": true, "/a/../b": true,
		".": true, "..": true, "./a": true, "../a": true, `\..`: true, `\.\a`: true, `/a\..\b`: true, `/a/..\b`: true, "//..//": true,
		"/.../..": true, "/a/b/c/d/.": true,
	} {
		if got := uri.HasDotSegment(path); got != want {
			t.Errorf("%q: got %t, want %t", path, got, want)
		}
		// The same, by splitting.
		segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
		split := false
		for _, segment := range segments {
			split = split || segment == "." || segment == ".."
		}
		if split != want {
			t.Errorf("%q: the segments are %q", path, segments)
		}
	}
}

func TestAllocations(t *testing.T) {
	var found bool
	for name, run := range map[string]func(){
		"HasDotSegment": func() { found = uri.HasDotSegment("/a/b.c/.well-known/..d") || found },
		"SplitHost":     func() { uri.SplitHost("api.example.com:8443") },
		"CanonicalHost": func() { uri.CanonicalHost("api.example.com") },
		"IsLoopback":    func() { uri.IsLoopback("127.0.0.1") },
	} {
		if got := testing.AllocsPerRun(100, run); got != 0 {
			t.Errorf("%s: got %v allocations, want none", name, got)
		}
	}
}
