package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

const (
	resource    = "https://api.example.com"
	metadataURL = resource + "/.well-known/oauth-protected-resource"

	// secret is in every error of the verifier: it must not leave the process
	// (RPC-7).
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

// knownToken is a verifier that has seen the token before.
type knownToken struct{ info *interceptor.TokenInfo }

func (v knownToken) VerifyToken(context.Context, string) (*interceptor.TokenInfo, error) {
	return v.info, nil
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

// serve serves with options, and connects to it.
func (w *world) serve(tb testing.TB, options ...grpc.ServerOption) *grpc.ClientConn {
	tb.Helper()
	return rpctest.DialGRPC(tb, rpctest.ServeGRPC(tb, w.handlers.GRPCServer(options...)))
}

// each runs test for every kind of stream.
func each(t *testing.T, test func(t *testing.T, method string)) {
	t.Helper()
	for _, method := range rpctest.Kinds {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			test(t, method)
		})
	}
}

// outcome is what a client sees of a call.
type outcome struct {
	message         string
	status          *status.Status
	header, trailer metadata.MD
}

func call(ctx context.Context, conn *grpc.ClientConn, service, method, token string) outcome {
	var got outcome
	message, err := rpctest.CallGRPC(bearer(ctx, token), conn, service, method, grpc.Header(&got.header), grpc.Trailer(&got.trailer))
	got.message, got.status = message, status.Convert(err)
	return got
}

func bearer(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// challenges returns the Challenge details of a status.
func challenges(got *status.Status) []*drawbridgev1.Challenge {
	var found []*drawbridgev1.Challenge
	for _, detail := range got.Details() {
		if challenge, ok := detail.(*drawbridgev1.Challenge); ok {
			found = append(found, challenge)
		}
	}
	return found
}

func checkCode(t *testing.T, got outcome, want codes.Code) {
	t.Helper()
	if got.status.Code() != want {
		t.Errorf("got %v, want %v", got.status, want)
	}
}
