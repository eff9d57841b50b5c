package drawbridge_test

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestDeny: a handler that denies for its own reasons does so with a challenge
// (RPC-10).
func TestDeny(t *testing.T) {
	t.Parallel()
	var seen watcher
	var log journal
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Observers, cfg.Logger = []drawbridge.Observer{&seen}, slog.New(&log)
	})
	ctx := enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	seen.take(t)
	cause := errors.New("not the owner")
	for _, tt := range []struct {
		reason challenge.Reason
		scopes []string
		want   []string
	}{
		{challenge.ReasonInsufficientScope, []string{"own"}, []string{"own", rpctest.ScopeWrite}},
		{challenge.ReasonInsufficientScope, nil, []string{rpctest.ScopeWrite}},
		{challenge.ReasonInsufficientAuthentication, []string{"own"}, []string{rpctest.ScopeWrite}},
		{challenge.ReasonForbidden, []string{"own"}, nil},
	} {
		denial := a.Deny(ctx, tt.reason, cause, tt.scopes...)
		if denial.Reason != tt.reason || !errors.Is(denial, cause) || denial.Challenge.Realm != rpctest.GuardedService || denial.Challenge.ResourceMetadataURL != base+wellKnown {
			t.Errorf("RPC-10: %v: got %+v", tt.reason, denial)
		}
		if !slices.Equal(denial.Challenge.Scopes, tt.want) {
			t.Errorf("MCP-4: %v: asks for %q, want %q", tt.reason, denial.Challenge.Scopes, tt.want)
		}
		if got := seen.take(t); got.Reason != tt.reason || got.Subject != "writer" || !errors.Is(got.Cause, cause) || got.Service != rpctest.GuardedService {
			t.Errorf("observed %+v", got)
		}
		if got := log.take(t); got["cause"] != "not the owner" || got["service"] != rpctest.GuardedService {
			t.Errorf("logged %v", got)
		}
		// What the handler changes is its own.
		age := time.Minute
		denial.Challenge.ACRValues, denial.Challenge.MaxAge = []string{"mfa"}, &age
		for i := range denial.Challenge.Scopes {
			denial.Challenge.Scopes[i] = "evil"
		}
	}
	_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-reader")})
	if got := denialOf(t, err, challenge.ReasonInsufficientScope).Challenge; got.Scopes[0] != rpctest.ScopeWrite || got.MaxAge != nil {
		t.Errorf("a later denial is %+v", got)
	}
	seen.take(t)
	log.take(t)
	if denial := a.Deny(t.Context(), challenge.ReasonForbidden, cause); denial.Reason != challenge.ReasonInternal || !errors.Is(denial, cause) {
		t.Errorf("without a caller: got %+v", denial)
	}
	seen.take(t)
	log.take(t)
	// A call by a public rule has a caller, without a token.
	anybody := enter(t.Context(), t, a, sent{Procedure: public})
	seen.take(t)
	if denial := a.Deny(anybody, challenge.ReasonNoCredentials, nil); denial.Reason != challenge.ReasonNoCredentials || denial.Challenge.ResourceMetadataURL != base+wellKnown {
		t.Errorf("within a public call: got %+v", denial)
	}
}
