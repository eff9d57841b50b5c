package connectauth_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// byConnect refuses as [connectauth.Guard] does, but lets connect-go write every
// refusal anew.
func byConnect(a *drawbridge.Authorizer) http.Handler {
	writer := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := drawbridge.HTTPRequest(r)
		req.Procedure = r.URL.Path
		_, denial := a.Adapter().Authorize(r.Context(), &req)
		err := connectauth.NewError(denial)
		maps.Copy(w.Header(), err.Meta())
		clear(err.Meta())
		_ = writer.Write(w, r, err)
		if strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/grpc") && !strings.Contains(r.Header.Get("Content-Type"), "web") {
			w.(http.Flusher).Flush() // So do its handlers, for golang/go#54723.
		}
	})
}

// received is a response as a client sees it, without the date.
type received struct {
	status          int
	body            []byte
	header, trailer http.Header
}

func exchangeOver(t *testing.T, client *http.Client, url string, header http.Header) received {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("\x00\x00\x00\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Header.Del("Date")
	return received{res.StatusCode, body, res.Header, res.Trailer}
}

func (r received) equal(other received) bool {
	return r.status == other.status && bytes.Equal(r.body, other.body) &&
		maps.EqualFunc(r.header, other.header, slices.Equal) && maps.EqualFunc(r.trailer, other.trailer, slices.Equal)
}

// exactTypes are the content types whose refusals are kept, and odd ones others.
var (
	exactTypes = []string{
		"application/json", "application/proto", "application/connect+json", "application/connect+proto",
		"application/grpc", "application/grpc+proto", "application/grpc+json",
		"application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json",
	}
	oddTypes = []string{
		"application/json; charset=utf-8", "Application/Proto", "application/proto;x=y", "application/connect+cbor", "application/connect+proto; x=y",
		"application/grpc+cbor", "APPLICATION/GRPC+PROTO", "application/grpc-web+cbor",
	}
)

// TestRefusalBytes: a refusal has the bytes that connect-go writes, whether they
// were kept or not, for every reason (RPC-3, RPC-4).
func TestRefusalBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot)))
	reference := rpctest.ServeHTTP(t, byConnect(w.Authorizer))
	for version, client := range map[string]*http.Client{"HTTP/1.1": http1(t), "h2c": rpctest.H2C(t)} {
		for _, contentType := range slices.Concat(exactTypes, oddTypes) {
			for _, row := range refusals {
				for name, extra := range map[string]http.Header{
					"":                       nil,
					"a version":              {"Connect-Protocol-Version": {"1"}},
					"an unknown compression": {"Content-Encoding": {"br"}, "Connect-Content-Encoding": {"br"}, "Grpc-Encoding": {"br"}},
					"accepted compressions":  {"Accept-Encoding": {"gzip"}, "Connect-Accept-Encoding": {"gzip"}, "Grpc-Accept-Encoding": {"gzip"}},
					"a timeout":              {"Connect-Timeout-Ms": {"x"}, "Grpc-Timeout": {"x"}},
				} {
					header := http.Header{"Content-Type": {contentType}}
					maps.Copy(header, extra)
					maps.Copy(header, bearer(row.token))
					path := rpctest.Procedure(row.service, rpctest.Unary)
					for range 2 { // The second time, it is kept.
						got, want := exchangeOver(t, client, guard+path, header), exchangeOver(t, client, reference+path, header)
						if isRPC := row.service == rpctest.GuardedService || got.status != untouched; isRPC && !got.equal(want) {
							t.Fatalf("RPC-4: %s, %s, %s, %s:\n got %+v\nwant %+v", version, contentType, row.reason, name, got, want)
						}
					}
				}
			}
		}
	}
}

// TestRefusalContentType: a refusal over a stream has the content type of the
// request, and that of a unary call is JSON.
func TestRefusalContentType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for _, contentType := range exactTypes {
		want := contentType
		if contentType == "application/json" || contentType == "application/proto" {
			want = "application/json"
		}
		res := serve(guard, newHTTPRequest(t, http.MethodPost, guardedUnary, "Content-Type", contentType))
		if got := res.Header()["Content-Type"]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q", contentType, got)
		}
	}
}

// TestRefusalOfOddShapes: a request that is not exactly one of an RPC protocol is
// refused all the same, by connect-go or as an HTTP response (RPC-1).
func TestRefusalOfOddShapes(t *testing.T) {
	t.Parallel()
	const contentType, version = "Content-Type", "Connect-Protocol-Version"
	w := newWorld(t)
	guard := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for _, row := range []struct {
		name, method, path string
		header             []string
		status             int
		is                 string // in the body
	}{
		{"two content types", "POST", guardedUnary, []string{contentType, "application/json", contentType, "application/grpc"}, 401, `"code":"unauthenticated"`},
		{"two content types, the first of gRPC", "POST", guardedUnary, []string{contentType, "application/grpc", contentType, "application/json"}, 200, ""},
		{"two content types, the first of no RPC", "POST", guardedUnary, []string{contentType, "text/plain", contentType, "application/json"}, 401, "{}"},
		{"another version", "POST", guardedUnary, []string{contentType, "application/json", version, "2"}, 401, "{}"},
		{"another version of a stream", "POST", guardedUnary, []string{contentType, "application/connect+json", version, "2"}, 401, "{}"},
		{"two versions", "POST", guardedUnary, []string{contentType, "application/json", version, "1", version, "2"}, 401, `"code":"unauthenticated"`},
		{"no version", "POST", guardedUnary, []string{contentType, "application/json", version, ""}, 401, `"code":"unauthenticated"`},
		{"another version, which gRPC ignores", "POST", guardedUnary, []string{contentType, "application/grpc", version, "2"}, 200, ""},
		{"GET of Connect", "GET", guardedUnary + "?connect=v1&message=%22%22&encoding=json", nil, 401, `"code":"unauthenticated"`},
		{"GET of another Connect", "GET", guardedUnary + "?connect=v2&message=%22%22&encoding=json", nil, 401, "{}"},
		{"GET with a version", "GET", guardedUnary, []string{version, "1"}, 401, `"code":"unauthenticated"`},
		{"GET of a browser", "GET", guardedUnary, nil, 401, "{}"},
		{"PUT of JSON", "PUT", guardedUnary, []string{contentType, "application/json"}, 401, "{}"},
		{"PUT of gRPC", "PUT", guardedUnary, []string{contentType, "application/grpc"}, 401, "{}"},
		{"PUT with a version", "PUT", guardedUnary, []string{version, "1"}, 401, "{}"},
		{"a text", "POST", guardedUnary, []string{contentType, "text/plain"}, 401, "{}"},
		{"another application's content", "POST", guardedUnary, []string{contentType, "application/problem+json"}, 401, "{}"},
		{"no content type", "POST", guardedUnary, nil, 401, "{}"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			res := serve(guard, newHTTPRequest(t, row.method, row.path, row.header...))
			if res.Code != row.status || !strings.Contains(res.Body.String(), row.is) || row.is == "{}" && res.Body.String() != "{}" {
				t.Errorf("RPC-1: got %d %s, want %d %s", res.Code, res.Body, row.status, row.is)
			}
			if got := res.Header()["Www-Authenticate"]; !slices.Equal(got, []string{challengeHeader}) {
				t.Errorf("R9110-11.d: got %q", got)
			}
		})
	}
}

// TestRefusalIsShared: a middleware further out may add to the header of one
// refusal without changing another one.
func TestRefusalIsShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for _, contentType := range exactTypes {
		for range 2 {
			res := serve(guard, newHTTPRequest(t, http.MethodPost, guardedUnary, "Content-Type", contentType))
			for name, values := range res.Header() {
				if len(values) != 1 {
					t.Errorf("%s: %s is %q", contentType, name, values)
				}
				res.Header().Add(name, "added")
			}
		}
	}
}

// TestRefusalKeepsHeader: a refusal replaces a challenge that stands already, and
// keeps the other fields.
func TestRefusalKeepsHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for _, contentType := range slices.Concat(exactTypes, oddTypes, []string{"text/plain"}) {
		res := serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Www-Authenticate", `Basic realm="x"`)
			rw.Header().Set("X-Kept", "kept")
			guard.ServeHTTP(rw, r)
		}), newHTTPRequest(t, http.MethodPost, guardedUnary, "Content-Type", contentType))
		if got := res.Header()["Www-Authenticate"]; !slices.Equal(got, []string{challengeHeader}) || res.Header().Get("X-Kept") != "kept" {
			t.Errorf("%s: got %v", contentType, res.Header())
		}
	}
}

// TestRefusalOfEachResource: the kept bytes of a refusal belong to one rule at one
// base URL (SEED-5).
func TestRefusalOfEachResource(t *testing.T) {
	t.Parallel()
	const alias = "https://alias.example.com"
	w := newWorld(t, allowNowhere, func(cfg *drawbridge.Config) { cfg.Resources[0].Aliases = []string{alias} })
	guard := connectauth.Guard(w.Authorizer, http.HandlerFunc(teapot))
	for range 2 {
		for host, base := range map[string]string{"api.example.com": resource, "alias.example.com": alias} {
			for _, service := range []string{rpctest.GuardedService, rpctest.NowhereService} {
				req := newHTTPRequest(t, http.MethodPost, rpctest.Procedure(service, rpctest.Unary), "Content-Type", "application/proto")
				req.Host = host
				want := challenge.Challenge{Realm: service, ResourceMetadataURL: base + "/.well-known/oauth-protected-resource"}
				if service == rpctest.GuardedService {
					want.Scopes = []string{rpctest.ScopeWrite}
				}
				if got := serve(guard, req).Header().Get("Www-Authenticate"); got != want.Header() {
					t.Errorf("SEED-5: got %s, want %s", got, want.Header())
				}
			}
		}
	}
}

// editingWriter edits in place what it gets, as a middleware might.
type editingWriter struct{ *httptest.ResponseRecorder }

func (w editingWriter) Write(data []byte) (int, error) {
	n, err := w.ResponseRecorder.Write(bytes.Clone(data))
	for i := range data {
		data[i] = 'x' //nolint:staticcheck // It does what it must not.
	}
	return n, err
}

// TestRefusalIsOwn: what a middleware edits in place is its own, and the next
// refusal of the same kind is not changed.
func TestRefusalIsOwn(t *testing.T) {
	t.Parallel()
	guard := connectauth.Guard(newWorld(t).Authorizer, http.HandlerFunc(teapot))
	for _, contentType := range slices.Concat(exactTypes, oddTypes, []string{"text/plain"}) {
		req := newHTTPRequest(t, http.MethodPost, guardedUnary, "Content-Type", contentType)
		want := serve(guard, req)
		header, trailer, body := want.Result().Header, want.Result().Trailer, want.Body.String()
		header.Del("Trailer") // connect-go lists the names in any order.
		for range 3 {
			w := editingWriter{httptest.NewRecorder()}
			guard.ServeHTTP(w, req)
			got := w.Result()
			if got.Header.Del("Trailer"); !reflect.DeepEqual(got.Header, header) || !reflect.DeepEqual(got.Trailer, trailer) || w.Body.String() != body {
				t.Errorf("%s: got %v %v %q,\nwant %v %v %q", contentType, got.Header, got.Trailer, w.Body, header, trailer, body)
			}
			for _, values := range w.Header() {
				for i := range values[:cap(values)] {
					values[:cap(values)][i] = "evil"
				}
			}
		}
		if req.Header.Get("Content-Type") != contentType {
			t.Errorf("%s: the request has the content type %q", contentType, req.Header.Get("Content-Type"))
		}
	}
}
