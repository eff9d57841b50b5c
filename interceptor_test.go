package drawbridge_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
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

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const (
	resource    = "https://api.example.com"
	metadataURL = resource + "/.well-known/oauth-protected-resource"
)

// answer is what a caller gets, whatever it speaks. What a protocol does not
// show stays zero.
type answer struct {
	message   string                  // of a call that was let in
	code      codes.Code              // of a call that was denied
	challenge *drawbridgev1.Challenge // the status detail
	retry     bool                    // the status says when to try again
	header    string                  // WWW-Authenticate
	http      int                     // status
	body      string                  // of the bridge alone
}

// transport is a way to reach the services.
type transport struct {
	name string
	// rpc says that denials are RPC errors; else they are HTTP answers.
	rpc bool
	// httpStatus returns the HTTP status that belongs to a denial, 0 if the
	// client does not show it.
	httpStatus func(method string, kind interceptor.Kind) int
	call       func(t *testing.T, service, method string, authorization []string) answer
}

// house is every server there is, behind one Authorizer.
type house struct {
	handlers   rpctest.Handlers
	log        denials
	transports []transport
}

func newHouse(t *testing.T, issuer *authtest.Issuer) *house {
	t.Helper()
	h := new(house)
	jwt, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer.URL})
	if err != nil {
		t.Fatal(err)
	}
	authorizer, err := interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: resource, AuthorizationServers: []string{issuer.URL}}},
		Policy:    rpctest.Policy(),
		Verifier:  jwt,
		Logger:    slog.New(&h.log),
	})
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := httpbridge.New(authorizer, httpbridge.Options{})
	if err != nil {
		t.Fatal(err)
	}

	mux := h.handlers.ConnectMux(connectauth.WithAuthorizer(authorizer))
	mux.Handle("/", connectauth.NotFoundHandler(authorizer))
	connectURL := rpctest.ServeHTTP(t, bridge.Handler(mux))

	backend := rpctest.ServeGRPC(t, h.handlers.GRPCServer(grpcauth.ServerOptions(authorizer)...))
	direct := rpctest.DialGRPC(t, backend)
	bridged := rpctest.DialGRPC(t, backend, grpcauth.DialOptions()...)
	bridgeURL := rpctest.ServeHTTP(t, bridge.Handler(plainHandler(bridged)))

	always200 := func(string, interceptor.Kind) int { return http.StatusOK }
	h.transports = []transport{
		{"Connect", true, connectStatus, callConnect(connectURL)},
		{"gRPC to connect-go", true, always200, callConnect(connectURL, connect.WithGRPC())},
		{"gRPC-Web", true, always200, callConnect(connectURL, connect.WithGRPCWeb())},
		{"gRPC to grpc-go", true, func(string, interceptor.Kind) int { return 0 }, callGRPC(direct)},
		{"bridge to grpc-go", false, func(_ string, kind interceptor.Kind) int { return kind.HTTPStatus() }, callBridge(bridgeURL)},
	}
	return h
}

// connectStatus is real for unary calls; streams are 200 by protocol.
func connectStatus(method string, kind interceptor.Kind) int {
	if method == rpctest.Unary {
		return kind.HTTPStatus()
	}
	return http.StatusOK
}

// plainHandler knows nothing of authorisation: it calls the backend for its
// caller, and answers 502 when that fails.
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
			t.Fatalf("%v is no error of Connect", err)
		}
		got.code = codes.Code(refused.Code())
		got.header = refused.Meta().Get("Www-Authenticate")
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
		if values := header.Get("www-authenticate"); len(values) == 1 {
			got.header = values[0]
		}
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
	case *errdetails.RetryInfo:
		a.retry = detail.GetRetryDelay().AsDuration() > 0
	}
}

// TestEveryDoor is the whole house at once: every protocol, every kind of
// stream, every reason (RPC-1, RPC-2, RPC-3, RPC-4, RPC-6).
func TestEveryDoor(t *testing.T) {
	t.Parallel()
	issuer, stranger := authtest.NewIssuer(t), authtest.NewIssuer(t)
	// SEED-6 and R8707-2: the resource is the audience, and nothing else is.
	good := authtest.Token{Subject: "ada", Audience: []string{resource}, Scope: rpctest.ScopeWrite}
	with := func(change func(*authtest.Token)) []string {
		token := good
		change(&token)
		return bearer(issuer.Mint(token))
	}
	const letIn = interceptor.Kind(255)
	for _, row := range []struct {
		name          string
		service       string
		authorization []string
		want          interceptor.Kind
		from          string // who a handler says it was called by, or what a denial says besides its kind
	}{
		{"no token (SEED-2, R6750-3.1.a)", rpctest.GuardedService, nil, interceptor.KindNoCredentials, ""},
		{"unsupported scheme (R6750-3.1.a)", rpctest.GuardedService, []string{"Basic YTpi"}, interceptor.KindNoCredentials, ""},
		{"scheme without a token (R6750-3.1.b)", rpctest.GuardedService, []string{"Bearer"}, interceptor.KindInvalidRequest, ""},
		{"two tokens in a field (R6750-2.b)", rpctest.GuardedService, []string{"Bearer a b"}, interceptor.KindInvalidRequest, ""},
		{"two fields (R6750-2.b)", rpctest.GuardedService, []string{"Bearer a", "Bearer b"}, interceptor.KindInvalidRequest, ""},
		{"malformed token (SEED-3)", rpctest.GuardedService, bearer("not-a-jwt"), interceptor.KindInvalidToken, ""},
		{"expired (R9068-4.b)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Lifetime = -time.Hour }), interceptor.KindInvalidToken, ""},
		{"wrong audience (R8707-2, MCP-7)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Audience = []string{"https://other.example.com"} }), interceptor.KindInvalidToken, "the access token was issued for another resource"},
		{"no audience (R8725-3.9)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Audience = nil }), interceptor.KindInvalidToken, ""},
		{"wrong issuer (R8725-3.8)", rpctest.GuardedService, bearer(stranger.Mint(good)), interceptor.KindInvalidToken, ""},
		{"missing scope (SEED-4, MCP-4)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Scope = rpctest.ScopeRead }), interceptor.KindInsufficientScope, ""},
		{"sufficient (R6750-2.a)", rpctest.GuardedService, with(func(*authtest.Token) {}), letIn, "ada"},
		{"scheme in lower case (R6750-2.a)", rpctest.GuardedService, []string{"bearer " + issuer.Mint(good)}, letIn, "ada"},
		{"implied scope (MCP-5)", rpctest.GuardedService, with(func(t *authtest.Token) { t.Scope = rpctest.ScopeAdmin }), letIn, "ada"},
		{"public without a token", rpctest.PublicService, nil, letIn, "anybody"},
		{"public with a bad token", rpctest.PublicService, bearer("not-a-jwt"), letIn, "anybody"},
		{"unknown service without a token (SEED-7)", rpctest.NowhereService, nil, interceptor.KindNoCredentials, ""},
		{"unknown service with a bad token (SEED-7)", rpctest.NowhereService, bearer("not-a-jwt"), interceptor.KindInvalidToken, ""},
		{"unknown service with a good token (SEED-7, RPC-6)", rpctest.NowhereService, with(func(*authtest.Token) {}), interceptor.KindNotFound, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, issuer)
			h.each(t, func(t *testing.T, over transport, method string) {
				before := h.handlers.Ran()
				got := over.call(t, row.service, method, row.authorization)
				if row.want == letIn {
					want := answer{message: "hello from " + row.from, http: got.http}
					if got != want {
						t.Errorf("got %+v, want %+v", got, want)
					}
					return
				}
				if h.handlers.Ran() != before {
					t.Error("RPC-1: a handler ran")
				}
				check(t, over, method, row.service, row.want, row.from, got)
				h.log.check(t, row.service, row.want)
			})
		})
	}
}

// TestIssuerDown: an outage is nobody's 401, or clients would throw their tokens
// away (RPC-2).
func TestIssuerDown(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	token := issuer.Mint(authtest.Token{Audience: []string{resource}, Scope: rpctest.ScopeWrite})
	issuer.Down()
	h := newHouse(t, issuer)
	h.each(t, func(t *testing.T, over transport, method string) {
		got := over.call(t, rpctest.GuardedService, method, bearer(token))
		check(t, over, method, rpctest.GuardedService, interceptor.KindUnavailable, "", got)
		h.log.check(t, rpctest.GuardedService, interceptor.KindUnavailable)
		if got := over.call(t, rpctest.PublicService, method, nil); got.message != "hello from anybody" {
			t.Errorf("the public service is gone too: %+v", got)
		}
	})
}

// each runs test for every transport and method, one after the other.
func (h *house) each(t *testing.T, test func(t *testing.T, over transport, method string)) {
	t.Helper()
	for _, over := range h.transports {
		for _, method := range rpctest.Kinds {
			t.Run(over.name+"/"+method, func(t *testing.T) { test(t, over, method) })
		}
	}
}

// check compares a denial with what its kind promises.
func check(t *testing.T, over transport, method, service string, kind interceptor.Kind, description string, got answer) {
	t.Helper()
	detail, header, body := promised(service, kind, description)
	want := answer{http: over.httpStatus(method, kind), header: header, retry: kind == interceptor.KindUnavailable}
	if over.rpc {
		want.code = codes.Code(kind.RPCCode())
		if !proto.Equal(got.challenge, detail) {
			t.Errorf("RPC-3: detail\n got %v\nwant %v", got.challenge, detail)
		}
		got.challenge = nil
	} else {
		want.body = body
	}
	if got != want {
		t.Errorf("denial\n got %+v\nwant %+v", got, want)
	}
}

// promised is written out here, sentence by sentence, as clients depend on it.
func promised(service string, kind interceptor.Kind, description string) (*drawbridgev1.Challenge, string, string) {
	said := map[interceptor.Kind][2]string{
		interceptor.KindInvalidRequest:    {"invalid_request", "the credentials are malformed"},
		interceptor.KindInvalidToken:      {"invalid_token", "the access token is malformed, expired, revoked or not from a trusted issuer"},
		interceptor.KindInsufficientScope: {"insufficient_scope", "the access token lacks a scope that this operation needs"},
		interceptor.KindUnavailable:       {"temporarily_unavailable", "the access token cannot be verified right now"},
	}[kind]
	said[1] = cmp.Or(description, said[1])
	detail := &drawbridgev1.Challenge{
		Scheme:           "Bearer",
		Realm:            service,
		ResourceMetadata: metadataURL,
		Error:            said[0],
		ErrorDescription: said[1],
	}
	header := fmt.Sprintf("Bearer realm=%q, resource_metadata=%q", service, metadataURL)
	if service == rpctest.GuardedService {
		detail.Scopes = []string{rpctest.ScopeWrite}
		header += fmt.Sprintf(", scope=%q", rpctest.ScopeWrite)
	}
	if said[0] != "" {
		header += fmt.Sprintf(", error=%q, error_description=%q", said[0], said[1])
	}
	switch kind {
	case interceptor.KindNoCredentials:
		return detail, header, "{}"
	case interceptor.KindNotFound:
		return detail, "", fmt.Sprintf(`{"error":"not_found","error_description":"no such service or method","server":%q}`, service)
	case interceptor.KindUnavailable:
		header = ""
	default:
	}
	return detail, header, fmt.Sprintf(`{"error":%q,"error_description":%q,"server":%q}`, said[0], said[1], service)
}

func bearer(token string) []string { return []string{"Bearer " + token} }

// statusSpy notes the HTTP status of what passes.
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

// denials keeps what was logged.
type denials struct {
	mu      sync.Mutex
	records []map[string]any
}

func (d *denials) Enabled(context.Context, slog.Level) bool { return true }
func (d *denials) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *denials) WithGroup(string) slog.Handler            { return d }

func (d *denials) Handle(_ context.Context, record slog.Record) error {
	entry := map[string]any{"level": record.Level}
	record.Attrs(func(a slog.Attr) bool {
		entry[a.Key] = a.Value.Any()
		return true
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = append(d.records, entry)
	return nil
}

// check wants exactly one warning since the last check (SEED-1).
func (d *denials) check(t *testing.T, service string, kind interceptor.Kind) {
	t.Helper()
	d.mu.Lock()
	records := slices.Clone(d.records)
	d.records = nil
	d.mu.Unlock()
	if len(records) != 1 {
		t.Fatalf("SEED-1: logged %d times: %v", len(records), records)
	}
	record := records[0]
	if record["level"] != slog.LevelWarn || record["service"] != service || record["status"] != int64(kind.HTTPStatus()) {
		t.Errorf("SEED-1: logged %v", record)
	}
}
