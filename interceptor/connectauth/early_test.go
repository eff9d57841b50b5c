package connectauth_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// earlyWriter is a response over HTTP/2 that logs when it begins, and whether the
// request had ended then.
type earlyWriter struct {
	*httptest.ResponseRecorder

	body  *bytes.Reader
	ended bool // before the response began
}

func (w *earlyWriter) SetReadDeadline(time.Time) error  { return nil }
func (w *earlyWriter) SetWriteDeadline(time.Time) error { return nil }

func (w *earlyWriter) WriteHeader(status int) {
	w.ended = w.body.Len() == 0
	w.ResponseRecorder.WriteHeader(status)
}

// TestRefusalsAreNotEarly: over HTTP/2 a request is read to its end before the first
// byte of a refusal. Where it does not end, the response is complete as soon as its
// protocol lets it be (RPC-9).
func TestRefusalsAreNotEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guarded := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for _, row := range []struct {
		contentType string
		withLength  bool
	}{
		{"application/json", true},
		{"application/proto", true},
		{"application/connect+proto", true},
		{"application/grpc", false},
		{"application/grpc-web+proto", true},
		{"application/grpc-web-text", false}, // connect-go writes the refusal.
		{"text/plain", true},
		{"", true},
	} {
		for _, size := range []int{1, 60_000, 250_000, 2_000_000} {
			over := size > 256<<10
			res := &earlyWriter{ResponseRecorder: httptest.NewRecorder(), body: bytes.NewReader(make([]byte, size))}
			req := newHTTPRequest(t, http.MethodPost, guardedUnary, "Content-Type", row.contentType)
			req.ProtoMajor, req.Body, req.ContentLength = 2, io.NopCloser(res.body), int64(size)
			guarded.ServeHTTP(res, req)
			// gRPC is always flushed, so that net/http adds no Content-Length.
			flushed := over || row.contentType == "application/grpc"
			if res.ended == over || res.body.Len() > 0 || res.Flushed != flushed {
				t.Errorf("RPC-9: %s, %d bytes: the request had ended: %t; flushed: %t; %d bytes are left", row.contentType, size, res.ended, res.Flushed, res.body.Len())
			}
			length := res.Result().Header.Get("Content-Length")
			if over && row.withLength && length != strconv.Itoa(res.Body.Len()) {
				t.Errorf("RPC-9: %s: Content-Length is %q of %d", row.contentType, length, res.Body.Len())
			}
			if row.contentType == "application/grpc" && length != "" {
				t.Errorf("RPC-9: gRPC: Content-Length is %s", length)
			}
		}
	}
}

// TestNotFoundIsNotEarly: over HTTP/2 a request for a service that no handler serves
// is read before the response begins (RPC-9).
func TestNotFoundIsNotEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := connectauth.NotFoundHandler(w.Authorizer)
	for _, token := range []string{"", tokenGood} {
		for _, contentType := range []string{"application/json", "application/grpc", "application/grpc-web+proto", "application/connect+proto"} {
			res := &earlyWriter{ResponseRecorder: httptest.NewRecorder(), body: bytes.NewReader(make([]byte, 1000))}
			req := newHTTPRequest(t, http.MethodPost, nowhereUnary, "Content-Type", contentType, "Authorization", "Bearer "+token)
			req.ProtoMajor, req.Body, req.ContentLength = 2, io.NopCloser(res.body), 1000
			handler.ServeHTTP(res, req)
			if !res.ended || res.Flushed != (contentType == "application/grpc") {
				t.Errorf("RPC-9: %s, token %q: the request had ended: %t; flushed: %t", contentType, token, res.ended, res.Flushed)
			}
		}
	}
}

// unwrapping is a writer of a middleware that knows http.ResponseController alone.
type unwrapping struct{ http.ResponseWriter }

func (w unwrapping) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestTrailersAreFlushed: a refusal over gRPC has no Content-Length, with which
// proxies would drop its trailers.
func TestTrailersAreFlushed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guarded := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for name, handler := range map[string]http.Handler{
		"a server": guarded,
		"behind a middleware": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			guarded.ServeHTTP(unwrapping{rw}, r)
		}),
		"not found": connectauth.NotFoundHandler(w.Authorizer),
	} {
		for _, contentType := range []string{"application/grpc", "application/grpc+proto", "application/grpc+cbor"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rpctest.ServeHTTP(t, handler)+guardedUnary, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", contentType)
			res, err := rpctest.H2C(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.ContentLength != -1 || res.Trailer.Get("Grpc-Status") != "16" || err != nil {
				t.Errorf("RPC-4: %s, %s: got a length of %d and trailers %v, %v", name, contentType, res.ContentLength, res.Trailer, err)
			}
		}
	}
}
