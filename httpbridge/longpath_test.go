package httpbridge_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

const longestPath = 8 << 10

// TestLongPaths: a path of more than 8 KiB is refused before anything walks it, the
// handler included, and without a challenge.
func TestLongPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{AllowedOrigins: []string{"https://app.example.com"}})
	inner := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })
	for name, handler := range map[string]http.Handler{
		"Handler":            w.Handler(inner),
		"Handler of a Guard": w.Handler(connectauth.Guard(w.Authorizer(), inner)),
		"Protect":            w.Protect(rpctest.GuardedService, inner),
		"public Protect":     w.Protect(rpctest.PublicService, inner),
		"Metadata":           w.Metadata(),
	} {
		for kind, address := range map[string]*url.URL{
			"dots":          {Path: strings.Repeat("/.", 1<<19)},
			"metadata":      {Path: wellKnown + "/" + strings.Repeat("a", longestPath)},
			"a procedure":   {Path: strings.Repeat("/", longestPath) + rpctest.Procedure(rpctest.PublicService, rpctest.Unary)},
			"as it is sent": {Path: "/" + strings.Repeat("a", longestPath/3+1), RawPath: "/" + strings.Repeat("%61", longestPath/3+1)},
		} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			req.URL = address
			req.Header = bearer(tokenGood)
			req.Header.Set("Origin", "https://app.example.com")
			res := httptest.NewRecorder()
			handler.ServeHTTP(res, req)
			if res.Code != http.StatusRequestURITooLong || res.Body.String() != "URI Too Long\n" || res.Header().Get("Www-Authenticate") != "" {
				t.Errorf("%s, %s: got %d %s %v", name, kind, res.Code, res.Body, res.Header())
			}
		}
	}
	if w.verifier.asked.Load() > 0 || len(w.log.logged()) > 0 {
		t.Errorf("a request was decided: %v", w.log.logged())
	}
}

// BenchmarkLongPath: the cost of a refusal does not depend on the path.
func BenchmarkLongPath(b *testing.B) {
	for name, path := range map[string]string{
		"1MB/dots":       strings.Repeat("/.", 1<<19),
		"1MB/letters":    "/" + strings.Repeat("a", 1<<20),
		"8KiB/dots":      strings.Repeat("/.", longestPath/2),
		"8KiB/slashes":   strings.Repeat("/", longestPath),
		"8KiB/letters":   "/" + strings.Repeat("a", longestPath-1),
		"8KiB/segments":  strings.Repeat("/a", longestPath/2),
		"8KiB/procedure": strings.Repeat("/a", longestPath/2-40) + rpctest.Procedure(rpctest.GuardedService, rpctest.Unary),
		"8KiB/params":    strings.Repeat("/;", longestPath/2),
		"8KiB/backslash": strings.Repeat(`/\`, longestPath/2),
		"8KiB/percent":   strings.Repeat("/%", longestPath/2),
		"8KiB/escapes":   strings.Repeat("/%2", longestPath/3),
	} {
		for _, resources := range []string{"one", "two"} {
			for _, over := range []string{"Protect", "Guard"} {
				b.Run(name+"/"+resources+"/"+over, func(b *testing.B) {
					w := newWorld(b, httpbridge.Config{}, lookUp)
					if resources == "one" {
						w = newWorld(b, httpbridge.Config{}, lookUp, oneResource)
					}
					handler := w.Protect(rpctest.GuardedService, guarded)
					if over == "Guard" {
						handler = connectauth.Guard(w.Authorizer(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
					}
					req := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
					req.URL = &url.URL{Path: path}
					writer := &reusedWriter{header: make(http.Header)}
					b.ReportAllocs()
					for b.Loop() {
						handler.ServeHTTP(writer, req)
					}
				})
			}
		}
	}
}
