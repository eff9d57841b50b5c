package httpbridge_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestNativeResponses: a response with the content type of an RPC protocol is
// never replaced, because its client would not understand (RPC-4). The header
// fields and the query of the request do not count: a caller must not be able to
// choose whether it sees the denial.
func TestNativeResponses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	call := newBackend(t, w)
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = call(r.Context(), tokenRead)
		if contentType := r.Header.Get("X-Response"); contentType != "" {
			rw.Header().Set("Content-Type", contentType)
		}
		if r.Header.Get("X-Silent") == "" {
			_, _ = io.WriteString(rw, "stands")
		}
	})
	servers := map[string]string{
		"Handler": rpctest.ServeHTTP(t, w.Handler(handler)),
		"Protect": rpctest.ServeHTTP(t, w.Protect(rpctest.GuardedService, handler)),
	}
	for _, row := range []struct {
		name   string
		method string
		query  string
		header http.Header
		stands bool
	}{
		{"gRPC", "POST", "", http.Header{"X-Response": {"application/grpc"}}, true},
		{"gRPC with a codec", "POST", "", http.Header{"X-Response": {"application/grpc+proto"}}, true},
		{"gRPC-Web", "POST", "", http.Header{"X-Response": {"application/grpc-web+proto"}}, true},
		{"gRPC-Web in text", "POST", "", http.Header{"X-Response": {"application/grpc-web-text"}}, true},
		{"a stream of Connect", "POST", "", http.Header{"X-Response": {"application/connect+json"}}, true},
		{"unary Connect", "POST", "", http.Header{"X-Response": {"application/proto"}}, true},
		{"upper case", "POST", "", http.Header{"X-Response": {"Application/GRPC"}}, true},
		{"JSON", "POST", "", http.Header{"X-Response": {"application/json"}}, false},
		{"SSE", "POST", "", http.Header{"X-Response": {"text/event-stream"}}, false},
		{"no content type", "POST", "", nil, false},
		{"a JSON request", "POST", "", http.Header{"Content-Type": {"application/json"}}, false},
		{"hostile: a gRPC request", "POST", "", http.Header{"Content-Type": {"application/grpc"}}, false},
		{"hostile: a gRPC request, nothing written", "POST", "", http.Header{"Content-Type": {"application/grpc"}, "X-Silent": {"1"}}, false},
		{"hostile: a gRPC request with a codec", "POST", "", http.Header{"Content-Type": {"application/grpc+proto"}}, false},
		{"hostile: a gRPC-Web request", "POST", "", http.Header{"Content-Type": {"application/grpc-web-text"}}, false},
		{"hostile: a stream of Connect", "POST", "", http.Header{"Content-Type": {"application/connect+json"}}, false},
		{"hostile: a Connect request", "POST", "", http.Header{"Content-Type": {"application/proto"}}, false},
		{"hostile: a Connect request in JSON", "POST", "", http.Header{"Content-Type": {"application/json"}, "Connect-Protocol-Version": {"1"}}, false},
		{"hostile: upper case", "POST", "", http.Header{"Content-Type": {"Application/GRPC"}}, false},
		{"hostile: a version of Connect alone", "GET", "", http.Header{"Connect-Protocol-Version": {"1"}}, false},
		{"hostile: a GET of Connect", "GET", "?connect=v1&encoding=json&message=%22%22", nil, false},
		{"hostile: a GET with everything", "GET", "?connect=v1", http.Header{"Content-Type": {"application/grpc"}, "Connect-Protocol-Version": {"1"}}, false},
		{"a GET with another version", "GET", "?connect=v2", nil, false},
	} {
		for name, server := range servers {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				header := bearer(tokenGood)
				maps.Copy(header, row.header)
				got := send(t, row.method, server+"/mcp"+row.query, header)
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
}

// TestClaimedResponses: an RPC handler that answers this very request is left
// alone, even if it writes nothing or a content type that others use too (RPC-4).
func TestClaimedResponses(t *testing.T) {
	t.Parallel()
	const procedure = "/any.v1.Any/Call"
	w := newWorld(t, httpbridge.Config{})
	for _, row := range []struct {
		name, path string
		respond    func(http.ResponseWriter)
		want       answer
	}{
		{"nothing", procedure, func(http.ResponseWriter) {}, answer{status: http.StatusOK}},
		{"nothing, below a prefix", "/api" + procedure, func(http.ResponseWriter) {}, answer{status: http.StatusOK}},
		{"a status", procedure, func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusTooManyRequests) }, answer{status: http.StatusTooManyRequests}},
		{"JSON", procedure, func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, "{}")
		}, answer{status: http.StatusOK, body: "{}"}},
		{"a codec of one's own", procedure, func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "Application/CBOR")
			_, _ = io.WriteString(rw, "{}")
		}, answer{status: http.StatusOK, body: "{}"}},
		{"a page", procedure, func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(rw, "<html>")
		}, answer{status: http.StatusForbidden, body: deniedBody}},
		{"a content type that is none", procedure, func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "application/")
			_, _ = io.WriteString(rw, "{}")
		}, answer{status: http.StatusForbidden, body: deniedBody}},
		{"another procedure", "/any.v1.Any/Other", func(http.ResponseWriter) {}, answer{status: http.StatusForbidden, body: deniedBody}},
		{"a longer path", procedure + "/more", func(http.ResponseWriter) {}, answer{status: http.StatusForbidden, body: deniedBody}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				interceptor.Answer(r.Context(), procedure, nil)
				interceptor.Relay(r.Context(), denied, denied)
				row.respond(rw)
			})))
			got := send(t, http.MethodPost, server+row.path, nil)
			if got.status != row.want.status || got.body != row.want.body {
				t.Errorf("RPC-4: got %+v, want %+v", got, row.want)
			}
		})
	}
}

// TestNativeDenials: a denial that an RPC handler writes keeps its protocol and
// gains the header, which the gate cannot write over gRPC (RPC-3, RPC-4).
func TestNativeDenials(t *testing.T) {
	t.Parallel()
	const allowed = "https://app.example.com"
	w := newWorld(t, httpbridge.Config{AllowedOrigins: []string{allowed}})
	var handlers rpctest.Handlers
	connectURL := rpctest.ServeHTTP(t, w.Handler(handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer()))))
	guardURL := rpctest.ServeHTTP(t, w.Handler(connectauth.Guard(w.Authorizer(), handlers.ConnectMux())))
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
		"Guard, Connect":       {guardURL, connect.WithClientOptions()},
		"Guard, gRPC":          {guardURL, connect.WithGRPC()},
		"Guard, gRPC-Web":      {guardURL, connect.WithGRPCWeb()},
	} {
		for _, method := range rpctest.Kinds {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				spy := &headerSpy{next: rpctest.H2C(t)}
				header := bearer(tokenRead)
				header.Set("Origin", allowed)
				_, err := rpctest.CallConnect(t.Context(), spy, over.url, rpctest.GuardedService, method, header, over.option)
				denial, ok := connectauth.FromError(err)
				if !ok || connect.CodeOf(err) != connect.CodePermissionDenied || denial.Challenge.ResourceMetadataURL != rootMetadata {
					t.Fatalf("RPC-3: got %v", err)
				}
				if got := spy.header().Values("Www-Authenticate"); !slices.Equal(got, []string{rootChallenge}) {
					t.Errorf("RPC-3: got %q", got)
				}
				if exposed := strings.ToLower(strings.Join(spy.header().Values("Access-Control-Expose-Headers"), ",")); !strings.Contains(exposed, "www-authenticate") {
					t.Errorf("MCP-11: exposed is %q", exposed)
				}
			})
		}
	}
}

// TestOwnOriginReadsNative: the challenge of a response in an RPC protocol is exposed
// to a page at the origin of a resource, too, and nothing is where there is no
// challenge (MCP-11).
func TestOwnOriginReadsNative(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	var handlers rpctest.Handlers
	for name, handler := range map[string]http.Handler{
		"WithAuthorizer": handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer())),
		"Guard":          connectauth.Guard(w.Authorizer(), handlers.ConnectMux()),
	} {
		server := rpctest.ServeHTTP(t, w.Handler(handler))
		for _, contentType := range []string{"application/json", "application/grpc-web+proto"} {
			for token, want := range map[string]string{"": "WWW-Authenticate", tokenDown: ""} {
				header := bearer(token)
				header.Set("Origin", resource)
				header.Set("Content-Type", contentType)
				got := send(t, http.MethodPost, server+rpctest.Procedure(rpctest.GuardedService, rpctest.Unary), header)
				if exposed := got.header.Get("Access-Control-Expose-Headers"); exposed != want {
					t.Errorf("MCP-11: %s, %s, token %q: exposed is %q, want %q", name, contentType, token, exposed, want)
				}
			}
		}
	}
}

// TestGuardedSilence: a handler behind a guard writes nothing, and the denial that it
// met becomes the response (RPC-4).
func TestGuardedSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	silent := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { interceptor.Relay(r.Context(), denied, denied) })
	server := rpctest.ServeHTTP(t, w.Handler(connectauth.Guard(w.Authorizer(), silent)))
	checkAnswer(t, send(t, http.MethodPost, server+"/mcp", nil), http.StatusForbidden, deniedChallenge, deniedBody)
}

// headerSpy keeps the header of a response.
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

// TestNativeInProcess: the denial of an RPC handler in the same process counts if
// its call was this very request. A handler that makes a call itself handles the
// denial of that call (RPC-4).
func TestNativeInProcess(t *testing.T) {
	t.Parallel()
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	w := newWorld(t, httpbridge.Config{})
	var handlers rpctest.Handlers
	rpc := handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer()))
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		inner := httptest.NewRequest(http.MethodPost, procedure, strings.NewReader(`"hello"`)).WithContext(r.Context())
		inner.Header.Set("Content-Type", "application/json")
		rpc.ServeHTTP(httptest.NewRecorder(), inner)
		rw.Header().Set("Content-Type", r.Header.Get("X-Response"))
		rw.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(rw, "no backend")
	})))
	for path, want := range map[string]string{
		"/mcp":                    "",
		"/":                       "",
		procedure:                 challengeFor(rootMetadata, rpctest.GuardedService, "", ""),
		"/api" + procedure:        challengeFor(rootMetadata, rpctest.GuardedService, "", ""),
		procedure + "/":           "",
		procedure + "x":           "",
		strings.ToUpper("/mcp"):   "",
		"/mcp?x=" + procedure:     "",
		"/" + procedure[1:] + "?": challengeFor(rootMetadata, rpctest.GuardedService, "", ""),
	} {
		got := send(t, http.MethodPost, server+path, http.Header{"X-Response": {"application/json"}})
		if got.status != http.StatusBadGateway || got.body != "no backend" || got.header.Get("Www-Authenticate") != want {
			t.Errorf("RPC-4: %s: got %+v", path, got)
		}
		got = send(t, http.MethodPost, server+path, http.Header{"X-Response": {"text/plain"}})
		if got.status != http.StatusBadGateway || got.body != "no backend" || got.header.Get("Www-Authenticate") != "" {
			t.Errorf("RPC-4: %s, a text, which no RPC handler answers with: got %+v", path, got)
		}
	}
}

// TestBackendInProcess: a backend that runs in the same process and receives the
// context is treated as any other backend (RPC-3).
func TestBackendInProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	var handlers rpctest.Handlers
	rpc := handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer()))
	client := &http.Client{Transport: inMemory{rpc}}
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := rpctest.CallConnect(r.Context(), client, "http://backend", rpctest.GuardedService, rpctest.Unary, bearer(r.URL.RawQuery),
			connect.WithInterceptors(connectauth.NewRelayInterceptor(connectauth.RelayConfig{DangerouslyEveryReason: true})))
		http.Error(rw, fmt.Sprint(err), http.StatusBadGateway)
	})))
	for _, row := range []struct {
		token           string
		status          int
		challenge, body string
	}{
		{"", 401, challengeFor(mcpMetadata, rpctest.GuardedService, "", ""), "{}"},
		{tokenBad, 401, challengeFor(mcpMetadata, rpctest.GuardedService, "invalid_token", saysInvalidToken), body("invalid_token", saysInvalidToken, rpctest.GuardedService)},
		{tokenRead, 403, mcpChallenge, scopeBody},
	} {
		checkAnswer(t, send(t, http.MethodPost, server+"/mcp?"+row.token, nil), row.status, row.challenge, row.body)
	}
	if got := send(t, http.MethodPost, server+"/mcp?"+tokenGood, nil); got.status != http.StatusBadGateway || handlers.Ran() != 1 {
		t.Errorf("authorized: got %+v", got)
	}
}

// inMemory is a RoundTripper that serves a request itself, with its context.
type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	res := httptest.NewRecorder()
	m.handler.ServeHTTP(res, r)
	return res.Result(), nil
}

// TestConnectJSONStands: a unary response of Connect in JSON, which looks like any
// other JSON, is left alone, whether the client names the protocol or not (RPC-4).
func TestConnectJSONStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	call := newBackend(t, w)
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	serve := func(options ...connect.HandlerOption) http.Handler {
		mux := http.NewServeMux()
		mux.Handle(procedure, connect.NewUnaryHandler(procedure, func(ctx context.Context, req *connect.Request[rpctest.Message]) (*connect.Response[rpctest.Message], error) {
			_ = call(ctx, tokenRead) // It can do without the backend.
			return connect.NewResponse(req.Msg), nil
		}, options...))
		return mux
	}
	for name, handler := range map[string]http.Handler{
		"WithAuthorizer": serve(connectauth.WithAuthorizer(w.Authorizer())),
		"interceptor":    serve(connect.WithInterceptors(connectauth.NewInterceptor(w.Authorizer()))),
		"Guard":          connectauth.Guard(w.Authorizer(), serve()),
	} {
		server := rpctest.ServeHTTP(t, w.Handler(handler))
		for _, version := range []string{"", "1"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+procedure, strings.NewReader(`"hello"`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = bearer(tokenRoot)
			req.Header.Set("Content-Type", "application/json")
			if version != "" {
				req.Header.Set("Connect-Protocol-Version", version)
			}
			if got := do(t, req); got.status != http.StatusOK || got.body != `"hello"` {
				t.Errorf("RPC-4: %s, version %q: got %+v", name, version, got)
			}
		}
	}
}
