package cel_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	testService = "grpc.testing.TestService"
	procedure   = "/" + testService + "/UnaryCall"
	resource    = "https://api.example.com"
	issuer      = "https://login.example.com"
)

// verifier grants the scopes that a token spells: "write+bulk".
type verifier struct{}

func (verifier) VerifyToken(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
	return &token.Info{
		Issuer: issuer, Subject: "ada", Audience: []string{resource}, Scopes: strings.Split(raw, "+"),
		Expiry: time.Now().Add(time.Hour), Claims: map[string]any{"secret": "kid-4711"},
	}, nil
}

// observer remembers decisions.
type observer struct {
	mu        sync.Mutex
	decisions []drawbridge.Decision
}

func (o *observer) ObserveDecision(_ context.Context, decision drawbridge.Decision) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.decisions = append(o.decisions, decision)
}

func (o *observer) take() []drawbridge.Decision {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.decisions
	o.decisions = nil
	return taken
}

func newAuthorizer(t *testing.T) (*drawbridge.Authorizer, *observer) {
	t.Helper()
	seen := new(observer)
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: resource, AuthorizationServers: []string{issuer}}},
		Policy: policy.Policy{Services: map[string]policy.Service{testService: {
			Rule: policy.Rule{Scopes: []string{"read"}, Condition: `rpc.method != "StreamingInputCall"`},
			Methods: map[string]policy.Rule{"UnaryCall": {
				Scopes: []string{"write"}, Condition: `request.response_size < 100 || "bulk" in token.scopes`,
			}},
		}}},
		Compiler: policy.Compiler{Conditions: newConditions(t)}, Verifier: verifier{},
		Observers: []drawbridge.Observer{seen}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return authorizer, seen
}

func serveUnary(_ context.Context, req *connect.Request[grpc_testing.SimpleRequest]) (*connect.Response[grpc_testing.SimpleResponse], error) {
	return connect.NewResponse(&grpc_testing.SimpleResponse{Username: strconv.Itoa(int(req.Msg.GetResponseSize()))}), nil
}

func serveStream(_ context.Context, _ *connect.Request[grpc_testing.StreamingOutputCallRequest], stream *connect.ServerStream[grpc_testing.StreamingOutputCallResponse]) error {
	return stream.Send(&grpc_testing.StreamingOutputCallResponse{})
}

func serveInput(_ context.Context, stream *connect.ClientStream[grpc_testing.StreamingInputCallRequest]) (*connect.Response[grpc_testing.StreamingInputCallResponse], error) {
	for stream.Receive() {
		continue
	}
	return connect.NewResponse(&grpc_testing.StreamingInputCallResponse{}), stream.Err()
}

func mux(options ...connect.HandlerOption) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewUnaryHandler(procedure, serveUnary, options...))
	output, input := "/"+testService+"/StreamingOutputCall", "/"+testService+"/StreamingInputCall"
	mux.Handle(output, connect.NewServerStreamHandler(output, serveStream, options...))
	mux.Handle(input, connect.NewClientStreamHandler(input, serveInput, options...))
	return mux
}

// serve runs a handler on loopback, over HTTP/1.1 and HTTP/2 without TLS.
func serve(t *testing.T, handler http.Handler) (url string, client *http.Client) {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = protocols
	server.Start()
	t.Cleanup(server.Close)
	only := new(http.Protocols)
	only.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: only}
	t.Cleanup(transport.CloseIdleConnections)
	return server.URL, &http.Client{Transport: transport}
}

// guards are the ways to guard a connect-go server.
var guards = []struct {
	name    string
	handler func(a *drawbridge.Authorizer) http.Handler
	// early is whether scopes are judged before the message is decoded, and blind whether
	// nothing judges the message.
	early, blind bool
}{
	{"WithAuthorizer", func(a *drawbridge.Authorizer) http.Handler { return mux(connectauth.WithAuthorizer(a)) }, true, false},
	{"NewInterceptor", func(a *drawbridge.Authorizer) http.Handler {
		return mux(connect.WithInterceptors(connectauth.NewInterceptor(a)))
	}, false, false},
	{"Guard", func(a *drawbridge.Authorizer) http.Handler {
		return connectauth.Guard(a, mux(connectauth.WithAuthorizer(a)))
	}, true, true},
	{"GuardWith", func(a *drawbridge.Authorizer) http.Handler {
		return connectauth.GuardWith(a, mux(connectauth.WithAuthorizer(a)), connectauth.GuardConfig{Deciding: []string{testService}})
	}, true, false},
}

// outcome is what a call comes to.
type outcome struct {
	code   codes.Code
	reason challenge.Reason
	scopes string // those that the challenge asks for
}

// calls are the same for each server and protocol.
var calls = []struct {
	name, token string
	size        int32
	want        outcome
}{
	{"few", "write", 99, outcome{}},
	{"many", "write", 100, outcome{code: codes.PermissionDenied, reason: challenge.ReasonForbidden}},
	{"many, with the scope", "write+bulk", 100, outcome{}},
	{"few, without the scope of the rule", "read", 99, outcome{codes.PermissionDenied, challenge.ReasonInsufficientScope, "write"}},
	{"many, without the scope of the rule", "bulk", 100, outcome{codes.PermissionDenied, challenge.ReasonInsufficientScope, "write"}},
	{"no token", "", 1, outcome{codes.Unauthenticated, challenge.ReasonNoCredentials, "write"}},
}

func outcomeOf(err error, from func(error) (*challenge.DenialError, bool)) outcome {
	if err == nil {
		return outcome{}
	}
	got := outcome{code: codes.Code(connect.CodeOf(err))}
	if got.code == codes.Unknown {
		got.code = status.Code(err)
	}
	if denial, ok := from(err); ok {
		got.reason, got.scopes = denial.Reason, strings.Join(denial.Challenge.Scopes, " ")
	}
	return got
}

func TestConnect(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		for name, option := range map[string]connect.ClientOption{
			"Connect": connect.WithClientOptions(), "gRPC": connect.WithGRPC(), "gRPC-Web": connect.WithGRPCWeb(), "Connect, JSON": connect.WithProtoJSON(),
		} {
			t.Run(guard.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				authorizer, seen := newAuthorizer(t)
				url, client := serve(t, guard.handler(authorizer))
				unary := connect.NewClient[grpc_testing.SimpleRequest, grpc_testing.SimpleResponse](client, url+procedure, option)
				for _, call := range calls {
					req := connect.NewRequest(&grpc_testing.SimpleRequest{ResponseSize: call.size})
					if call.token != "" {
						req.Header().Set("Authorization", "Bearer "+call.token)
					}
					res, err := unary.CallUnary(t.Context(), req)
					want := call.want
					if guard.blind && (want.code == 0 || want.reason == challenge.ReasonForbidden) {
						want = outcome{codes.Internal, challenge.ReasonInternal, "write"}
					}
					check(t, call.name, outcomeOf(err, connectauth.FromError), want, seen)
					if err == nil && res.Msg.GetUsername() != strconv.Itoa(int(call.size)) {
						t.Errorf("%s: got %v", call.name, res.Msg)
					}
				}
			})
		}
	}
}

// check compares an outcome, and wants it to have been observed once.
func check(t *testing.T, name string, got, want outcome, seen *observer) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %+v, want %+v", name, got, want)
	}
	decisions := seen.take()
	if len(decisions) != 1 || decisions[0].Allowed != (want.code == codes.OK) || decisions[0].Reason != want.reason {
		t.Errorf("%s: observed %+v", name, decisions)
	}
	for _, decision := range decisions {
		if decision.Cause != nil && strings.Contains(decision.Cause.Error(), "4711") {
			t.Errorf("%s: cause %v", name, decision.Cause)
		}
	}
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	authorizer, seen := newAuthorizer(t)
	server := grpc.NewServer(grpcauth.ServerOptions(authorizer)...)
	grpc_testing.RegisterTestServiceServer(server, &testServer{})
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := grpc_testing.NewTestServiceClient(conn)
	for _, call := range calls {
		ctx := t.Context()
		if call.token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+call.token)
		}
		_, err := client.UnaryCall(ctx, &grpc_testing.SimpleRequest{ResponseSize: call.size})
		check(t, call.name, outcomeOf(err, grpcauth.FromError), call.want, seen)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer read")
	input, err := client.StreamingInputCall(ctx)
	if err == nil {
		_, err = input.CloseAndRecv()
	}
	check(t, "a stream", outcomeOf(err, grpcauth.FromError), outcome{code: codes.PermissionDenied, reason: challenge.ReasonForbidden}, seen)
}

type testServer struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (*testServer) UnaryCall(context.Context, *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	return &grpc_testing.SimpleResponse{}, nil
}

// A condition that reads no message is judged for streams, too, and where no message is known.
func TestStreams(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		t.Run(guard.name, func(t *testing.T) {
			t.Parallel()
			authorizer, seen := newAuthorizer(t)
			url, client := serve(t, guard.handler(authorizer))
			output := connect.NewClient[grpc_testing.StreamingOutputCallRequest, grpc_testing.StreamingOutputCallResponse](client, url+"/"+testService+"/StreamingOutputCall")
			req := connect.NewRequest(&grpc_testing.StreamingOutputCallRequest{})
			req.Header().Set("Authorization", "Bearer read")
			stream, err := output.CallServerStream(t.Context(), req)
			if err == nil {
				stream.Receive()
				err = stream.Err()
			}
			check(t, "output", outcomeOf(err, connectauth.FromError), outcome{}, seen)
			input := connect.NewClient[grpc_testing.StreamingInputCallRequest, grpc_testing.StreamingInputCallResponse](client, url+"/"+testService+"/StreamingInputCall")
			sending := input.CallClientStream(t.Context())
			sending.RequestHeader().Set("Authorization", "Bearer read")
			_, err = sending.CloseAndReceive()
			check(t, "input", outcomeOf(err, connectauth.FromError), outcome{code: codes.PermissionDenied, reason: challenge.ReasonForbidden}, seen)
		})
	}
}

// Scopes are judged before anything is decoded: a message that is none shows nothing to a
// caller who may not call.
func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, guard := range guards {
		t.Run(guard.name, func(t *testing.T) {
			t.Parallel()
			authorizer, seen := newAuthorizer(t)
			url, _ := serve(t, guard.handler(authorizer))
			for raw, wantStatus := range map[string]int{"read": http.StatusForbidden, "write": http.StatusBadRequest} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+procedure, strings.NewReader("\xff\xff"))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/proto")
				req.Header.Set("Authorization", "Bearer "+raw)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				switch {
				case !guard.early:
					wantStatus = http.StatusBadRequest
				case guard.blind && raw == "write":
					wantStatus = http.StatusInternalServerError
				}
				if res.StatusCode != wantStatus {
					t.Errorf("%s: got %d %s, want %d", raw, res.StatusCode, body, wantStatus)
				}
				if got := len(seen.take()); got != 1 && guard.early && raw == "read" {
					t.Errorf("%s: %d decisions", raw, got)
				}
			}
		})
	}
}

// A denial that no scope mends has no challenge with scopes, also as HTTP.
func TestHeader(t *testing.T) {
	t.Parallel()
	authorizer, _ := newAuthorizer(t)
	url, _ := serve(t, connectauth.GuardWith(authorizer, mux(connectauth.WithAuthorizer(authorizer)), connectauth.GuardConfig{Deciding: []string{testService}}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+procedure, strings.NewReader(`{"responseSize": 100}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer write")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusForbidden || strings.Contains(res.Header.Get("Www-Authenticate"), "scope") || strings.Contains(string(body), "100") {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
}

// CheckMessage judges a message in hand; Check has none.
func TestCheckMessage(t *testing.T) {
	t.Parallel()
	authorizer, seen := newAuthorizer(t)
	adapter := authorizer.Adapter()
	req := drawbridge.Request{Procedure: "/" + testService + "/StreamingOutputCall", Method: http.MethodPost, Transport: header{"Authorization": {"Bearer read+write"}}}
	ctx, denial := adapter.Authorize(t.Context(), &req)
	if denial != nil {
		t.Fatal(denial)
	}
	seen.take()
	caller := adapter.Caller(ctx)
	for size, want := range map[int32]challenge.Reason{99: 0, 100: challenge.ReasonForbidden} {
		err := caller.CheckMessage(ctx, procedure, &grpc_testing.SimpleRequest{ResponseSize: size})
		denial, _ := errors.AsType[*challenge.DenialError](err)
		if (err == nil) != (want == 0) || denial != nil && denial.Reason != want {
			t.Errorf("%d: got %v", size, err)
		}
	}
	err := caller.Check(ctx, procedure)
	if denial, ok := errors.AsType[*challenge.DenialError](err); !ok || denial.Reason != challenge.ReasonInternal || !errors.Is(err, policy.ErrNeedsMessage) {
		t.Errorf("without a message: got %v", err)
	}
	if got := len(seen.take()); got != 3 {
		t.Errorf("%d decisions", got)
	}
}
