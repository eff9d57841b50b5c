package drawbridge_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// answer is what a caller gets over any protocol. Fields that a protocol does not
// have stay zero.
type answer struct {
	message   string                  // of a call that was let in
	code      codes.Code              // of a call that was denied
	challenge *drawbridgev1.Challenge // the status detail
	info      *errdetails.ErrorInfo   // that beside it
	retry     bool                    // the status says when to try again
	header    string                  // WWW-Authenticate
	http      int                     // status
	body      string                  // of the bridge alone
}

// transport is a way to reach the services.
type transport struct {
	name string
	// rpc means that denials are RPC errors; otherwise they are HTTP responses.
	rpc bool
	// httpStatus returns the HTTP status of a denial, 0 if the client does not
	// expose it.
	httpStatus func(method string, reason challenge.Reason) int
	call       func(t *testing.T, service, method string, authorization []string) answer
}

// servers are all kinds of servers, guarded by one Authorizer.
type servers struct {
	handlers   rpctest.Handlers
	log        journal
	transports []transport
}

func newServers(t *testing.T, issuer *authtest.Issuer) *servers {
	t.Helper()
	s := new(servers)
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: base, AuthorizationServers: []string{issuer.URL}}},
		Policy:    rpctest.Policy(),
		Verifier:  jwt,
		Logger:    slog.New(&s.log),
	})
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		t.Fatal(err)
	}

	mux := s.handlers.ConnectMux(connectauth.WithAuthorizer(authorizer))
	mux.Handle("/", connectauth.NotFoundHandler(authorizer))
	connectURL := rpctest.ServeHTTP(t, bridge.Handler(mux))
	guardURL := rpctest.ServeHTTP(t, connectauth.Guard(authorizer, s.handlers.ConnectMux()))
	bothURL := rpctest.ServeHTTP(t, bridge.Handler(connectauth.Guard(authorizer, mux)))

	backend := rpctest.ServeGRPC(t, s.handlers.GRPCServer(grpcauth.ServerOptions(authorizer)...))
	direct := rpctest.DialGRPC(t, backend)
	bridged := rpctest.DialGRPC(t, backend, grpcauth.RelayDialOptions(grpcauth.RelayConfig{DangerouslyEveryReason: true})...)
	bridgeURL := rpctest.ServeHTTP(t, bridge.Handler(plainHandler(bridged)))

	always200 := func(string, challenge.Reason) int { return http.StatusOK }
	s.transports = []transport{
		{"Connect", true, connectStatus, callConnect(connectURL)},
		{"gRPC to connect-go", true, always200, callConnect(connectURL, connect.WithGRPC())},
		{"gRPC-Web", true, always200, callConnect(connectURL, connect.WithGRPCWeb())},
		{"Connect, guard", true, connectStatus, callConnect(guardURL)},
		{"gRPC to connect-go, guard", true, always200, callConnect(guardURL, connect.WithGRPC())},
		{"gRPC-Web, guard", true, always200, callConnect(guardURL, connect.WithGRPCWeb())},
		{"Connect, guard and option below the bridge", true, connectStatus, callConnect(bothURL)},
		{"gRPC to grpc-go", true, func(string, challenge.Reason) int { return 0 }, callGRPC(direct)},
		{"bridge to grpc-go", false, func(_ string, reason challenge.Reason) int { return reason.HTTPStatus() }, callBridge(bridgeURL)},
	}
	return s
}

// connectStatus is real for unary calls; streams are 200 by protocol.
func connectStatus(method string, reason challenge.Reason) int {
	switch {
	case method != rpctest.Unary:
		return http.StatusOK
	case reason == challenge.ReasonNotFound:
		return http.StatusNotImplemented // connect-go's own for unimplemented (RPC-8)
	default:
		return reason.HTTPStatus()
	}
}

// plainHandler does not authorize: it calls the backend with the credentials of
// its caller, and responds with 502 when that fails.
func plainHandler(backend *grpc.ClientConn) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{service}/{method}", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		for _, value := range r.Header["Authorization"] {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
		}
		message, err := rpctest.CallGRPC(ctx, backend, r.PathValue("service"), r.PathValue("method"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, message)
	})
	return mux
}

func callConnect(url string, options ...connect.ClientOption) func(*testing.T, string, string, []string) answer {
	return func(t *testing.T, service, method string, authorization []string) answer {
		t.Helper()
		spy := &statusSpy{RoundTripper: rpctest.H2C(t).Transport}
		header := make(http.Header)
		if authorization != nil {
			header["Authorization"] = authorization
		}
		message, err := rpctest.CallConnect(t.Context(), &http.Client{Transport: spy}, url, service, method, header, options...)
		got := answer{message: message, http: spy.seen()}
		if err == nil {
			return got
		}
		var refused *connect.Error
		if !errors.As(err, &refused) {
			t.Fatalf("%v is not an error of Connect", err)
		}
		got.code = codes.Code(refused.Code())
		got.header = strings.Join(refused.Meta().Values("Www-Authenticate"), "; ") // once (RPC-3)
		for _, detail := range refused.Details() {
			value, err := detail.Value()
			if err != nil {
				t.Fatal(err)
			}
			got.note(t, value)
		}
		return got
	}
}

func callGRPC(conn *grpc.ClientConn) func(*testing.T, string, string, []string) answer {
	return func(t *testing.T, service, method string, authorization []string) answer {
		t.Helper()
		ctx := t.Context()
		for _, value := range authorization {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
		}
		var header metadata.MD
		message, err := rpctest.CallGRPC(ctx, conn, service, method, grpc.Header(&header))
		got := answer{message: message, code: status.Code(err)}
		got.header = strings.Join(header.Get("www-authenticate"), "; ")
		for _, detail := range status.Convert(err).Details() {
			got.note(t, detail)
		}
		return got
	}
}

func callBridge(url string) func(*testing.T, string, string, []string) answer {
	return func(t *testing.T, service, method string, authorization []string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+rpctest.Procedure(service, method), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != nil {
			req.Header["Authorization"] = authorization
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		got := answer{http: res.StatusCode, header: strings.Join(res.Header.Values("Www-Authenticate"), "; ")}
		if res.StatusCode == http.StatusOK {
			got.message = string(body)
			return got
		}
		if contentType := res.Header.Get("Content-Type"); contentType != "application/json" {
			t.Errorf("SEED-9: Content-Type is %q", contentType)
		}
		got.body = string(body)
		got.retry = res.Header.Get("Retry-After") != ""
		return got
	}
}

func (a *answer) note(t *testing.T, detail any) {
	t.Helper()
	switch detail := detail.(type) {
	case *drawbridgev1.Challenge:
		if a.challenge != nil {
			t.Error("RPC-3: a second Challenge")
		}
		a.challenge = detail
	case *errdetails.ErrorInfo:
		a.info = detail
	case *errdetails.RetryInfo:
		a.retry = detail.GetRetryDelay().AsDuration() > 0
	}
}

// TestEveryProtocol: every protocol, every kind of stream, every reason (RPC-1,
// RPC-2, RPC-3, RPC-4, RPC-6, RPC-8, RPC-11).
func TestEveryProtocol(t *testing.T) {
	t.Parallel()
	issuer, other := authtest.NewIssuer(t), authtest.NewIssuer(t)
	// R8707-2: the audience is the resource, and nothing else.
	good := authtest.Token{Subject: "ada", Audience: []string{base}, Scope: rpctest.ScopeWrite}
	with := func(change func(*authtest.Token)) []string {
		changed := good
		change(&changed)
		return bearer(issuer.Mint(changed))
	}
	for _, row := range []struct {
		name          string
		service       string
		authorization []string
		want          challenge.Reason
		from          string // the caller that a handler names, or the sentence of a denial if it is not that of the reason
	}{
		{"no token (SEED-2, R6750-3.1.a)", rpctest.GuardedService, nil, challenge.ReasonNoCredentials, ""},
		{"unsupported scheme (R6750-3.1.a)", rpctest.GuardedService, []string{"Basic YTpi"}, challenge.ReasonNoCredentials, ""},
		{"scheme without a token (R6750-3.1.b)", rpctest.GuardedService, []string{"Bearer"}, challenge.ReasonInvalidRequest, ""},
		{"two tokens in a field (R6750-2.b)", rpctest.GuardedService, []string{"Bearer a b"}, challenge.ReasonInvalidRequest, ""},
		{"two fields (R6750-2.b)", rpctest.GuardedService, []string{"Bearer a", "Bearer b"}, challenge.ReasonInvalidRequest, ""},
		{"malformed token (SEED-3)", rpctest.GuardedService, bearer("not-a-jwt"), challenge.ReasonInvalidToken, ""},
		{"expired (R9068-4.b)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Lifetime = -time.Hour }), challenge.ReasonInvalidToken, ""},
		{"wrong audience (R8707-2, MCP-7)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Audience = []string{"https://other.example.com"} }), challenge.ReasonInvalidToken, "the access token was issued for another resource"},
		{"no audience (R8725-3.9)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Audience = nil }), challenge.ReasonInvalidToken, ""},
		{"wrong issuer (R8725-3.8)", rpctest.GuardedService, bearer(other.Mint(good)), challenge.ReasonInvalidToken, ""},
		{"missing scope (SEED-4, MCP-4)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Scope = rpctest.ScopeRead }), challenge.ReasonInsufficientScope, ""},
		{"sufficient (R6750-2.a)", rpctest.GuardedService, with(func(*authtest.Token) {}), letIn, "ada"},
		{"scheme in lower case (R6750-2.a)", rpctest.GuardedService, []string{"bearer " + issuer.Mint(good)}, letIn, "ada"},
		{"implied scope (MCP-5)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Scope = rpctest.ScopeAdmin }), letIn, "ada"},
		{"public without a token", rpctest.PublicService, nil, letIn, unnamed},
		{"public with a bad token", rpctest.PublicService, bearer("not-a-jwt"), letIn, unnamed},
		{"unknown service without a token (SEED-7)", rpctest.NowhereService, nil, challenge.ReasonNoCredentials, ""},
		{"unknown service with a bad token (SEED-7)", rpctest.NowhereService, bearer("not-a-jwt"), challenge.ReasonInvalidToken, ""},
		{"unknown service with a good token (SEED-7, RPC-6)", rpctest.NowhereService, with(func(*authtest.Token) {}), challenge.ReasonNotFound, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newServers(t, issuer)
			s.each(t, func(t *testing.T, over transport, method string) {
				before := s.handlers.Ran()
				got := over.call(t, row.service, method, row.authorization)
				if row.want == letIn {
					want := answer{message: "hello from " + row.from, http: got.http}
					if got != want {
						t.Errorf("got %+v, want %+v", got, want)
					}
					return
				}
				if s.handlers.Ran() != before {
					t.Error("RPC-1: a handler ran")
				}
				check(t, over, method, row.service, row.want, row.from, got)
				wantWarning(t, &s.log, row.service, row.want)
			})
		})
	}
}

// TestIssuerDown: an outage is never a 401, because a client that gets one
// discards its token (RPC-2).
func TestIssuerDown(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	raw := issuer.Mint(authtest.Token{Audience: []string{base}, Scope: rpctest.ScopeWrite})
	issuer.Down()
	s := newServers(t, issuer)
	s.each(t, func(t *testing.T, over transport, method string) {
		got := over.call(t, rpctest.GuardedService, method, bearer(raw))
		check(t, over, method, rpctest.GuardedService, challenge.ReasonUnavailable, "", got)
		wantWarning(t, &s.log, rpctest.GuardedService, challenge.ReasonUnavailable)
		if got := over.call(t, rpctest.PublicService, method, nil); got.message != "hello from "+unnamed {
			t.Errorf("the public service is unavailable too: %+v", got)
		}
	})
}

// unnamed is the name by which handlers greet a caller without a token.
var unnamed = strings.TrimPrefix(rpctest.Greeting(context.Background(), ""), " from ")

// each runs test for every transport and method, one after the other.
func (s *servers) each(t *testing.T, test func(t *testing.T, over transport, method string)) {
	t.Helper()
	for _, over := range s.transports {
		for _, method := range rpctest.Kinds {
			t.Run(over.name+"/"+method, func(t *testing.T) { test(t, over, method) })
		}
	}
}

// check compares a denial with the promises of its reason.
func check(t *testing.T, over transport, method, service string, reason challenge.Reason, description string, got answer) {
	t.Helper()
	detail, header, body := promised(service, reason, description)
	want := answer{http: over.httpStatus(method, reason), header: header, retry: reason == challenge.ReasonUnavailable}
	if over.rpc {
		want.code = codes.Code(reason.RPCCode())
		if !proto.Equal(got.challenge, detail) {
			t.Errorf("RPC-3: detail\n got %v\nwant %v", got.challenge, detail)
		}
		if want := infoOf(detail, reason); !proto.Equal(got.info, want) {
			t.Errorf("RPC-11: got %v, want %v", got.info, want)
		}
		got.challenge, got.info = nil, nil
	} else {
		want.body = body
	}
	if got != want {
		t.Errorf("denial\n got %+v\nwant %+v", got, want)
	}
}

// infoOf returns the ErrorInfo that repeats a challenge.
func infoOf(detail *drawbridgev1.Challenge, reason challenge.Reason) *errdetails.ErrorInfo {
	info := &errdetails.ErrorInfo{
		Reason: strings.ToUpper(reason.String()), Domain: "drawbridge.v1",
		Metadata: map[string]string{"service": detail.GetRealm(), "resource_metadata": detail.GetResourceMetadata()},
	}
	if scopes := detail.GetScopes(); len(scopes) > 0 {
		info.Metadata["scopes"] = strings.Join(scopes, " ")
	}
	return info
}

// promised returns detail, header and body of a denial, with every sentence
// written out, because clients depend on them.
func promised(service string, reason challenge.Reason, description string) (*drawbridgev1.Challenge, string, string) {
	texts := map[challenge.Reason][2]string{
		challenge.ReasonInvalidRequest:    {"invalid_request", "the credentials are malformed"},
		challenge.ReasonInvalidToken:      {"invalid_token", "the access token is malformed, expired, revoked or not from a trusted issuer"},
		challenge.ReasonInsufficientScope: {"insufficient_scope", "the access token lacks a scope that this operation needs"},
		challenge.ReasonUnavailable:       {"temporarily_unavailable", "the access token cannot be verified right now"},
	}[reason]
	texts[1] = cmp.Or(description, texts[1])
	detail := &drawbridgev1.Challenge{
		Scheme:           "Bearer",
		Realm:            service,
		ResourceMetadata: base + wellKnown,
		Error:            texts[0],
		ErrorDescription: texts[1],
	}
	header := fmt.Sprintf("Bearer realm=%q, resource_metadata=%q", service, base+wellKnown)
	if service == rpctest.GuardedService {
		detail.Scopes = []string{rpctest.ScopeWrite}
		header += fmt.Sprintf(", scope=%q", rpctest.ScopeWrite)
	}
	if texts[0] != "" {
		header += fmt.Sprintf(", error=%q, error_description=%q", texts[0], texts[1])
	}
	switch reason {
	case challenge.ReasonNoCredentials:
		return detail, header, "{}"
	case challenge.ReasonNotFound:
		return detail, "", fmt.Sprintf(`{"error":"not_found","error_description":"no such service or method","server":%q}`, service)
	case challenge.ReasonUnavailable:
		header = ""
	default:
	}
	return detail, header, fmt.Sprintf(`{"error":%q,"error_description":%q,"server":%q}`, texts[0], texts[1], service)
}

// statusSpy keeps the HTTP status of the last response.
type statusSpy struct {
	http.RoundTripper

	mu     sync.Mutex
	status int
}

func (s *statusSpy) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := s.RoundTripper.RoundTrip(req)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.status = res.StatusCode
	}
	return res, err
}

func (s *statusSpy) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// wantWarning wants exactly one warning since the last call (SEED-1).
func wantWarning(t *testing.T, log *journal, service string, reason challenge.Reason) {
	t.Helper()
	entry := log.take(t)
	if entry["level"] != slog.LevelWarn || entry["service"] != service || entry["status"] != int64(reason.HTTPStatus()) {
		t.Errorf("SEED-1: logged %v", entry)
	}
}
