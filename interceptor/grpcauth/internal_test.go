package grpcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

type refusing struct{}

func (refusing) VerifyToken(context.Context, string) (*interceptor.TokenInfo, error) {
	return nil, interceptor.ErrInvalidToken
}

// TestRefusalsAreBounded: callers do not decide how many refusals are kept. It
// is one for each rule and door, whatever they send (RPC-6).
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	a, err := interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{
			Identifier:           "https://api.example.com",
			Aliases:              []string{"https://alias.example.com"},
			AuthorizationServers: []string{"https://login.example.com"},
		}},
		Policy:   rpctest.Policy(),
		Verifier: refusing{},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := guard{authorizer: a}
	for i := range 1000 {
		for _, header := range []metadata.MD{
			{},
			{":authority": {"alias.example.com"}},
			{":authority": {fmt.Sprintf("host-%d.example.com", i)}},
			{"authorization": {fmt.Sprintf("Bearer token-%d", i)}},
			{"authorization": {"Bearer"}},
		} {
			ctx := metadata.NewIncomingContext(t.Context(), header)
			for _, procedure := range []string{
				rpctest.Procedure(rpctest.GuardedService, rpctest.Unary),
				rpctest.Procedure(rpctest.GuardedService, fmt.Sprintf("Method%d", i)),
				rpctest.Procedure(fmt.Sprintf("unknown.v1.Service%d", i), rpctest.Unary),
				fmt.Sprintf("//%d", i),
			} {
				if _, err := g.authorize(ctx, procedure); err == nil {
					t.Fatalf("%q was let in", procedure)
				}
			}
		}
	}
	kept := 0
	g.refusals.prebuilt.Range(func(key, _ any) bool {
		kept++
		if !key.(*interceptor.ChallengeError).Prebuilt() {
			t.Errorf("keeps %v", key)
		}
		return true
	})
	if kept != 2 {
		t.Errorf("keeps %d refusals, want 2: one rule, two doors", kept)
	}
}

// TestCopyIsNotKept: what was made of a denial is not told of its copy, which may
// say something else (SEED-7).
func TestCopyIsNotKept(t *testing.T) {
	t.Parallel()
	a, err := interceptor.New(interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: "https://api.example.com", AuthorizationServers: []string{"https://login.example.com"}}},
		Policy:    rpctest.Policy(),
		Verifier:  refusing{},
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Authorize(t.Context(), interceptor.Request{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)})
	denial := interceptor.DenialOf(err)
	var kept refusals
	if first := kept.of(denial); kept.of(denial) != first {
		t.Error("the refusal of a prebuilt denial is not kept")
	}
	copied := *denial
	copied.Challenge.Realm = "another.v1.Service"
	told := kept.of(&copied)
	if got := told.header.Get("www-authenticate"); len(got) != 1 || got[0] != copied.Challenge.Header() {
		t.Errorf("SEED-7: a copy is told as %q", got)
	}
	if kept.of(&copied) == told {
		t.Error("SEED-7: what is made of a copy is kept")
	}
}

// TestNotADenial: an Authorizer returns nothing else, and if it did the call
// would be refused all the same, without a word about why (RPC-7).
func TestNotADenial(t *testing.T) {
	t.Parallel()
	var kept refusals
	err := kept.refuse(t.Context(), errors.New("kid-4711"))
	var refused *Error
	if !errors.As(err, &refused) || refused.GRPCStatus().Code() != codes.Internal || err.Error() != "internal error" {
		t.Errorf("got %v", err)
	}
}

// TestInvalidUTF8: a refusal stands, even if its detail cannot be sent.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	refused := newRefusal(&interceptor.ChallengeError{
		Kind:      interceptor.KindInvalidToken,
		Challenge: interceptor.Challenge{Scheme: "Bearer", Realm: "\xff"},
	})
	got := status.Convert(refused.err)
	if got.Code() != codes.Unauthenticated || len(got.Details()) != 0 {
		t.Errorf("got %v", got)
	}
}
