package grpcauth_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"github.com/drawbridge-rpc/drawbridge/token"
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

// knownToken is a verifier that has seen the token before.
type knownToken struct{ info *token.Info }

func (v knownToken) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return v.info, nil
}

// world is an Authorizer and all that it uses.
type world struct{ *rpctest.World }

func newWorld(tb testing.TB, change ...func(*drawbridge.Config)) *world {
	tb.Helper()
	return &world{rpctest.NewWorld(tb, change...)}
}

// serve serves with options, and connects to it.
func (w *world) serve(tb testing.TB, options ...grpc.ServerOption) *grpc.ClientConn {
	tb.Helper()
	return rpctest.DialGRPC(tb, rpctest.ServeGRPC(tb, w.Handlers.GRPCServer(options...)))
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

// outcome is the result of a call, as its client sees it.
type outcome struct {
	message         string
	status          *status.Status
	header, trailer metadata.MD
}

func call(ctx context.Context, conn *grpc.ClientConn, service, method, raw string) outcome {
	var got outcome
	message, err := rpctest.CallGRPC(bearer(ctx, raw), conn, service, method, grpc.Header(&got.header), grpc.Trailer(&got.trailer))
	got.message, got.status = message, status.Convert(err)
	return got
}

func bearer(ctx context.Context, raw string) context.Context {
	if raw == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+raw)
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

// newExchange is an HTTP request that a bridge serves.
func newExchange() *exchange.Exchange {
	return &exchange.Exchange{Denials: new(exchange.Recorder), Native: new(exchange.Native)}
}
