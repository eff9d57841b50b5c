package uri_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// TestLenient: paths as lenient routers read them (CVE-2021-29492, oathkeeper
// GHSA-p224-6x5r-fjpm).
func TestLenient(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, decoded, dropped string }{
		{"", "", ""},
		{"/a/b", "/a/b", "/a/b"},
		{"/%6d%63p/%2F%2f", "/mcp///", "/%6d%63p/%2F%2f"},
		{"/%252e", "/%2e", "/%252e"},
		{"/%zz%2", "/%zz%2", "/%zz%2"},
		{"/%4%41", "/%4A", "/%4%41"},
		{"/%2g%g2%", "/%2g%g2%", "/%2g%g2%"},
		{"%", "%", "%"},
		{"/caf%C3%A9", "/caf\u00e9", "/caf%C3%A9"},
		{"/a;x=1/..;/b;", "/a;x=1/..;/b;", "/a/../b"},
		{";/", ";/", "/"},
		{"/a;b;c", "/a;b;c", "/a"},
		{"/a%3bx", "/a;x", "/a%3bx"},
	} {
		if got := uri.Decode(tt.path); got != tt.decoded {
			t.Errorf("Decode(%q): got %q, want %q", tt.path, got, tt.decoded)
		}
		if got := uri.DropParameters(tt.path); got != tt.dropped {
			t.Errorf("DropParameters(%q): got %q, want %q", tt.path, got, tt.dropped)
		}
	}
}
