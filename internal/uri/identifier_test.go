package uri_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// The reasons for which a URL is not an identifier.
const (
	notHTTPS  = "is not an absolute URL such as https://api.example.com"
	plainHTTP = "is http; only https protects a token (http is allowed on loopback)"
	noHost    = "has no host, or more than a host and a port before its path"
	malformed = "has a malformed host"
	character = "holds a character that is not allowed in a URL"
	segments  = "has a path with empty or dot segments"
	slash     = "has an encoded slash or a backslash in its path"
	notURL    = "is not a URL"
	written   = "is not written as URLs are: a lower-case scheme, and percent-encoding where it is needed"
)

// identifiers are valid and invalid identifiers; want is the reason, empty for a
// valid one.
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
	{"R9728-2.a http on localhost in capitals", "http://LOCALHOST:8080", ""},
	{"R9728-2.a http on 127.0.0.1", "http://127.0.0.1", ""},
	{"R9728-2.a http on [::1]", "http://[::1]:8080/mcp", ""},
	{"R9728-2.a http on 127/8", "http://127.1.2.3", ""},
	{"R9728-2.a http", "http://api.example.com", plainHTTP},
	{"R9728-2.a http on a private address", "http://10.0.0.1", plainHTTP},
	{"R9728-2.a http on all addresses", "http://0.0.0.0:8080", plainHTTP},
	{"R9728-2.a http below localhost", "http://localhost.example.com", plainHTTP},
	{"R9728-2.a http on localhost with a dot", "http://localhost.", plainHTTP},
	{"SEED-8 missing", "", "is required"},
	{"SEED-8 no scheme", "api.example.com/mcp", notHTTPS},
	{"SEED-8 no scheme, two slashes", "//api.example.com", notHTTPS},
	{"SEED-8 a path", "/mcp", notHTTPS},
	{"SEED-8 another scheme", "ftp://api.example.com", notHTTPS},
	{"SEED-8 a URN", "urn:example:api", notHTTPS},
	{"SEED-8 no host", "https://", noHost},
	{"SEED-8 no host, a path", "https:///mcp", noHost},
	{"SEED-8 no host, a port", "https://:8443", noHost},
	{"SEED-8 opaque", "https:api.example.com", noHost},
	{"SEED-8 userinfo", "https://user:secret@api.example.com", noHost},
	{"SEED-8 empty userinfo", "https://@api.example.com", noHost},
	{"SEED-8 a letter for a port", "https://api.example.com:https", notURL},
	{"SEED-8 a long port", "https://api.example.com:123456", malformed},
	{"SEED-8 a port that is none", "https://api.example.com:99999", malformed},
	{"SEED-8 a port above the highest", "https://api.example.com:65536", malformed},
	{"SEED-8 a port with a leading zero", "https://api.example.com:08443", malformed},
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
	{"SEED-8 a malformed IPv6 address", "https://[:::1]", notURL},
	{"SEED-8 an escaped host", "https://api%2eexample.com", notURL},
	{"SEED-8 a star", "https://*.example.com", malformed},
	{"SEED-8 a broken escape", "https://api.example.com/%zz", notURL},
	{"R9728-2.a a query", "https://api.example.com/mcp?a=b", "has a query"},
	{"R9728-2.a an empty query", "https://api.example.com/mcp?", "has a query"},
	{"R9728-2.a a fragment", "https://api.example.com/mcp#a", "has a fragment"},
	{"R9728-2.a an empty fragment", "https://api.example.com/mcp#", "has a fragment"},
	{"SEED-8 a dot segment", "https://api.example.com/a/./b", segments},
	{"SEED-8 a way up", "https://api.example.com/a/../b", segments},
	{"SEED-8 a way up at the end", "https://api.example.com/a/..", segments},
	{"SEED-8 a way up, escaped", "https://api.example.com/a/%2e%2E/b", segments},
	{"SEED-8 an empty segment", "https://api.example.com//mcp", segments},
	{"R8707-2 an escaped slash", "https://api.example.com/a%2Fb", slash},
	{"R8707-2 an escaped slash in lower case", "https://api.example.com/a%2fb", slash},
	{"R8707-2 an escaped backslash", "https://api.example.com/a%5Cb", slash},
	{"SEED-8 a quote", `https://api.example.com/"`, character},
	{"SEED-8 a backslash", `https://api.example.com\mcp`, character},
	{"SEED-8 a space", "https://api.example.com/a b", character},
	{"SEED-8 a space before", " https://api.example.com", character},
	{"SEED-8 a line break", "https://api.example.com\r\nX: y", character},
	{"SEED-8 a tab", "https://api.example.com/\t", character},
	{"SEED-8 NUL", "https://api.example.com\x00", character},
	{"SEED-8 DEL", "https://api.example.com\x7f", character},
	{"SEED-8 beyond ASCII", "https://b\u00fccher.example.com", character},
	{"SEED-8 not UTF-8", "https://api.example.com/\xff", character},
}

func TestParseIdentifier(t *testing.T) {
	t.Parallel()
	for _, tt := range identifiers {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, reason := uri.ParseIdentifier(tt.url)
			if reason != tt.want || (u != nil) != (tt.want == "") {
				t.Fatalf("%q: got %v, %q, want %q", tt.url, u, reason, tt.want)
			}
			if u != nil && u.String() != tt.url {
				t.Errorf("%q became %q", tt.url, u)
			}
		})
	}
}

// FuzzParseIdentifier: an identifier that is accepted is written back as it is,
// and can stand in a header; one that is refused has a reason (SEED-8).
func FuzzParseIdentifier(f *testing.F) {
	for _, tt := range identifiers {
		f.Add(tt.url)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, reason := uri.ParseIdentifier(s)
		if (u == nil) != (reason != "") {
			t.Fatalf("%q: got %v, %q", s, u, reason)
		}
		if u == nil {
			return
		}
		if u.String() != s || strings.ContainsAny(s, "\"\\#? ") || !uri.IsProtected(u) {
			t.Errorf("%q is accepted as %q", s, u)
		}
		if uri.CanonicalHost(u.Host) == "" || uri.HasDotSegment(u.Path) {
			t.Errorf("%q is accepted with host %q and path %q", s, u.Host, u.Path)
		}
	})
}

func TestIsProtected(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"https://api.example.com":     true,
		"HTTPS://api.example.com":     true,
		"http://localhost":            true,
		"http://LocalHost:8080":       true,
		"http://127.0.0.1:1/x":        true,
		"http://[::1]:8080":           true,
		"http://[::ffff:127.0.0.1]":   true,
		"http://api.example.com":      false,
		"http://localhost.evil.test":  false,
		"http://127.0.0.1.evil.test":  false,
		"http://2130706433":           false,
		"http://0.0.0.0":              false,
		"http://[::]":                 false,
		"ftp://localhost":             false,
		"ws://localhost":              false,
		"//localhost":                 false,
		"http://":                     false,
		"http://user@api.example.com": false,
	} {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := uri.IsProtected(u); got != want {
			t.Errorf("R9728-2.a: %q: got %t, want %t", s, got, want)
		}
	}
}
