package httpbridge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestWriteError: a denial is told, wherever it was made, with the challenge for
// the resource that was called; nothing is told of other errors (RPC-7).
func TestWriteError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	call := newBackend(t, w)
	elsewhere := &interceptor.ChallengeError{
		Kind:       interceptor.KindInsufficientScope,
		Challenge:  interceptor.Challenge{Scheme: "Bearer", Realm: "backend.v1.Backend", ResourceMetadata: "https://backend.internal" + wellKnown, Scopes: []string{"a"}, Error: "insufficient_scope"},
		Cause:      errBackend,
		RetryAfter: 0,
	}
	internal := fmt.Sprintf(`{"error":%q,"error_description":%q}`, "internal", "internal error")
	for _, row := range []struct {
		name      string
		make      func(context.Context) error
		status    int
		challenge string
		body      string
	}{
		{"a denial of ours", func(ctx context.Context) error {
			return w.Authorizer().Check(ctx, rpctest.Procedure(rpctest.GuardedService, rpctest.Unary))
		}, 401, challenge(mcpMetadata, rpctest.GuardedService, "", ""), "{}"},
		{"a denial of ours, wrapped", func(ctx context.Context) error {
			return errors.Join(errBackend, w.Authorizer().Check(ctx, rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)))
		}, 401, challenge(mcpMetadata, rpctest.GuardedService, "", ""), "{}"},
		{"a backend's, which leads here", func(context.Context) error { return elsewhere }, 403,
			`Bearer realm="backend.v1.Backend", resource_metadata="` + mcpMetadata + `", scope="a", error="insufficient_scope"`,
			body("insufficient_scope", saysScope, "backend.v1.Backend")},
		{"R9728-5.a: beside another scheme and max_age", func(context.Context) error {
			return &interceptor.ChallengeError{
				Kind:      interceptor.KindInvalidToken,
				Challenge: interceptor.Challenge{Scheme: "DPoP", Algs: []string{"ES256"}, MaxAge: new(time.Minute), Error: "insufficient_user_authentication"},
			}
		}, 401, `DPoP resource_metadata="` + mcpMetadata + `", error="insufficient_user_authentication", max_age="60", algs="ES256"`,
			fmt.Sprintf(`{"error":%q,"error_description":%q}`, "insufficient_user_authentication", saysInvalidToken)},
		{"a backend's, by its client", func(ctx context.Context) error { return call(ctx, tokenRead) }, 403, mcpChallenge, scopeBody},
		{"a backend's, when to come again", func(context.Context) error {
			return &interceptor.ChallengeError{Kind: interceptor.KindUnavailable, RetryAfter: 1500 * time.Millisecond}
		}, 503, "", `{"error":"unavailable","error_description":"the access token cannot be verified right now"}`},
		{"foreign", func(context.Context) error { return errBackend }, 500, "", internal},
		{"of a backend that let us in", func(ctx context.Context) error { return errors.Join(errBackend, call(ctx, tokenGood)) }, 500, "", internal},
		{"nil", func(context.Context) error { return nil }, 500, "", internal},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.WriteError(rw, r, row.make(r.Context())) })
			doors := map[string]http.Handler{"Handler": w.Handler(handler), "Protect": w.Protect(rpctest.PublicService, handler)}
			if !strings.Contains(row.name, "client") {
				doors["alone"] = handler
			}
			for name, door := range doors {
				got := send(t, http.MethodPost, rpctest.ServeHTTP(t, door)+"/mcp", nil)
				checkAnswer(t, got, row.status, row.challenge, row.body)
				if row.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "2" {
					t.Errorf("%s: RPC-2: Retry-After is %q", name, got.header.Get("Retry-After"))
				}
			}
		})
	}
}

// TestWriteErrorReplacesHeader: what the handler has said of another content is
// not said of the denial, outside of a bridge as well.
func TestWriteErrorReplacesHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for name, value := range describing {
			rw.Header().Set(name, value)
		}
		rw.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		rw.Header().Set("X-Kept", "kept")
		w.WriteError(rw, r, w.Authorizer().Check(r.Context(), rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)))
	})
	for name, door := range map[string]http.Handler{"alone": handler, "Handler": w.Handler(handler)} {
		got := send(t, http.MethodPost, rpctest.ServeHTTP(t, door)+"/mcp", nil)
		checkAnswer(t, got, http.StatusUnauthorized, challenge(mcpMetadata, rpctest.GuardedService, "", ""), "{}")
		for field := range describing {
			if field != "Content-Length" && got.header.Get(field) != "" {
				t.Errorf("%s: %s is %q", name, field, got.header.Get(field))
			}
		}
		if got.header.Get("X-Kept") != "kept" || got.header.Get("Content-Length") != "2" {
			t.Errorf("%s: got %v", name, got.header)
		}
	}
}

// TestWriteErrorDecides: the denial that WriteError was given is the answer, not
// one that was met before and that the handler could do without.
func TestWriteErrorDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	call := newBackend(t, w)
	given := &interceptor.ChallengeError{Kind: interceptor.KindInvalidRequest, Challenge: interceptor.Challenge{Error: "invalid_request"}}
	handler := w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = call(r.Context(), tokenRead)
		w.WriteError(rw, r, fmt.Errorf("malformed: %w", given))
	}))
	checkAnswer(t, send(t, http.MethodPost, rpctest.ServeHTTP(t, handler)+"/mcp", nil), http.StatusBadRequest,
		`Bearer resource_metadata="`+mcpMetadata+`", error="invalid_request"`,
		fmt.Sprintf(`{"error":%q,"error_description":%q}`, "invalid_request", saysInvalidRequest))
}

// TestEmptyChallenge: whatever a denial lacks, its answer has a challenge with a
// scheme and a parameter (R6750-3.a, R9110-11.d).
func TestEmptyChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{}, func(cfg *interceptor.Config) {
		cfg.Resources[0].Identifier = resource + "/other"
	})
	for kind, status := range map[interceptor.Kind]int{
		interceptor.KindNoCredentials:     http.StatusUnauthorized,
		interceptor.KindInvalidToken:      http.StatusUnauthorized,
		interceptor.KindInvalidRequest:    http.StatusBadRequest,
		interceptor.KindInsufficientScope: http.StatusForbidden,
	} {
		server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.WriteError(rw, r, &interceptor.ChallengeError{Kind: kind})
		}))
		for path, want := range map[string]string{"/mcp": `Bearer resource_metadata="` + mcpMetadata + `"`, "/nowhere": `Bearer resource_metadata="` + resource + `/.well-known/oauth-protected-resource/other"`} {
			got := send(t, http.MethodPost, server+path, nil)
			if header := got.header.Values("Www-Authenticate"); got.status != status || len(header) != 1 || header[0] != want {
				t.Errorf("R9110-11.d: %v: got %d %q, want %s", kind, got.status, header, want)
			}
		}
	}
}

// TestCopyIsToldAnew: the answer that is kept for a denial which the Authorizer
// builds once is not given for a copy of it.
func TestCopyIsToldAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := w.Authorizer().AuthorizeContext(r.Context(), interceptor.HTTPRequest(rpctest.GuardedService, r))
		if r.URL.RawQuery == "copy" {
			copied := *interceptor.DenialOf(err)
			copied.Challenge.Realm, copied.Challenge.Scopes = "another.v1.Service", nil
			err = &copied
		}
		w.WriteError(rw, r, err)
	}))
	for _, row := range []struct{ query, service string }{
		{"", rpctest.GuardedService}, {"?copy", "another.v1.Service"}, {"", rpctest.GuardedService},
	} {
		checkAnswer(t, send(t, http.MethodPost, server+"/mcp"+row.query, nil), http.StatusUnauthorized, challenge(mcpMetadata, row.service, "", ""), "{}")
	}
}

// TestPoisonedChallenge: whatever a backend puts into its challenge, the answer
// is one well-formed field (R6750-3.c, R9110-11.c).
func TestPoisonedChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	poison := "x\", evil=\"1\r\nX-Evil: 1\\é"
	server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.WriteError(rw, r, &interceptor.ChallengeError{
			Kind: interceptor.KindInvalidToken,
			Challenge: interceptor.Challenge{
				Scheme: "Bearer", Realm: poison, ResourceMetadata: poison, Scopes: []string{poison, "good"}, Error: poison, ErrorDescription: poison,
			},
		})
	}))
	got := send(t, http.MethodPost, server+"/mcp", nil)
	const want = `Bearer realm="x\", evil=\"1  X-Evil: 1\\?", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp", ` +
		`scope="good", error="x', evil='1  X-Evil: 1??", error_description="x', evil='1  X-Evil: 1??"`
	if header := got.header.Values("Www-Authenticate"); len(header) != 1 || header[0] != want || got.header.Get("X-Evil") != "" {
		t.Errorf("R6750-3.c: got %q\nwant %s", header, want)
	}
}

// TestNew: every fault of the options is reported at once, and names what is
// wrong.
func TestNew(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"*":                             "wildcard",
		"https://*.example.com":         "wildcard",
		"app.example.com":               "is not an origin",
		"null":                          "is not an origin",
		"":                              "is not an origin",
		"https://":                      "is not an origin",
		"https:///x":                    "is not an origin",
		"https://a b":                   "browsers do not send",
		"https://b\u00fccher.example":   "browsers do not send",
		"https://a\"b":                  "browsers do not send",
		"https://app.example.com\n":     "browsers do not send",
		"https://app.example.com:":      "malformed port",
		"https://app.example.com:99999": "malformed port",
		"https://app.example.com:08443": "malformed port",
		"https://.":                     "malformed host",
		"https://a..b":                  "malformed host",
		"https://app.example.com/":      "more than a scheme",
		"https://app.example.com/x":     "more than a scheme",
		"https://app.example.com?x":     "more than a scheme",
		"https://app.example.com?":      "more than a scheme",
		"https://app.example.com#":      "more than a scheme",
		"https://ada@app.example.com":   "more than a scheme",
		"https://app.example.com:443":   "default port",
		"http://app.example.com:80":     "default port",
	}
	var options httpbridge.Options
	for origin := range bad {
		options.AllowedOrigins = append(options.AllowedOrigins, origin)
	}
	bridge, err := httpbridge.New(nil, options)
	if bridge != nil || err == nil {
		t.Fatalf("SEED-8: got %v, %v", bridge, err)
	}
	if !strings.Contains(err.Error(), "the Authorizer is nil") {
		t.Errorf("SEED-8: %v", err)
	}
	for i, origin := range options.AllowedOrigins {
		line := fmt.Sprintf("httpbridge: AllowedOrigins[%d]: %q ", i, origin)
		if _, after, found := strings.Cut(err.Error(), line); !found || !strings.Contains(strings.SplitN(after, "\n", 2)[0], bad[origin]) {
			t.Errorf("SEED-8: %q is not reported as %q", origin, bad[origin])
		}
	}
	w := newWorld(t, httpbridge.Options{AllowedOrigins: []string{"https://app.example.com", "http://localhost:3000", "https://[::1]:8443", "chrome-extension://abc"}})
	if _, err := httpbridge.New(w.Authorizer(), httpbridge.Options{}); err != nil {
		t.Error(err)
	}
}

// TestOptionsAreCopied: a Bridge is immutable.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	options := httpbridge.Options{AllowedOrigins: []string{"https://app.example.com"}}
	w := newWorld(t, options)
	options.AllowedOrigins[0] = "https://evil.example.com"
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.PublicService, guarded))
	if got := send(t, http.MethodGet, server+"/mcp", http.Header{"Origin": {"https://evil.example.com"}}); got.status != http.StatusForbidden {
		t.Errorf("MCP-8: got %+v", got)
	}
}
