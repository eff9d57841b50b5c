package httpbridge_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestWriteError: a denial is written wherever it was made, with the challenge
// for the resource that was called. Other errors are not disclosed (RPC-7).
func TestWriteError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	call := newBackend(t, w)
	authorize := func(r *http.Request) error {
		req := drawbridge.HTTPRequest(r)
		req.Service = rpctest.GuardedService
		_, err := w.Authorizer().Authorize(r.Context(), req)
		return err
	}
	elsewhere := &challenge.DenialError{
		Reason:     challenge.ReasonInsufficientScope,
		Challenge:  challenge.Challenge{Scheme: "Bearer", Realm: "backend.v1.Backend", ResourceMetadataURL: "https://backend.internal" + wellKnown, Scopes: []string{"a"}, Error: "insufficient_scope"},
		Cause:      errBackend,
		RetryAfter: 0,
	}
	internal := fmt.Sprintf(`{"error":%q,"error_description":%q}`, "internal", "internal error")
	for _, row := range []struct {
		name      string
		make      func(*http.Request) error
		status    int
		challenge string
		body      string
	}{
		{"a denial of this process", authorize, 401, challengeFor(mcpMetadata, rpctest.GuardedService, "", ""), "{}"},
		{"a denial of this process, wrapped", func(r *http.Request) error {
			return errors.Join(errBackend, authorize(r))
		}, 401, challengeFor(mcpMetadata, rpctest.GuardedService, "", ""), "{}"},
		{"a denial for another resource", func(*http.Request) error { return elsewhere }, 403,
			`Bearer realm="backend.v1.Backend", resource_metadata="` + mcpMetadata + `", scope="a", error="insufficient_scope"`,
			body("insufficient_scope", saysScope, "backend.v1.Backend")},
		{"R9728-5.a: another scheme and max_age", func(*http.Request) error {
			return &challenge.DenialError{
				Reason:    challenge.ReasonInvalidToken,
				Challenge: challenge.Challenge{Scheme: "DPoP", Algs: []string{"ES256"}, MaxAge: new(time.Minute), Error: "insufficient_user_authentication"},
			}
		}, 401, `DPoP resource_metadata="` + mcpMetadata + `", error="insufficient_user_authentication", max_age="60", algs="ES256"`,
			fmt.Sprintf(`{"error":%q,"error_description":%q,"max_age":60}`, "insufficient_user_authentication", saysAuthentication)},
		{"R9470-3: another authentication", func(*http.Request) error {
			return &challenge.DenialError{
				Reason:    challenge.ReasonInsufficientAuthentication,
				Challenge: challenge.Challenge{Error: "insufficient_user_authentication", ACRValues: []string{"urn:gold"}},
			}
		}, 401, `Bearer resource_metadata="` + mcpMetadata + `", error="insufficient_user_authentication", acr_values="urn:gold"`,
			fmt.Sprintf(`{"error":%q,"error_description":%q,"acr_values":"urn:gold"}`, "insufficient_user_authentication", saysAuthentication)},
		{"the error of a client of a backend", func(r *http.Request) error { return call(r.Context(), tokenRead) }, 403, mcpChallenge, scopeBody},
		{"a denial with a retry time", func(*http.Request) error {
			return &challenge.DenialError{Reason: challenge.ReasonUnavailable, RetryAfter: 1500 * time.Millisecond}
		}, 503, "", `{"error":"unavailable","error_description":"the access token cannot be verified right now"}`},
		{"another error", func(*http.Request) error { return errBackend }, 500, "", internal},
		{"another error after an authorized call", func(r *http.Request) error { return errors.Join(errBackend, call(r.Context(), tokenGood)) }, 500, "", internal},
		{"nil", func(*http.Request) error { return nil }, 500, "", internal},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.WriteError(rw, r, row.make(r)) })
			servers := map[string]http.Handler{"Handler": w.Handler(handler), "Protect": w.Protect(rpctest.PublicService, handler)}
			if !strings.Contains(row.name, "client") {
				servers["alone"] = handler
			}
			for name, server := range servers {
				got := send(t, http.MethodPost, rpctest.ServeHTTP(t, server)+"/mcp", nil)
				checkAnswer(t, got, row.status, row.challenge, row.body)
				if row.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "2" {
					t.Errorf("%s: RPC-2: Retry-After is %q", name, got.header.Get("Retry-After"))
				}
			}
		})
	}
}

// TestWriteErrorJoinsScopes: the challenge asks for the scopes of the way too, if it
// asks for any, whatever resource it was made for (MCP-4).
func TestWriteErrorJoinsScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, withService("a", policy.Rule{Scopes: []string{rpctest.ScopeWrite}}))
	for _, row := range []struct {
		name string
		made challenge.Challenge
		want string
	}{
		{"for this resource", challenge.Challenge{ResourceMetadataURL: mcpMetadata, Scopes: []string{"b"}}, `resource_metadata="` + mcpMetadata + `", scope="b guarded:write"`},
		{"for another resource", challenge.Challenge{ResourceMetadataURL: rootMetadata, Scopes: []string{"b"}}, `resource_metadata="` + mcpMetadata + `", scope="b guarded:write"`},
		{"for this resource, all scopes", challenge.Challenge{ResourceMetadataURL: mcpMetadata, Scopes: []string{rpctest.ScopeWrite}}, `resource_metadata="` + mcpMetadata + `", scope="guarded:write"`},
		{"without scopes", challenge.Challenge{ResourceMetadataURL: mcpMetadata}, `resource_metadata="` + mcpMetadata + `"`},
	} {
		server := rpctest.ServeHTTP(t, w.Protect("a", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.WriteError(rw, r, &challenge.DenialError{Reason: challenge.ReasonInvalidToken, Challenge: row.made})
		})))
		if got := send(t, http.MethodPost, server+"/mcp", bearer(tokenGood)); got.header.Get("Www-Authenticate") != "Bearer "+row.want {
			t.Errorf("MCP-4: %s: got %s, want %s", row.name, got.header.Get("Www-Authenticate"), row.want)
		}
	}
}

// TestWriteErrorOfCheck: Check of an anonymous caller asks for a token. Without a
// caller in the context it is a fault of the program.
func TestWriteErrorOfCheck(t *testing.T) {
	t.Parallel()
	const service = rpctest.GuardedService
	w := newWorld(t, httpbridge.Config{})
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.WriteError(rw, r, w.Authorizer().Check(r.Context(), rpctest.Procedure(service, rpctest.Unary)))
	})
	for _, row := range []struct {
		name            string
		handler         http.Handler
		status          int
		challenge, body string
	}{
		{"an anonymous caller", w.Protect(rpctest.PublicService, handler), 401, challengeFor(mcpMetadata, service, "", ""), "{}"},
		{"no caller", w.Handler(handler), 500, "", body("server_error", "internal error", service)},
		{"no bridge", handler, 500, "", body("server_error", "internal error", service)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			checkAnswer(t, send(t, http.MethodPost, rpctest.ServeHTTP(t, row.handler)+"/mcp", nil), row.status, row.challenge, row.body)
		})
	}
}

// TestWriteErrorReplacesHeader: header fields that describe the handler's body
// are removed, outside of a bridge as well.
func TestWriteErrorReplacesHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for name, value := range describing {
			rw.Header().Set(name, value)
		}
		rw.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		rw.Header().Set("X-Kept", "kept")
		req := drawbridge.HTTPRequest(r)
		req.Service = rpctest.GuardedService
		_, err := w.Authorizer().Authorize(r.Context(), req)
		w.WriteError(rw, r, err)
	})
	for name, server := range map[string]http.Handler{"alone": handler, "Handler": w.Handler(handler)} {
		got := send(t, http.MethodPost, rpctest.ServeHTTP(t, server)+"/mcp", nil)
		checkAnswer(t, got, http.StatusUnauthorized, challengeFor(mcpMetadata, rpctest.GuardedService, "", ""), "{}")
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

// TestWriteErrorDecides: the denial passed to WriteError becomes the response,
// not one that the handler met before and recovered from.
func TestWriteErrorDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	call := newBackend(t, w)
	given := &challenge.DenialError{Reason: challenge.ReasonInvalidRequest, Challenge: challenge.Challenge{Error: "invalid_request"}}
	handler := w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = call(r.Context(), tokenRead)
		w.WriteError(rw, r, fmt.Errorf("malformed: %w", given))
	}))
	checkAnswer(t, send(t, http.MethodPost, rpctest.ServeHTTP(t, handler)+"/mcp", nil), http.StatusBadRequest,
		`Bearer resource_metadata="`+mcpMetadata+`", error="invalid_request"`,
		fmt.Sprintf(`{"error":%q,"error_description":%q}`, "invalid_request", saysInvalidRequest))
}

// TestEmptyChallenge: the challenge of an empty denial has a scheme and a
// parameter (R6750-3.a, R9110-11.d).
func TestEmptyChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{}, func(cfg *drawbridge.Config) {
		cfg.Resources[0].Identifier = resource + "/other"
		cfg.Resources[0].Services = []string{rpctest.GuardedService}
	})
	for reason, status := range map[challenge.Reason]int{
		challenge.ReasonNoCredentials:     http.StatusUnauthorized,
		challenge.ReasonInvalidToken:      http.StatusUnauthorized,
		challenge.ReasonInvalidRequest:    http.StatusBadRequest,
		challenge.ReasonInsufficientScope: http.StatusForbidden,
	} {
		server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.WriteError(rw, r, &challenge.DenialError{Reason: reason})
		}))
		for path, want := range map[string]string{"/mcp": `Bearer resource_metadata="` + mcpMetadata + `"`, "/nowhere": `Bearer resource_metadata="` + resource + `/.well-known/oauth-protected-resource/other"`} {
			got := send(t, http.MethodPost, server+path, nil)
			if header := got.header.Values("Www-Authenticate"); got.status != status || len(header) != 1 || header[0] != want {
				t.Errorf("R9110-11.d: %v: got %d %q, want %s", reason, got.status, header, want)
			}
		}
	}
}

// TestCopyIsWrittenAnew: the prebuilt response of a denial is not used for a
// changed copy of it.
func TestCopyIsWrittenAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		req := drawbridge.HTTPRequest(r)
		req.Service = rpctest.GuardedService
		_, err := w.Authorizer().Authorize(r.Context(), req)
		if r.URL.RawQuery == "copy" {
			copied := *challenge.DenialOf(err)
			copied.Challenge.Realm, copied.Challenge.Scopes = "another.v1.Service", nil
			err = &copied
		}
		w.WriteError(rw, r, err)
	}))
	for _, row := range []struct{ query, service string }{
		{"", rpctest.GuardedService}, {"?copy", "another.v1.Service"}, {"", rpctest.GuardedService},
	} {
		checkAnswer(t, send(t, http.MethodPost, server+"/mcp"+row.query, nil), http.StatusUnauthorized, challengeFor(mcpMetadata, row.service, "", ""), "{}")
	}
}

// TestPoisonedChallenge: the challenge of the response is one well-formed field,
// whatever a backend sends as its challenge (R6750-3.c, R9110-11.c).
func TestPoisonedChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	poison := "x\", evil=\"1\r\nX-Evil: 1\\é"
	server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.WriteError(rw, r, &challenge.DenialError{
			Reason: challenge.ReasonInvalidToken,
			Challenge: challenge.Challenge{
				Scheme: "Bearer", Realm: poison, ResourceMetadataURL: poison, Scopes: []string{poison, "good"}, Error: poison, ErrorDescription: poison,
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

// TestNew: every fault of the configuration is reported at once, with the
// offending value.
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
	var cfg httpbridge.Config
	for origin := range bad {
		cfg.AllowedOrigins = append(cfg.AllowedOrigins, origin)
	}
	bridge, err := httpbridge.New(cfg)
	if bridge != nil || err == nil {
		t.Fatalf("SEED-8: got %v, %v", bridge, err)
	}
	faults := slices.Collect(fault.All(err))
	if len(faults) != len(bad)+1 || faults[0].Error() != "httpbridge: Authorizer: is required" {
		t.Fatalf("SEED-8: got %d faults: %v", len(faults), err)
	}
	for i, origin := range cfg.AllowedOrigins {
		f := faults[i+1]
		if f.Place != fmt.Sprintf("httpbridge: AllowedOrigins[%d]", i) || f.Value != origin || !strings.Contains(f.Reason, bad[origin]) {
			t.Errorf("SEED-8: got %v, want %q for %q", f, bad[origin], origin)
		}
	}
	w := newWorld(t, httpbridge.Config{AllowedOrigins: []string{"https://app.example.com", "http://localhost:3000", "https://[::1]:8443", "chrome-extension://abc"}})
	if _, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer()}); err != nil {
		t.Error(err)
	}
}

// TestConfigIsCopied: a Bridge is immutable.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := httpbridge.Config{AllowedOrigins: []string{"https://app.example.com"}}
	w := newWorld(t, cfg)
	cfg.AllowedOrigins[0] = "https://evil.example.com"
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.PublicService, guarded))
	if got := send(t, http.MethodGet, server+"/mcp", http.Header{"Origin": {"https://evil.example.com"}}); got.status != http.StatusForbidden {
		t.Errorf("MCP-8: got %+v", got)
	}
}
