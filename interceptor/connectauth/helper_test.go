package connectauth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

const (
	resource    = rpctest.Resource
	metadataURL = rpctest.MetadataURL
	secret      = rpctest.Secret

	tokenGood   = rpctest.TokenGood
	tokenRead   = rpctest.TokenRead
	tokenBad    = rpctest.TokenBad
	tokenDown   = rpctest.TokenDown
	tokenOdd    = rpctest.TokenOdd
	tokenPanic  = rpctest.TokenPanic
	tokenNobody = rpctest.TokenNobody
)

// world is an Authorizer and all that it uses.
type world struct{ *rpctest.World }

func newWorld(tb testing.TB, change ...func(*drawbridge.Config)) *world {
	tb.Helper()
	return &world{rpctest.NewWorld(tb, change...)}
}

// protocol is one of those that connect-go speaks.
type protocol struct {
	name   string
	unary  string // Content-Type of a unary call
	stream string // Content-Type of a stream
	option connect.ClientOption
}

var protocols = []protocol{
	{"Connect", "application/proto", "application/connect+proto", connect.WithClientOptions()},
	{"gRPC", "application/grpc", "application/grpc", connect.WithGRPC()},
	{"gRPC-Web", "application/grpc-web", "application/grpc-web", connect.WithGRPCWeb()},
}

// each runs test for every protocol and every kind of stream.
func each(t *testing.T, test func(t *testing.T, over protocol, method string)) {
	t.Helper()
	inTurn(t, func(t *testing.T, over protocol, method string) {
		t.Helper()
		t.Parallel()
		test(t, over, method)
	})
}

// inTurn is each for tests that count: one runs after the other.
func inTurn(t *testing.T, test func(t *testing.T, over protocol, method string)) {
	t.Helper()
	for _, over := range protocols {
		for _, method := range rpctest.Kinds {
			t.Run(over.name+"/"+method, func(t *testing.T) {
				test(t, over, method)
			})
		}
	}
}

// outcome is the result of a call, as its client sees it.
type outcome struct {
	message string
	err     *connect.Error // nil if the call was let in
	leading http.Header    // of the HTTP response
	status  int            // of the HTTP response
}

func call(t *testing.T, url, service, method, token string, options ...connect.ClientOption) outcome {
	t.Helper()
	return callOver(t, rpctest.H2C(t), url, service, method, token, options...)
}

func callOver(t *testing.T, client *http.Client, url, service, method, token string, options ...connect.ClientOption) outcome {
	t.Helper()
	spy := &responseSpy{RoundTripper: client.Transport}
	message, err := rpctest.CallConnect(t.Context(), &http.Client{Transport: spy}, url, service, method, bearer(token), options...)
	got := outcome{message: message}
	got.status, got.leading = spy.seen()
	if err != nil && !errors.As(err, &got.err) {
		t.Fatalf("%v is no error of Connect", err)
	}
	return got
}

func bearer(token string) http.Header {
	if token == "" {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

// code returns the code of an outcome, 0 if there is no error.
func (o outcome) code() connect.Code {
	if o.err == nil {
		return 0
	}
	return o.err.Code()
}

// challenges returns the Challenge details of an error.
func challenges(t *testing.T, err *connect.Error) []*drawbridgev1.Challenge {
	t.Helper()
	var found []*drawbridgev1.Challenge
	for _, detail := range err.Details() {
		value, valueErr := detail.Value()
		if valueErr != nil {
			t.Fatal(valueErr)
		}
		if challenge, ok := value.(*drawbridgev1.Challenge); ok {
			found = append(found, challenge)
		}
	}
	return found
}

// responseSpy notes status and header of each response.
type responseSpy struct {
	http.RoundTripper

	mu     sync.Mutex
	status int
	header http.Header
}

func (s *responseSpy) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := s.RoundTripper.RoundTrip(req)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.status, s.header = res.StatusCode, res.Header.Clone()
	}
	return res, err
}

func (s *responseSpy) seen() (int, http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.header
}

// watcher is an interceptor of the user that notes the errors which pass it.
type watcher struct {
	mu   sync.Mutex
	seen []error
}

func (w *watcher) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, err)
}

func (w *watcher) errors() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

func (w *watcher) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		w.note(err)
		return res, err
	}
}

func (w *watcher) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		err := next(ctx, conn)
		w.note(err)
		return err
	}
}

func (w *watcher) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return &watchedConn{next(ctx, spec), w}
	}
}

type watchedConn struct {
	connect.StreamingClientConn

	watcher *watcher
}

func (c *watchedConn) Receive(message any) error {
	err := c.StreamingClientConn.Receive(message)
	c.watcher.note(err)
	return err
}

// newExchange is an HTTP request that a bridge serves.
func newExchange() *exchange.Exchange {
	return &exchange.Exchange{Denials: new(exchange.Recorder), Native: new(exchange.Native)}
}

// teapotRPC is a handler whose response looks like that to a malformed message.
func teapotRPC(context.Context, *connect.Request[rpctest.Message]) (*connect.Response[rpctest.Message], error) {
	return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("teapot"))
}

// allowNowhere adds a rule for a service without a descriptor.
func allowNowhere(cfg *drawbridge.Config) {
	cfg.Policy.Services[rpctest.NowhereService] = policy.Service{Rule: policy.Rule{Authenticated: true}, NoDescriptor: true}
}
