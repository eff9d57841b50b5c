package httpbridge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// backend is an RPC server behind the door, and calls it with a token.
type backend func(ctx context.Context, token string) error

func newBackend(t *testing.T, w *world) backend {
	t.Helper()
	var handlers rpctest.Handlers
	url := rpctest.ServeHTTP(t, handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer())))
	client := rpctest.H2C(t)
	return func(ctx context.Context, token string) error {
		_, err := rpctest.CallConnect(ctx, client, url, rpctest.GuardedService, rpctest.Unary, bearer(token),
			connect.WithInterceptors(connectauth.NewClientInterceptor()))
		return err
	}
}

var (
	mcpChallenge  = challenge(mcpMetadata, rpctest.GuardedService, "insufficient_scope", saysScope)
	rootChallenge = challenge(rootMetadata, rpctest.GuardedService, "insufficient_scope", saysScope)
	scopeBody     = body("insufficient_scope", saysScope, rpctest.GuardedService)
)

// TestTranslation: however a handler goes about its answer, the denial that a
// backend gave becomes it, with the challenge for the resource that the client
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
			w := newWorld(t, httpbridge.Options{})
			call := newBackend(t, w)
			server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if err := call(r.Context(), tokenRead); err == nil {
					t.Error("the backend let us in")
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

// describing are fields of a content that is not sent.
var describing = map[string]string{
	"Accept-Ranges": "bytes", "Content-Disposition": "attachment", "Content-Encoding": "gzip", "Content-Language": "de",
	"Content-Length": "2", "Content-Location": "/x", "Content-Range": "bytes 0-1/2", "Etag": `"x"`,
	"Expires": "Thu, 01 Jan 2099 00:00:00 GMT", "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT", "Location": "/x", "Trailer": "X-Sum",
	"Age": "1", "Content-Digest": "sha-256=:x:", "Content-Md5": "x", "Digest": "sha-256=x", "Refresh": "0", "Repr-Digest": "sha-256=:x:",
	"Retry-After": "9", "Transfer-Encoding": "chunked",
}

// TestNotTranslated: the answer of the handler stands where it was begun before,
// where there was no denial, and where the handler says so.
func TestNotTranslated(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(w http.ResponseWriter, r *http.Request, call backend){
		"the backend let us in": func(w http.ResponseWriter, r *http.Request, call backend) {
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
		"called for somebody else": func(w http.ResponseWriter, _ *http.Request, call backend) {
			_ = call(context.Background(), tokenRead)
			_, _ = io.WriteString(w, "stands")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpbridge.Options{})
			call := newBackend(t, w)
			server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { respond(rw, r, call) })))
			got := send(t, http.MethodPost, server+"/mcp", nil)
			if got.status != http.StatusOK || got.body != "stands" || got.header.Get("Www-Authenticate") != "" {
				t.Errorf("got %+v", got)
			}
		})
	}
	httpbridge.Dismiss(t.Context(), io.EOF) // Outside of a bridge there is nothing to forget.
}

// TestFirstDenialCounts: it is what stopped the work. Dismiss forgets the one that
// it is given, whether it was the first or not.
func TestFirstDenialCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
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

// TestFirstDenialOfMany: whoever is first, in this goroutine or in another, is
// told, and never a mixture (SEED-1).
func TestFirstDenialOfMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		recorded := recorder.FromContext(r.Context())
		deny := func(denial *interceptor.ChallengeError) { recorded.Deny(denial, denial) }
		deny(&interceptor.ChallengeError{Kind: interceptor.KindInsufficientScope, Challenge: interceptor.Challenge{Realm: "first.v1.First"}})
		var others sync.WaitGroup
		for range 8 {
			others.Go(func() {
				deny(&interceptor.ChallengeError{Kind: interceptor.KindInvalidToken})
				recorded.Answers("/another.v1.Another/Call", &interceptor.ChallengeError{Kind: interceptor.KindUnavailable})
			})
		}
		others.Wait()
		if denial := recorded.Denial(); denial.Kind != interceptor.KindInsufficientScope {
			t.Errorf("recorded %v", denial.Kind)
		}
	})))
	got := send(t, http.MethodPost, server+"/mcp", nil)
	if want := `Bearer realm="first.v1.First", resource_metadata="` + mcpMetadata + `"`; got.status != http.StatusForbidden || got.header.Get("Www-Authenticate") != want {
		t.Errorf("got %+v", got)
	}
}

// TestNativeInProcess: a denial that an RPC handler in the same process has told
// counts if its call was this very request. That of a call which a handler made
// is the handler's to deal with (RPC-4).
func TestNativeInProcess(t *testing.T) {
	t.Parallel()
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	w := newWorld(t, httpbridge.Options{})
	var handlers rpctest.Handlers
	rpc := handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer()))
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		inner := httptest.NewRequest(http.MethodPost, procedure, strings.NewReader(`"hello"`)).WithContext(r.Context())
		inner.Header.Set("Content-Type", "application/json")
		rpc.ServeHTTP(httptest.NewRecorder(), inner)
		http.Error(rw, "no backend", http.StatusBadGateway)
	})))
	for path, want := range map[string]string{
		"/mcp":                    "",
		"/":                       "",
		procedure:                 challenge(rootMetadata, rpctest.GuardedService, "", ""),
		"/api" + procedure:        challenge(rootMetadata, rpctest.GuardedService, "", ""),
		procedure + "/":           "",
		procedure + "x":           "",
		strings.ToUpper("/mcp"):   "",
		"/mcp?x=" + procedure:     "",
		"/" + procedure[1:] + "?": challenge(rootMetadata, rpctest.GuardedService, "", ""),
	} {
		got := send(t, http.MethodPost, server+path, nil)
		if got.status != http.StatusBadGateway || got.body != "no backend\n" || got.header.Get("Www-Authenticate") != want {
			t.Errorf("RPC-4: %s: got %+v", path, got)
		}
	}
}

// TestBackendInProcess: a backend that runs in the same process, and is handed
// the context, is a backend all the same (RPC-3).
func TestBackendInProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	var handlers rpctest.Handlers
	rpc := handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer()))
	client := &http.Client{Transport: inMemory{rpc}}
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := rpctest.CallConnect(r.Context(), client, "http://backend", rpctest.GuardedService, rpctest.Unary, bearer(r.URL.RawQuery),
			connect.WithInterceptors(connectauth.NewClientInterceptor()))
		http.Error(rw, fmt.Sprint(err), http.StatusBadGateway)
	})))
	for _, row := range []struct {
		token           string
		status          int
		challenge, body string
	}{
		{"", 401, challenge(mcpMetadata, rpctest.GuardedService, "", ""), "{}"},
		{tokenBad, 401, challenge(mcpMetadata, rpctest.GuardedService, "invalid_token", saysInvalidToken), body("invalid_token", saysInvalidToken, rpctest.GuardedService)},
		{tokenRead, 403, mcpChallenge, scopeBody},
	} {
		checkAnswer(t, send(t, http.MethodPost, server+"/mcp?"+row.token, nil), row.status, row.challenge, row.body)
	}
	if got := send(t, http.MethodPost, server+"/mcp?"+tokenGood, nil); got.status != http.StatusBadGateway || handlers.Ran() != 1 {
		t.Errorf("let in: got %+v", got)
	}
}

// inMemory is a RoundTripper that serves a request itself, and hands the context
// on.
type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	res := httptest.NewRecorder()
	m.handler.ServeHTTP(res, r)
	return res.Result(), nil
}

// TestKindsOfABackend: each denial of a backend has its HTTP status, and trying
// again is suggested where that helps (MCP-2, RPC-2, RPC-7).
func TestKindsOfABackend(t *testing.T) {
	t.Parallel()
	const service = rpctest.GuardedService
	w := newWorld(t, httpbridge.Options{})
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
		{"", 401, challenge(mcpMetadata, service, "", ""), "{}"},
		{tokenBad, 401, challenge(mcpMetadata, service, "invalid_token", saysInvalidToken), body("invalid_token", saysInvalidToken, service)},
		{tokenRead, 403, mcpChallenge, scopeBody},
		{"two tokens", 400, challenge(mcpMetadata, service, "invalid_request", saysInvalidRequest), body("invalid_request", saysInvalidRequest, service)},
		{tokenDown, 503, "", body("temporarily_unavailable", saysUnavailable, service)},
		{tokenPanic, 500, "", body("server_error", "internal error", service)},
	} {
		t.Run(row.token, func(t *testing.T) {
			t.Parallel()
			checkAnswer(t, send(t, http.MethodPost, server+"/mcp", bearer(row.token)), row.status, row.challenge, row.body)
		})
	}
}

// TestNativeAnswers: what is in an RPC protocol, by the request or by the
// answer, is never rewritten: its clients would not understand (RPC-4).
func TestNativeAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	call := newBackend(t, w)
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = call(r.Context(), tokenRead)
		if answer := r.Header.Get("X-Answer"); answer != "" {
			rw.Header().Set("Content-Type", answer)
		}
		_, _ = io.WriteString(rw, "stands")
	})))
	for _, row := range []struct {
		name   string
		method string
		query  string
		header http.Header
		stands bool
	}{
		{"gRPC", "POST", "", http.Header{"Content-Type": {"application/grpc"}}, true},
		{"gRPC with a codec", "POST", "", http.Header{"Content-Type": {"application/grpc+proto"}}, true},
		{"gRPC-Web", "POST", "", http.Header{"Content-Type": {"application/grpc-web-text"}}, true},
		{"a stream of Connect", "POST", "", http.Header{"Content-Type": {"application/connect+json"}}, true},
		{"Connect", "POST", "", http.Header{"Content-Type": {"application/proto"}}, true},
		{"Connect in JSON", "POST", "", http.Header{"Content-Type": {"application/json"}, "Connect-Protocol-Version": {"1"}}, true},
		{"Connect GET", "GET", "?connect=v1&encoding=json&message=%22%22", nil, true},
		{"upper case", "POST", "", http.Header{"Content-Type": {"Application/GRPC"}}, true},
		{"an answer in gRPC", "POST", "", http.Header{"X-Answer": {"application/grpc-web+proto"}}, true},
		{"an answer of Connect", "POST", "", http.Header{"X-Answer": {"application/connect+proto"}}, true},
		{"JSON", "POST", "", http.Header{"Content-Type": {"application/json"}}, false},
		{"JSON answer", "POST", "", http.Header{"X-Answer": {"application/json"}}, false},
		{"SSE answer", "POST", "", http.Header{"X-Answer": {"text/event-stream"}}, false},
		{"GET with a like query", "GET", "?connect=v2", nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := send(t, row.method, server+"/mcp"+row.query, maps.Clone(row.header))
			if row.stands {
				if got.status != http.StatusOK || got.body != "stands" || got.header.Get("Www-Authenticate") != "" {
					t.Errorf("RPC-4: got %+v", got)
				}
				return
			}
			checkAnswer(t, got, http.StatusForbidden, mcpChallenge, scopeBody)
		})
	}
}

// TestNativeDenials: a denial that an RPC handler tells itself keeps its
// protocol and gains the header, which the gate alone cannot write over gRPC
// (RPC-3, RPC-4).
func TestNativeDenials(t *testing.T) {
	t.Parallel()
	const allowed = "https://app.example.com"
	w := newWorld(t, httpbridge.Options{AllowedOrigins: []string{allowed}})
	var handlers rpctest.Handlers
	connectURL := rpctest.ServeHTTP(t, w.Handler(handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer()))))
	grpcURL := rpctest.ServeHTTP(t, w.Handler(handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer())...)))
	for name, over := range map[string]struct {
		url    string
		option connect.ClientOption
	}{
		"Connect":              {connectURL, connect.WithClientOptions()},
		"Connect in JSON":      {connectURL, connect.WithProtoJSON()},
		"gRPC":                 {connectURL, connect.WithGRPC()},
		"gRPC-Web":             {connectURL, connect.WithGRPCWeb()},
		"grpc-go, ServeHTTP":   {grpcURL, connect.WithGRPC()},
		"Connect, compressing": {connectURL, connect.WithSendGzip()},
	} {
		for _, method := range rpctest.Kinds {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				spy := &headerSpy{next: rpctest.H2C(t)}
				header := bearer(tokenRead)
				header.Set("Origin", allowed)
				_, err := rpctest.CallConnect(t.Context(), spy, over.url, rpctest.GuardedService, method, header, over.option)
				denial, ok := connectauth.FromError(err)
				if !ok || connect.CodeOf(err) != connect.CodePermissionDenied || denial.Challenge.ResourceMetadata != rootMetadata {
					t.Fatalf("RPC-3: got %v", err)
				}
				if got := spy.header().Values("Www-Authenticate"); !slices.Equal(got, []string{rootChallenge}) {
					t.Errorf("RPC-3: got %q", got)
				}
				if exposed := strings.Join(spy.header().Values("Access-Control-Expose-Headers"), ","); !strings.Contains(exposed, "Www-Authenticate") {
					t.Errorf("MCP-11: exposed is %q", exposed)
				}
			})
		}
	}
}

// headerSpy notes the header of an answer.
type headerSpy struct {
	next connect.HTTPClient

	mu   sync.Mutex
	seen http.Header
}

func (s *headerSpy) Do(req *http.Request) (*http.Response, error) {
	res, err := s.next.Do(req)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = res.Header.Clone()
	}
	return res, err
}

func (s *headerSpy) header() http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// TestNesting: a bridge within a bridge adds nothing, wherever the denial is
// met (SEED-1).
func TestNesting(t *testing.T) {
	t.Parallel()
	const allowed = "https://app.example.com"
	w := newWorld(t, httpbridge.Options{AllowedOrigins: []string{allowed}})
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
			for _, name := range []string{"Content-Type", "Content-Length", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control"} {
				if values := got.header.Values(name); len(values) != 1 {
					t.Errorf("%s is %q", name, values)
				}
			}
		})
	}
}

// TestPanicStays: the bridge does not swallow what net/http is to know.
func TestPanicStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
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

// TestConnectJSONStands: a unary answer of Connect in JSON looks like any other,
// and is left alone all the same, whether the client names the protocol or not
// (RPC-4).
func TestConnectJSONStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	call := newBackend(t, w)
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	for name, option := range map[string]connect.HandlerOption{
		"gate":        connectauth.WithAuthorizer(w.Authorizer()),
		"interceptor": connect.WithInterceptors(connectauth.NewInterceptor(w.Authorizer())),
	} {
		mux := http.NewServeMux()
		mux.Handle(procedure, connect.NewUnaryHandler(procedure, func(ctx context.Context, req *connect.Request[rpctest.Message]) (*connect.Response[rpctest.Message], error) {
			_ = call(ctx, tokenRead) // It can do without.
			return connect.NewResponse(req.Msg), nil
		}, option))
		server := rpctest.ServeHTTP(t, w.Handler(mux))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+procedure, strings.NewReader(`"hello"`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = bearer(tokenRoot)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || string(body) != `"hello"` {
			t.Errorf("RPC-4: %s: got %d %s", name, res.StatusCode, body)
		}
	}
}

// TestPanicWritesNothing: what was kept back when a handler panicked is not
// written later, under a recovering middleware.
func TestPanicWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	released := make(chan struct{})
	panicking := w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		recorded := recorder.FromContext(r.Context())
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
