package uri_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

func TestParsePattern(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern string
		ok      bool
	}{
		{"https://login.example.com/{tid}/v2.0", true},
		{"https://login.example.com/{tenant}", true},
		{"https://login.example.com/a/{tenant}/", true},
		{"http://127.0.0.1:8080/{tenant}", true},
		{"https://login.example.com/", false},
		{"https://{tenant}/", false},
		{"https://{tenant}.example.com/", false},
		{"https://login.example.com/{}/", false},
		{"https://login.example.com/{a}/{b}", false},
		{"https://login.example.com/{a/b}", false},
		{"https://login.example.com/{{a}}", false},
		{"https://login.example.com/x{a}", false},
		{"https://login.example.com/{a}x", false},
		{"https://login.example.com/{a", false},
		{"https://login.example.com/a}", false},
		{"https://login.example.com/%7Ba%7D", false},
		{"https://login.example.com/{a}/%7Bb%7D", false},
		{"http://login.example.com/{a}", false},
		{"https://login.example.com/{a}?x", false},
		{"https://login.example.com/?x=/{a}", false},
		{"https://login.example.com/#/{a}", false},
		{"/{a}", false},
		{"", false},
	} {
		p, reason := uri.ParsePattern(tt.pattern)
		if (reason == "") != tt.ok || tt.ok && p.String() != tt.pattern {
			t.Errorf("%q: got %v, %q", tt.pattern, p, reason)
		}
	}
}

func TestTenant(t *testing.T) {
	t.Parallel()
	p, _ := uri.ParsePattern("https://login.example.com/{tid}/v2.0")
	for _, tt := range []struct{ issuer, tenant string }{
		{"https://login.example.com/9188040d-6c67/v2.0", "9188040d-6c67"},
		{"https://login.example.com/a.b~c_d/v2.0", "a.b~c_d"},
		{"https://login.example.com//v2.0", ""},
		{"https://login.example.com/v2.0", ""},
		{"https://login.example.com/a/b/v2.0", ""},
		{"https://login.example.com/../v2.0", ""},
		{"https://login.example.com/./v2.0", ""},
		{"https://login.example.com/%2e/v2.0", ""},
		{"https://login.example.com/a/v2.0/", ""},
		{"https://login.example.com/{tid}/v2.0", ""},
		{"https://login.example.com.evil.example/a/v2.0", ""},
		{"https://LOGIN.example.com/a/v2.0", ""},
		{"https://login.example.com/a?/v2.0", ""},
		{"https://login.example.com/a\n/v2.0", ""},
		{"", ""},
	} {
		tenant, ok := p.Tenant(tt.issuer)
		if tenant != tt.tenant || ok != (tt.tenant != "") {
			t.Errorf("%q: got %q, %t", tt.issuer, tenant, ok)
		}
		if ok && p.Issuer(tenant) != tt.issuer {
			t.Errorf("%q: the way back leads to %q", tt.issuer, p.Issuer(tenant))
		}
	}
}
