package httpbridge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// backend calls an RPC server with a token.
type backend func(ctx context.Context, raw string) error

func newBackend(t *testing.T, w *world) backend {
	t.Helper()
	var handlers rpctest.Handlers
	url := rpctest.ServeHTTP(t, handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer())))
	client := rpctest.H2C(t)
	return func(ctx context.Context, raw string) error {
		_, err := rpctest.CallConnect(ctx, client, url, rpctest.GuardedService, rpctest.Unary, bearer(raw),
			connect.WithInterceptors(connectauth.NewRelayInterceptor(connectauth.RelayConfig{DangerouslyEveryReason: true})))
		return err
	}
}

var (
	mcpChallenge  = challengeFor(mcpMetadata, rpctest.GuardedService, "insufficient_scope", saysScope)
	rootChallenge = challengeFor(rootMetadata, rpctest.GuardedService, "insufficient_scope", saysScope)
	scopeBody     = body("insufficient_scope", saysScope, rpctest.GuardedService)
)

// TestTranslation: the denial of a backend becomes the response, in whatever way
// the handler writes its own, with the challenge for the resource that the client
// called (SEED-4, MCP-2).
func TestTranslation(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(w http.ResponseWriter, r *http.Request){
		"writes nothing":  func(http.ResponseWriter, *http.Request) {},
		"writes a header": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"writes two headers": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			w.WriteHeader(http.StatusOK)
		},
		"writes a body":       func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, errBackend.Error()) },
		"writes header, body": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, errBackend.Error(), http.StatusBadGateway) },
		"flushes first": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "data: x")
		},
		"controls a flush": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			w.WriteHeader(http.StatusOK)
		},
		"copies from elsewhere": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("long")) },
		"no content":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"not modified":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"from another goroutine": func(w http.ResponseWriter, _ *http.Request) {
			var done sync.WaitGroup
			done.Go(func() { http.Error(w, "late", http.StatusBadGateway) })
			done.Wait()
		},
		"announces first": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			http.Error(w, "then fails", http.StatusBadGateway)
		},
		"describes what it does not send": func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range describing {
				w.Header().Set(name, value)
			}
			_, _ = io.WriteString(w, "\x1f\x8b")
		},
		"has a challenge of its own": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpbridge.Config{})
			call := newBackend(t, w)
			server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if err := call(r.Context(), tokenRead); err == nil {
					t.Error("the backend authorized the call")
				}
				respond(rw, r)
			})))
			for _, method := range []string{http.MethodPost, http.MethodHead} {
				want := scopeBody
				if method == http.MethodHead {
					want = ""
				}
				got := send(t, method, server+"/mcp/tools", nil)
				checkAnswer(t, got, http.StatusForbidden, mcpChallenge, want)
				for name := range describing {
					if name != "Content-Length" && got.header.Get(name) != "" {
						t.Errorf("%s is %q", name, got.header.Get(name))
					}
				}
				if length := got.header.Get("Content-Length"); length != strconv.Itoa(len(scopeBody)) {
					t.Errorf("Content-Length is %s of %d", length, len(scopeBody))
				}
			}
			checkAnswer(t, send(t, http.MethodPost, server+"/other", nil), http.StatusForbidden, rootChallenge, scopeBody)
		})
	}
}

// describing are header fields that describe a body.
var describing = map[string]string{
	"Accept-Ranges": "bytes", "Content-Disposition": "attachment", "Content-Encoding": "gzip", "Content-Language": "de",
	"Content-Length": "2", "Content-Location": "/x", "Content-Range": "bytes 0-1/2", "Etag": `"x"`,
	"Expires": "Thu, 01 Jan 2099 00:00:00 GMT", "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT", "Location": "/x", "Trailer": "X-Sum",
	"Age": "1", "Content-Digest": "sha-256=:x:", "Content-Md5": "x", "Digest": "sha-256=x", "Refresh": "0", "Repr-Digest": "sha-256=:x:",
	"Retry-After": "9", "Transfer-Encoding": "chunked",
}

// TestNotTranslated: the response of the handler stands if it began before the
// denial, if there was no denial, and if the handler dismissed it.
func TestNotTranslated(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(w http.ResponseWriter, r *http.Request, call backend){
		"no denial": func(w http.ResponseWriter, r *http.Request, call backend) {
			_ = call(r.Context(), tokenGood)
			_, _ = io.WriteString(w, "stands")
		},
		"written before": func(w http.ResponseWriter, r *http.Request, call backend) {
			_, _ = io.WriteString(w, "sta")
			_ = call(r.Context(), tokenRead)
			_, _ = io.WriteString(w, "nds")
		},
		"a header written before": func(w http.ResponseWriter, r *http.Request, call backend) {
			w.WriteHeader(http.StatusOK)
			_ = call(r.Context(), tokenRead)
			_, _ = io.WriteString(w, "stands")
		},
		"flushed before": func(w http.ResponseWriter, r *http.Request, call backend) {
			_ = http.NewResponseController(w).Flush()
			_ = call(r.Context(), tokenRead)
			_, _ = io.WriteString(w, "stands")
		},
		"dismissed": func(w http.ResponseWriter, r *http.Request, call backend) {
			httpbridge.Dismiss(r.Context(), call(r.Context(), tokenRead))
			_, _ = io.WriteString(w, "stands")
		},
		"another context": func(w http.ResponseWriter, _ *http.Request, call backend) {
			_ = call(context.Background(), tokenRead)
			_, _ = io.WriteString(w, "stands")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpbridge.Config{})
			call := newBackend(t, w)
			server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { respond(rw, r, call) })))
			got := send(t, http.MethodPost, server+"/mcp", nil)
			if got.status != http.StatusOK || got.body != "stands" || got.header.Get("Www-Authenticate") != "" {
				t.Errorf("got %+v", got)
			}
		})
	}
	httpbridge.Dismiss(t.Context(), io.EOF) // It does nothing outside of a bridge.
}

// TestFirstDenialCounts: the first denial becomes the response. Dismiss forgets the
// one that it is given, whether it was the first or not.
func TestFirstDenialCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	call := newBackend(t, w)
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		first := call(r.Context(), tokenBad)
		second := call(r.Context(), tokenRead)
		switch r.URL.Path {
		case "/dismiss/first":
			httpbridge.Dismiss(r.Context(), fmt.Errorf("wrapped: %w", first))
		case "/dismiss/second":
			httpbridge.Dismiss(r.Context(), second)
		case "/dismiss/both":
			httpbridge.Dismiss(r.Context(), errors.Join(first, second))
		}
	})))
	for path, want := range map[string]int{
		"/":               http.StatusUnauthorized,
		"/dismiss/first":  http.StatusForbidden,
		"/dismiss/second": http.StatusUnauthorized,
		"/dismiss/both":   http.StatusOK,
	} {
		if got := send(t, http.MethodPost, server+path, nil); got.status != want {
			t.Errorf("%s: got %+v, want %d", path, got, want)
		}
	}
}

// TestFirstDenialOfMany: with concurrent denials, the first one becomes the
// response, and never a mixture (SEED-1).
func TestFirstDenialOfMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		recorded := exchange.FromContext(r.Context())
		deny := func(denial *challenge.DenialError) { recorded.Denials.Deny(denial, denial) }
		deny(&challenge.DenialError{Reason: challenge.ReasonInsufficientScope, Challenge: challenge.Challenge{Realm: "first.v1.First"}})
		var others sync.WaitGroup
		for range 8 {
			others.Go(func() {
				deny(&challenge.DenialError{Reason: challenge.ReasonInvalidToken})
				recorded.Native.Claim("/another.v1.Another/Call", &challenge.DenialError{Reason: challenge.ReasonUnavailable})
			})
		}
		others.Wait()
		if denial := recorded.Denials.Denial(); denial.Reason != challenge.ReasonInsufficientScope {
			t.Errorf("recorded %v", denial.Reason)
		}
	})))
	got := send(t, http.MethodPost, server+"/mcp", nil)
	if want := `Bearer realm="first.v1.First", resource_metadata="` + mcpMetadata + `"`; got.status != http.StatusForbidden || got.header.Get("Www-Authenticate") != want {
		t.Errorf("got %+v", got)
	}
}

// TestReasonsOfABackend: each denial of a backend has its HTTP status, and a retry
// time where a retry helps (MCP-2, RPC-2, RPC-7).
func TestReasonsOfABackend(t *testing.T) {
	t.Parallel()
	const service = rpctest.GuardedService
	w := newWorld(t, httpbridge.Config{})
	call := newBackend(t, w)
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		err := call(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		http.Error(rw, err.Error(), http.StatusBadGateway)
	})))
	for _, row := range []struct {
		token     string
		status    int
		challenge string
		body      string
	}{
		{"", 401, challengeFor(mcpMetadata, service, "", ""), "{}"},
		{tokenBad, 401, challengeFor(mcpMetadata, service, "invalid_token", saysInvalidToken), body("invalid_token", saysInvalidToken, service)},
		{tokenRead, 403, mcpChallenge, scopeBody},
		{"two tokens", 400, challengeFor(mcpMetadata, service, "invalid_request", saysInvalidRequest), body("invalid_request", saysInvalidRequest, service)},
		{tokenDown, 503, "", body("temporarily_unavailable", saysUnavailable, service)},
		{tokenPanic, 500, "", body("server_error", "internal error", service)},
	} {
		t.Run(row.token, func(t *testing.T) {
			t.Parallel()
			checkAnswer(t, send(t, http.MethodPost, server+"/mcp", bearer(row.token)), row.status, row.challenge, row.body)
		})
	}
}

// TestNesting: a bridge within a bridge adds nothing, wherever the denial is met
// (SEED-1).
func TestNesting(t *testing.T) {
	t.Parallel()
	const allowed = "https://app.example.com"
	w := newWorld(t, httpbridge.Config{AllowedOrigins: []string{allowed}})
	call := newBackend(t, w)
	inner := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = call(r.Context(), tokenRead)
		rw.WriteHeader(http.StatusBadGateway)
	})
	for name, handler := range map[string]http.Handler{
		"Handler in Handler": w.Handler(w.Handler(inner)),
		"Handler in Protect": w.Protect(rpctest.GuardedService, w.Handler(inner)),
		"Protect in Handler": w.Handler(w.Protect(rpctest.GuardedService, inner)),
		"Protect in Protect": w.Protect(rpctest.GuardedService, w.Protect(rpctest.GuardedService, inner)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := bearer(tokenGood)
			header.Set("Origin", allowed)
			got := send(t, http.MethodPost, rpctest.ServeHTTP(t, handler)+"/mcp", header)
			checkAnswer(t, got, http.StatusForbidden, mcpChallenge, scopeBody)
			for _, name := range []string{"Content-Type", "Content-Length", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control", "Vary"} {
				if values := got.header.Values(name); len(values) != 1 {
					t.Errorf("%s is %q", name, values)
				}
			}
		})
	}
}

// TestScopesOnTheWay: the challenge asks for the scopes of the backend and of every
// guard on the way to it, because some clients request the scopes of the last
// challenge alone (MCP-4).
func TestScopesOnTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{},
		withService("a", policy.Rule{Scopes: []string{"a"}}),
		withService("b", policy.Rule{Scopes: []string{"b"}}),
		func(cfg *drawbridge.Config) {
			cfg.Verifier = knownTokens{"ab": {Issuer: login, Audience: []string{resource, mcpResource}, Scopes: []string{"a", "b"}}}
		})
	call := newBackend(t, w)
	inner := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _ = call(r.Context(), "ab") })
	for _, row := range []struct {
		name    string
		handler http.Handler
		scopes  string
	}{
		{"Handler", w.Handler(inner), "guarded:write"},
		{"Protect", w.Protect("a", inner), "guarded:write a"},
		{"Handler in Protect", w.Protect("a", w.Handler(inner)), "guarded:write a"},
		{"Protect in Handler", w.Handler(w.Protect("a", inner)), "guarded:write a"},
		{"Handler in Protect in Protect", w.Protect("a", w.Protect("b", w.Handler(inner))), "guarded:write b a"},
		{"Protect in Protect", w.Protect("a", w.Protect("b", inner)), "guarded:write b a"},
		{"the same Protect twice", w.Protect("a", w.Protect("a", inner)), "guarded:write a"},
		{"three levels", w.Handler(w.Protect("b", w.Protect("a", inner))), "guarded:write a b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			want := strings.Replace(mcpChallenge, `scope="guarded:write"`, fmt.Sprintf("scope=%q", row.scopes), 1)
			checkAnswer(t, send(t, http.MethodPost, rpctest.ServeHTTP(t, row.handler)+"/mcp", bearer("ab")), http.StatusForbidden, want, scopeBody)
		})
	}
}

// TestPanicStays: the panic of a handler reaches net/http.
func TestPanicStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := rpctest.H2C(t).Do(req)
	if err == nil {
		res.Body.Close()
		t.Errorf("got %d", res.StatusCode)
	}
	if errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPanicWritesNothing: what was held when a handler panicked is not written
// later, under a middleware that recovers.
func TestPanicWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	released := make(chan struct{})
	panicking := w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		recorded := exchange.FromContext(r.Context())
		recorded.Hold(func([]byte) bool { return true })
		_, _ = io.WriteString(rw, "early")
		go func() {
			<-released
			recorded.Release()
			released <- struct{}{}
		}()
		panic("boom")
	}))
	server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer func() {
			_ = recover()
			released <- struct{}{}
			<-released
			_, _ = io.WriteString(rw, "recovered")
		}()
		panicking.ServeHTTP(rw, r)
	}))
	if got := send(t, http.MethodPost, server+"/mcp", nil); got.body != "recovered" {
		t.Errorf("got %+v", got)
	}
}
