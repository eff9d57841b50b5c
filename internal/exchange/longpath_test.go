package exchange_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// TestRefuseLongPath: a path of 8 KiB passes, and a longer one gets a fixed
// response, whether it is decoded or as it was sent.
func TestRefuseLongPath(t *testing.T) {
	t.Parallel()
	const longest = 8 << 10
	for _, tt := range []struct {
		name string
		url  url.URL
		want bool
	}{
		{"the longest", url.URL{Path: strings.Repeat("/", longest)}, false},
		{"the longest as it was sent", url.URL{Path: "/", RawPath: strings.Repeat("/", longest)}, false},
		{"a long query", url.URL{Path: "/", RawQuery: strings.Repeat("a", 2*longest)}, false},
		{"empty", url.URL{}, false},
		{"longer", url.URL{Path: strings.Repeat("/.", longest/2) + "/"}, true},
		{"longer as it was sent", url.URL{Path: "/a", RawPath: "/" + strings.Repeat("%61", longest/3+1)}, true},
		{"1 MB", url.URL{Path: strings.Repeat("/a", 1<<19)}, true},
	} {
		res := httptest.NewRecorder()
		got := exchange.RefuseLongPath(res, &http.Request{Method: http.MethodGet, URL: &tt.url})
		if got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
		if got && (res.Code != http.StatusRequestURITooLong || res.Body.String() != "URI Too Long\n" || res.Header().Get("Content-Type") != "text/plain; charset=utf-8" || res.Header().Get("Www-Authenticate") != "") {
			t.Errorf("%s: got %d %q %v", tt.name, res.Code, res.Body, res.Header())
		}
	}
}
