package httpbridge_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// earlyWriter is a response over HTTP/2, and its request body. It logs when the
// request has ended and when the response begins.
type earlyWriter struct {
	loggingWriter

	body io.Reader
}

func (w *earlyWriter) SetReadDeadline(time.Time) error  { return nil }
func (w *earlyWriter) SetWriteDeadline(time.Time) error { return nil }

func (w *earlyWriter) Close() error {
	w.log("close")
	return nil
}

func (w *earlyWriter) Read(data []byte) (int, error) {
	n, err := w.body.Read(data)
	if err != nil {
		w.log(fmt.Sprint("read: ", err))
	}
	return n, err
}

// early lets a handler serve a POST with a body, over HTTP/2 or else over HTTP/1 with
// "Connection: close", and returns what happened.
func early(t *testing.T, version int, handler http.Handler, path string, size int, header http.Header) (*earlyWriter, string) {
	t.Helper()
	w := &earlyWriter{loggingWriter: loggingWriter{header: make(http.Header)}, body: bytes.NewReader(make([]byte, size))}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, w)
	req.ProtoMajor, req.ProtoMinor, req.Close, req.ContentLength = version, 0, version == 1, int64(size)
	if header != nil {
		req.Header = header
	}
	handler.ServeHTTP(w, req)
	return w, strings.Join(w.calls, ", ")
}

// TestRefusalsAreNotEarly: over HTTP/2, and over HTTP/1 where the connection ends, a
// request is read to its end before the first byte of a denial, and a response that
// is no denial begins when the handler writes it (RPC-9).
func TestRefusalsAreNotEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	deny := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		interceptor.Relay(r.Context(), denied, denied)
		rw.WriteHeader(http.StatusBadGateway)
	})
	writeError := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.WriteError(rw, r, denied) })
	claims := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		interceptor.Answer(r.Context(), procedure, denied)
		rw.WriteHeader(http.StatusForbidden)
		_ = r.Body.Close() // So does connect-go.
	})
	allows := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		interceptor.Answer(r.Context(), procedure, nil)
		rw.WriteHeader(http.StatusAccepted)
	})
	const scope, missing, long = "header 403, write denial", "header 401, write {}", "header 414, write URI Too Long\n"
	foreign := "header 403, write " + body("forbidden_origin", "requests from this origin are not allowed", rpctest.GuardedService)
	for _, row := range []struct {
		name    string
		handler http.Handler
		path    string
		header  http.Header
		want    string
	}{
		{"RPC-9: Protect", w.Protect(rpctest.GuardedService, guarded), "/mcp", nil, missing},
		{"RPC-9: Protect in Handler", w.Handler(w.Protect(rpctest.GuardedService, guarded)), "/mcp", nil, missing},
		{"RPC-9: a foreign origin", w.Protect(rpctest.GuardedService, guarded), "/mcp", http.Header{"Origin": {"https://evil.example.com"}}, foreign},
		{"RPC-9: Handler", w.Handler(deny), "/mcp", nil, scope},
		{"RPC-9: a handler in Protect", w.Protect(rpctest.PublicService, deny), "/mcp", nil, scope},
		{"RPC-9: an RPC handler in Handler", w.Handler(claims), procedure, nil, "header 403, close"},
		{"RPC-9: WriteError", writeError, "/mcp", nil, scope},
		{"RPC-9: WriteError in Handler", w.Handler(writeError), "/mcp", nil, scope},
		{"RPC-9: a Guard in Handler", w.Handler(connectauth.Guard(w.Authorizer(), guarded)), procedure, nil, missing},
		{"RPC-9: a long path", w.Handler(guarded), "/" + strings.Repeat("a", longestPath), nil, long},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, version := range []int{1, 2} {
				if _, got := early(t, version, row.handler, row.path, 1000, row.header); got != "read: EOF, "+row.want {
					t.Errorf("RPC-9: HTTP/%d:\n got %q\nwant %q", version, got, "read: EOF, "+row.want)
				}
			}
			over, got := early(t, 2, row.handler, row.path, 300<<10, row.header)
			// A body that is still read is not closed.
			if want := strings.TrimSuffix(row.want, ", close") + ", flush, read: EOF"; got != want {
				t.Errorf("RPC-9: over the bounds\n got %q\nwant %q", got, want)
			}
			if strings.Contains(row.want, "write") && over.header.Get("Content-Length") == "" {
				t.Errorf("RPC-9: over the bounds, there is no Content-Length: %v", over.header)
			}
		})
	}
	for name, handler := range map[string]http.Handler{
		"Handler":                 w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusAccepted) })),
		"an RPC handler":          w.Handler(allows),
		"a handler that does not": w.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
	} {
		if _, got := early(t, 2, handler, procedure, 1000, nil); got != "header 202" && got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestBodyIsTheHandlers: a handler reads and closes the body of a request over HTTP/2
// as if there were no bridge.
func TestBodyIsTheHandlers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	handler := w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if closing := r.Body.Close(); err != nil || closing != nil || len(body) != 1000 {
			t.Errorf("read %d bytes, %v; closed: %v", len(body), err, closing)
		}
		interceptor.Relay(r.Context(), denied, denied)
		rw.WriteHeader(http.StatusBadGateway)
	}))
	if _, got := early(t, 2, handler, "/mcp", 1000, nil); got != "read: EOF, close, read: EOF, header 403, write denial" {
		t.Errorf("got %q", got)
	}
}

// TestReadWhileDenied reads the body in other goroutines while the denial reads it,
// under the race detector (RPC-9).
func TestReadWhileDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var reading sync.WaitGroup
		defer reading.Wait()
		for range 2 {
			reading.Go(func() { _, _ = io.Copy(io.Discard, r.Body) })
		}
		interceptor.Relay(r.Context(), denied, denied)
		rw.WriteHeader(http.StatusBadGateway)
	})))
	client := rpctest.H2C(t)
	for _, size := range []int{0, 2, 60_000, 250_000} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/mcp", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden || string(body) != deniedBody || err != nil {
			t.Errorf("RPC-9: %d bytes: got %d %s, %v", size, res.StatusCode, body, err)
		}
	}
}
