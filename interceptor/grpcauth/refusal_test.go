package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"weak"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestRefusalsAreBounded: callers do not determine how many refusals are kept. It
// is one for each rule, base URL and reason, whatever they send (RPC-6).
func TestRefusalsAreBounded(t *testing.T) {
	w := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Resources[0].Aliases = []string{"https://alias.example.com"}
		cfg.Logger = slog.New(slog.DiscardHandler)
	})
	guard := grpcauth.UnaryServerInterceptor(w.Authorizer)
	seen := make(map[weak.Pointer[status.Status]]string)
	refuse := func(procedure string, header metadata.MD) {
		t.Helper()
		ctx := metadata.NewIncomingContext(t.Context(), header)
		_, err := guard(ctx, nil, &grpc.UnaryServerInfo{FullMethod: procedure}, nil)
		var refused *grpcauth.Error
		if !errors.As(err, &refused) {
			t.Fatalf("%q was let in", procedure)
		}
		seen[weak.Make(refused.GRPCStatus())] = procedure
	}
	guarded := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	for i := range 200 {
		for _, header := range []metadata.MD{
			{},
			{":authority": {"alias.example.com"}},
			{":authority": {fmt.Sprintf("host-%d.example.com", i)}},
			{"authorization": {fmt.Sprintf("Bearer token-%d", i)}},
			{"authorization": {"Bearer"}},
		} {
			for _, procedure := range []string{
				guarded,
				rpctest.Procedure(rpctest.GuardedService, fmt.Sprintf("Method%d", i)),
				rpctest.Procedure(fmt.Sprintf("unknown.v1.Service%d", i), rpctest.Unary),
				fmt.Sprintf("//%d", i),
			} {
				refuse(procedure, header)
			}
		}
	}
	runtime.GC()
	kept := 0
	for refused, procedure := range seen {
		if refused.Value() == nil {
			continue
		}
		kept++
		if procedure != guarded {
			t.Errorf("keeps the refusal of %s", procedure)
		}
	}
	// No credentials at two base URLs; the invalid token and the invalid request
	// at one.
	if kept != 4 {
		t.Errorf("keeps %d refusals, want 4", kept)
	}
	runtime.KeepAlive(w)
}

// TestCopyIsNotKept: an error for a copy of a denial is made of the copy, which
// may differ (SEED-7).
func TestCopyIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Authorize(t.Context(), drawbridge.Request{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)})
	denial := challenge.DenialOf(err)
	if kept := grpcauth.NewError(denial); grpcauth.NewError(denial) != kept {
		t.Error("the error of a prebuilt denial is not kept")
	}
	copied := *denial
	copied.Challenge.Realm = "another.v1.Service"
	first := grpcauth.NewError(&copied)
	if found := challenges(first.GRPCStatus()); len(found) != 1 || found[0].GetRealm() != copied.Challenge.Realm {
		t.Errorf("SEED-7: a copy is sent as %v", found)
	}
	if grpcauth.NewError(&copied) == first {
		t.Error("SEED-7: the error of a copy is kept")
	}
}

// TestNewError: the error of each reason has its code and its fixed sentence, one
// Challenge detail, and FromError finds the denial in it (RPC-2, RPC-3, RPC-7).
func TestNewError(t *testing.T) {
	t.Parallel()
	for reason := range challenge.Reason(challenge.Reasons) {
		t.Run(reason.String(), func(t *testing.T) {
			t.Parallel()
			denial := challenge.NewDenial(reason, errors.New(secret))
			denial.Challenge.Realm = rpctest.GuardedService
			denial.Challenge.Scopes = []string{"a", "b"}
			err := grpcauth.NewError(denial)
			got := outcome{status: status.Convert(err)}
			checkCode(t, got, codes.Code(reason.RPCCode()))
			if err.Error() != reason.Message() || got.status.Message() != reason.Message() {
				t.Errorf("RPC-7: got %q, %q", err, got.status.Message())
			}
			if found := challenges(got.status); len(found) != 1 || found[0].GetRealm() != rpctest.GuardedService || len(found[0].GetScopes()) != 2 {
				t.Errorf("RPC-3: got %v", found)
			}
			if found, ok := grpcauth.FromError(fmt.Errorf("call: %w", err)); !ok || found != denial || found.Remote {
				t.Errorf("got %v, %t", found, ok)
			}
			remote, ok := grpcauth.FromError(got.status.Err())
			if !ok || !remote.Remote || remote.Challenge.Realm != rpctest.GuardedService || remote.Reason.RPCCode() != reason.RPCCode() {
				t.Errorf("over the wire: got %+v, %t", remote, ok)
			}
		})
	}
}

// TestNewErrorWithCause: denials that differ in their cause alone share one
// status, and each error keeps its own cause (RPC-7).
func TestNewErrorWithCause(t *testing.T) {
	t.Parallel()
	first := challenge.NewDenial(challenge.ReasonInvalidToken, errors.New("first")).Prebuilt()
	second := first.WithCause(context.DeadlineExceeded)
	a, b := grpcauth.NewError(first), grpcauth.NewError(second)
	if a.GRPCStatus() != b.GRPCStatus() {
		t.Error("the status is not shared")
	}
	if errors.Is(a, context.DeadlineExceeded) || !errors.Is(b, context.DeadlineExceeded) {
		t.Errorf("the causes are %v, %v", errors.Unwrap(a), errors.Unwrap(b))
	}
}

// TestInvalidUTF8: a refusal stands, even if its detail cannot be sent.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	denial := challenge.NewDenial(challenge.ReasonInvalidToken, nil)
	denial.Challenge.Realm = "\xff"
	got := status.Convert(grpcauth.NewError(denial))
	if got.Code() != codes.Unauthenticated || len(got.Details()) != 0 {
		t.Errorf("got %v", got)
	}
}

// TestCheckWithoutCaller: Check outside of an authorized call is a fault of the
// program, not of a caller.
func TestCheckWithoutCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := grpcauth.NewError(challenge.DenialOf(w.Check(t.Context(), rpctest.Procedure(rpctest.GuardedService, rpctest.Unary))))
	if status.Code(err) != codes.Internal || err.Error() != "internal error" {
		t.Errorf("RPC-7: got %v", err)
	}
}
