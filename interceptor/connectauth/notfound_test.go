package connectauth_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestNotFoundRPC: to a caller that is refused, a procedure without a handler
// looks like any other (SEED-7, RPC-6).
func TestNotFoundRPC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := rpctest.ServeHTTP(t, connectauth.NotFoundHandler(w.Authorizer))
	for _, row := range []struct {
		name, service, token string
		want                 connect.Code
		http                 int
		denied, challenged   bool
	}{
		{"SEED-7: no rule, no token", rpctest.NowhereService, "", connect.CodeUnauthenticated, http.StatusUnauthorized, true, true},
		{"SEED-7: no rule, bad token", rpctest.NowhereService, tokenBad, connect.CodeUnauthenticated, http.StatusUnauthorized, true, true},
		{"SEED-7, RPC-8: no rule, token", rpctest.NowhereService, tokenGood, connect.CodeUnimplemented, http.StatusNotImplemented, true, false},
		{"RPC-2: no rule, outage", rpctest.NowhereService, tokenDown, connect.CodeUnavailable, http.StatusServiceUnavailable, true, false},
		{"a rule and no token", rpctest.GuardedService, "", connect.CodeUnauthenticated, http.StatusUnauthorized, true, true},
		{"a rule and no scope", rpctest.GuardedService, tokenRead, connect.CodePermissionDenied, http.StatusForbidden, true, true},
		{"RPC-8: a rule and no handler", rpctest.GuardedService, tokenGood, connect.CodeUnimplemented, http.StatusNotImplemented, false, false},
		{"RPC-8: public and no handler", rpctest.PublicService, "", connect.CodeUnimplemented, http.StatusNotImplemented, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, over protocol, method string) {
				got := call(t, server, row.service, method, row.token, over.option)
				if got.code() != row.want {
					t.Fatalf("got %v, want %v", got.err, row.want)
				}
				if status := httpStatus(over, method, row.http); got.status != status {
					t.Errorf("RPC-4: HTTP status is %d, want %d", got.status, status)
				}
				if header := got.leading.Values("Www-Authenticate"); len(header) != int(one(row.challenged)) {
					t.Errorf("R9110-11.d: the header is %q", header)
				}
				if row.denied {
					checkRefusal(t, got)
				} else if _, ok := connectauth.FromError(got.err); ok {
					t.Errorf("RPC-8: %v is taken for a denial", got.err)
				}
			})
		})
	}
}

// TestNotFoundPath: only well-formed procedures are decided (RPC-5), and requests
// that are not RPCs get a plain 404.
func TestNotFoundPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := rpctest.ServeHTTP(t, connectauth.NotFoundHandler(w.Authorizer))
	public := rpctest.Procedure(rpctest.PublicService, rpctest.Unary)
	guarded := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	const form = "application/x-www-form-urlencoded"
	for _, row := range []struct {
		name, method, path, contentType string
		want                            int
	}{
		{"a removal", http.MethodDelete, "/index.html", "", http.StatusNotFound},
		{"a text", http.MethodPost, public, "text/plain", http.StatusNotFound},
		{"a form with files", http.MethodPost, public, "multipart/form-data", http.StatusNotFound},
		{"a page", http.MethodGet, "/", "", http.StatusNotFound},
		{"the icon that browsers ask for", http.MethodGet, "/favicon.ico", "", http.StatusNotFound},
		{"a head", http.MethodHead, "/", "", http.StatusNotFound},
		{"a page that is called like a procedure", http.MethodGet, guarded, "", http.StatusNotFound},
		{"a form", http.MethodPost, "/login", form, http.StatusNotFound},
		{"a form for a procedure", http.MethodPost, guarded, form, http.StatusNotFound},
		{"bytes", http.MethodPost, "/x", "application/octet-stream", http.StatusNotFound},
		{"bytes for a procedure", http.MethodPost, guarded, "application/octet-stream", http.StatusNotFound},
		{"another application's content", http.MethodPost, guarded, "application/problem+json", http.StatusNotFound},
		{"no content type", http.MethodPost, guarded, "", http.StatusNotFound},
		{"a removal of a procedure", http.MethodDelete, guarded, "", http.StatusNotFound},
		{"a GET of another Connect", http.MethodGet, guarded + "?connect=v2", "", http.StatusNotFound},
		{"SEED-7: Connect in JSON", http.MethodPost, guarded, "application/json", http.StatusUnauthorized},
		{"SEED-7: Connect in JSON, of UTF-8", http.MethodPost, guarded, "Application/JSON; charset=utf-8", http.StatusUnauthorized},
		{"SEED-7: Connect", http.MethodPost, guarded, "application/proto", http.StatusUnauthorized},
		{"SEED-7: a stream of Connect", http.MethodPost, guarded, "application/connect+proto", http.StatusOK},
		{"SEED-7: a stream of Connect in JSON", http.MethodPost, guarded, "application/connect+json", http.StatusOK},
		{"SEED-7: Connect GET", http.MethodGet, guarded + "?connect=v1&encoding=json&message=%22%22", "", http.StatusUnauthorized},
		{"SEED-7: gRPC", http.MethodPost, guarded, "application/grpc", http.StatusOK},
		{"SEED-7: gRPC with a codec", http.MethodPost, guarded, "application/grpc+proto", http.StatusOK},
		{"SEED-7: gRPC-Web", http.MethodPost, guarded, "application/grpc-web", http.StatusOK},
		{"SEED-7: gRPC-Web with a codec", http.MethodPost, guarded, "application/grpc-web+proto", http.StatusOK},
		{"an RPC", http.MethodPost, public, "application/json", http.StatusNotImplemented},
		{"RPC-5: a slash too many", http.MethodPost, "/" + public, "application/json", http.StatusNotFound},
		{"RPC-5: a segment too many", http.MethodPost, public + "/", "application/json", http.StatusNotFound},
		{"RPC-5: a prefix", http.MethodPost, "/api" + public, "application/json", http.StatusNotFound},
		{"RPC-5: dot segments", http.MethodPost, "/x/.." + public, "application/json", http.StatusNotFound},
		{"RPC-5: no service", http.MethodPost, "//Unary", "application/json", http.StatusNotFound},
		{"RPC-5: no method", http.MethodPost, "/" + rpctest.PublicService, "application/json", http.StatusNotFound},
		{"RPC-5: a quote", http.MethodPost, `/a"b/c`, "application/json", http.StatusNotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), row.method, server, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Path, req.URL.RawQuery, _ = strings.Cut(row.path, "?")
			if row.contentType != "" {
				req.Header.Set("Content-Type", row.contentType)
			}
			res, err := rpctest.H2C(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != row.want {
				t.Errorf("got %d %s, want %d", res.StatusCode, body, row.want)
			}
			if plain := string(body) == "404 page not found\n"; plain != (row.want == http.StatusNotFound && row.method != http.MethodHead) {
				t.Errorf("the body is %q", body)
			}
			want := ""
			if strings.HasPrefix(row.name, "SEED-7") {
				want = challengeHeader
			}
			if header := res.Header.Get("Www-Authenticate"); header != want {
				t.Errorf("SEED-7, R9110-11.d: the header is %q, want %q", header, want)
			}
		})
	}
}
