package connectauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

const (
	resource    = "https://api.example.com"
	metadataURL = resource + "/.well-known/oauth-protected-resource"

	// secret is in every error of the verifier, and in the token of every caller
	// who gets in: it must not leave the process (RPC-7).
	secret = "kid-4711"
)

// The tokens that the verifier knows.
const (
	tokenGood   = "good"    // grants all that is asked for
	tokenRead   = "read"    // grants less
	tokenBad    = "bad"     // is the caller's fault
	tokenDown   = "down"    // cannot be judged
	tokenOdd    = "odd"     // fails with an error that keeps to no sentinel
	tokenPanic  = "panic"   // makes the verifier panic
	tokenNobody = "nothing" // makes the verifier return neither facts nor error
)

// fakeVerifier judges tokens by their name.
type fakeVerifier struct {
	asked atomic.Int64
	// lifetime is how long a token is good for, counted from when it is
	// verified. Zero is for ever.
	lifetime time.Duration
}

func (v *fakeVerifier) VerifyToken(_ context.Context, token string) (*interceptor.TokenInfo, error) {
	v.asked.Add(1)
	info := &interceptor.TokenInfo{Subject: "ada", Audience: []string{resource}, Scopes: []string{rpctest.ScopeWrite}}
	if v.lifetime != 0 {
		info.Expiry = time.Now().Add(v.lifetime)
	}
	switch token {
	case tokenGood:
		return info, nil
	case tokenRead:
		info.Scopes = []string{rpctest.ScopeRead}
		return info, nil
	case tokenDown:
		return nil, fmt.Errorf("%w: %s", interceptor.ErrUnavailable, secret)
	case tokenOdd:
		return nil, errors.New(secret)
	case tokenPanic:
		panic(secret)
	case tokenNobody:
		return nil, nil //nolint:nilnil // The bug that is meant.
	default:
		return nil, fmt.Errorf("%w: %s", interceptor.ErrInvalidToken, secret)
	}
}

// records counts what is logged.
type records struct{ logged atomic.Int64 }

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }
func (r *records) Handle(context.Context, slog.Record) error {
	r.logged.Add(1)
	return nil
}

// world is an Authorizer and all that it uses.
type world struct {
	*interceptor.Authorizer

	verifier fakeVerifier
	log      records
	handlers rpctest.Handlers
}

func newWorld(tb testing.TB, change ...func(*interceptor.Config)) *world {
	tb.Helper()
	w := new(world)
	cfg := interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: resource, AuthorizationServers: []string{"https://login.example.com"}}},
		Policy:    rpctest.Policy(),
		Verifier:  &w.verifier,
		Logger:    slog.New(&w.log),
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if w.Authorizer, err = interceptor.New(cfg); err != nil {
		tb.Fatal(err)
	}
	return w
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

// outcome is what a client sees of a call.
type outcome struct {
	message string
	err     *connect.Error // nil if the call was let in
	leading http.Header    // of the HTTP response
	status  int            // of the HTTP response
}

func call(t *testing.T, url, service, method, token string, options ...connect.ClientOption) outcome {
	t.Helper()
	spy := &responseSpy{RoundTripper: rpctest.H2C(t).Transport}
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

// responseSpy notes status and header of what passes.
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
