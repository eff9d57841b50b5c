package bench_test

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

// writer is a response writer that allocates nothing but what is put into its
// header.
type writer struct {
	header http.Header
	status int
}

func (w *writer) Header() http.Header               { return w.header }
func (w *writer) WriteHeader(status int)            { w.status = status }
func (w *writer) Write(data []byte) (int, error)    { return len(data), nil }
func (w *writer) WriteString(s string) (int, error) { return len(s), nil }

func (w *writer) reset() {
	clear(w.header)
	w.status = 0
}

// serve measures a handler.
func serve(b *testing.B, handler http.Handler, r *http.Request, status int) {
	b.Helper()
	w := &writer{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		w.reset()
		handler.ServeHTTP(w, r)
		if w.status != status {
			b.Fatalf("got %d, want %d", w.status, status)
		}
	}
}

// shuffled returns the rows in a new order, because the heap that the earlier ones
// leave behind changes the times of the later ones: compare runs with -count.
func shuffled[T any](rows []T) []T {
	rows = slices.Clone(rows)
	rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

// BenchmarkHTTP is middleware around a handler that does nothing.
func BenchmarkHTTP(b *testing.B) {
	d := newDrawbridge(b, 1)
	seen := peers.NewSeen(d.Token)
	noop := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	handlers := []struct {
		name    string
		handler http.Handler
	}{
		{"drawbridge", d.Bridge.Protect(peers.Service, noop)},
		{"authn-go", seen.Authn(noop)},
		{"go-sdk", seen.GoSDK(noop)},
	}
	request := func(header http.Header) *http.Request {
		return (&http.Request{Method: http.MethodGet, Host: "api.example.com", URL: &url.URL{Path: "/"}, Header: header}).WithContext(b.Context())
	}
	for _, peer := range shuffled(handlers) {
		b.Run("http/known/"+peer.name, func(b *testing.B) {
			serve(b, peer.handler, request(http.Header{"Authorization": {"Bearer " + d.Token}}), http.StatusOK)
		})
	}
	for _, peer := range shuffled(handlers) {
		b.Run("http/denied/"+peer.name, func(b *testing.B) {
			serve(b, peer.handler, request(http.Header{}), http.StatusUnauthorized)
		})
	}
}
