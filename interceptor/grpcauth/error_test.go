package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// TestFromError: denials are found wherever they were made, and nothing else is
// taken for one (RPC-3).
func TestFromError(t *testing.T) {
	t.Parallel()
	const none = challenge.Reason(255)
	detail := &drawbridgev1.Challenge{Scheme: "Bearer", Realm: "realm", Scopes: []string{"a"}, Error: "invalid_token"}
	w := newWorld(t)
	_, made := w.Authorize(t.Context(), drawbridge.Request{Procedure: "/a.v1.A/B"})
	_, refused := grpcauth.UnaryServerInterceptor(w.Authorizer)(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/a.v1.A/B"}, nil)
	for _, row := range []struct {
		name string
		err  error
		want challenge.Reason
	}{
		{"nil", nil, none},
		{"foreign", io.ErrUnexpectedEOF, none},
		{"of a context", context.DeadlineExceeded, none},
		{"of gRPC without details", status.Error(codes.Unauthenticated, "a"), none},
		{"of gRPC with another detail", wire(codes.Unauthenticated, wrapperspb.String("a")), none},
		{"in this process", made, challenge.ReasonNoCredentials},
		{"in this process, wrapped", fmt.Errorf("call: %w", made), challenge.ReasonNoCredentials},
		{"in this process, as an error of gRPC", refused, challenge.ReasonNoCredentials},
		{"from the wire", wire(codes.Unauthenticated, detail), challenge.ReasonInvalidToken},
		{"from the wire, wrapped", fmt.Errorf("call: %w", wire(codes.Unauthenticated, detail)), challenge.ReasonInvalidToken},
		{"from the wire, second detail", wire(codes.Unavailable, wrapperspb.String("a"), detail), challenge.ReasonUnavailable},
		{"from the wire, no error", wire(codes.Unauthenticated, &drawbridgev1.Challenge{Scheme: "Bearer"}), challenge.ReasonNoCredentials},
		{"from the wire, a code of no denial", wire(codes.Aborted, detail), challenge.ReasonInternal},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			denial, ok := grpcauth.FromError(row.err)
			if ok != (row.want != none) || ok && denial.Reason != row.want || !ok && denial != nil {
				t.Errorf("got %v, %t", denial, ok)
			}
		})
	}
	// RPC-7: the sentence is ours.
	want := &drawbridgev1.Challenge{Scheme: "Bearer", Realm: "realm", Scopes: []string{"a"}, Error: "invalid_token"}
	want.ErrorDescription = "the access token is malformed, expired, revoked or not from a trusted issuer"
	for _, description := range []string{"", "kid-4711 is unknown", want.GetErrorDescription()} {
		detail.ErrorDescription = description
		denial, _ := grpcauth.FromError(wire(codes.Unauthenticated, detail))
		if got := denial.Challenge.Proto(); !proto.Equal(got, want) {
			t.Errorf("RPC-3, RPC-7: got %v, want %v", got, want)
		}
	}
}

func wire(code codes.Code, details ...proto.Message) error {
	refused := status.New(code, "refused")
	for _, message := range details {
		var err error
		if refused, err = refused.WithDetails(protoadapt.MessageV1Of(message)); err != nil {
			panic(err)
		}
	}
	return refused.Err()
}

// TestOutsideOfACall: an interceptor that is called without a server refuses all
// the same; there is only no header to write.
func TestOutsideOfACall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := &grpc.UnaryServerInfo{FullMethod: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)}
	_, err := grpcauth.UnaryServerInterceptor(w.Authorizer)(t.Context(), nil, info, func(context.Context, any) (any, error) {
		return nil, errors.New("let in")
	})
	var refused *grpcauth.Error
	if !errors.As(err, &refused) || refused.GRPCStatus().Code() != codes.Unauthenticated || len(challenges(refused.GRPCStatus())) != 1 {
		t.Errorf("got %v", err)
	}
}
