package drawbridge_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestCallerOfNothing: a nil Caller and a zero one stand for a call that nothing
// authorized, and every method says so.
func TestCallerOfNothing(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	for name, caller := range map[string]*drawbridge.Caller{"nil": nil, "zero": new(drawbridge.Caller)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if caller.Info() != nil || !caller.IsAnonymous() || !caller.Expiry().IsZero() {
				t.Errorf("got %+v, %t, %v", caller.Info(), caller.IsAnonymous(), caller.Expiry())
			}
			denialOf(t, caller.Check(t.Context(), guarded), challenge.ReasonInternal)
			denialOf(t, caller.Check(t.Context(), public), challenge.ReasonInternal)
			denialOf(t, caller.Expire(t.Context(), guarded), challenge.ReasonInternal)
			if got := caller.JoinScopes([]string{"a"}, guarded); !slices.Equal(got, []string{"a"}) {
				t.Errorf("JoinScopes: got %q", got)
			}
			ctx := caller.NewContext(enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-admin")}))
			if got := subject(ctx); got != anonymous || a.Adapter().Caller(ctx) != nil {
				t.Errorf("MCP-10: NewContext: got %s", got)
			}
			denialOf(t, a.Check(ctx, guarded), challenge.ReasonInternal)
			_, err := authorize(ctx, a, sent{Procedure: guarded})
			denialOf(t, err, challenge.ReasonNoCredentials)
		})
	}
}

// TestCaller: what a Caller holds of a call, with a token and without one.
func TestCaller(t *testing.T) {
	t.Parallel()
	expiry := time.Now().Add(time.Hour)
	verifier := people()
	verifier.tokens["t-writer"].Expiry = expiry
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Verifier = verifier })
	for _, tt := range []struct {
		name      string
		call      sent
		anonymous bool
		expiry    time.Time
	}{
		{"a token", sent{Procedure: guarded, Authorization: bearer("t-writer")}, false, expiry},
		{"a token that does not expire", sent{Procedure: guarded, Authorization: bearer("t-admin")}, false, time.Time{}},
		{"no token", sent{Procedure: public, Authorization: bearer("t-writer")}, true, time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			caller := a.Adapter().Caller(enter(t.Context(), t, a, tt.call))
			if caller == nil || caller.IsAnonymous() != tt.anonymous || !caller.Expiry().Equal(tt.expiry) || (caller.Info() == nil) != tt.anonymous {
				t.Errorf("got %+v", caller)
			}
		})
	}
}

// TestDecide: Decide decides like Authorize, for adapters that keep the Caller in
// a context of their own.
func TestDecide(t *testing.T) {
	t.Parallel()
	verifier := people()
	a := newAuthorizer(t, withAdmin, func(cfg *drawbridge.Config) { cfg.Verifier = verifier })
	adapter := a.Adapter()
	writer := sent{Procedure: guarded, Authorization: bearer("t-writer")}
	outer := enter(t.Context(), t, a, writer)
	for _, tt := range []struct {
		name  string
		ctx   context.Context //nolint:containedctx // A row of a table.
		call  sent
		want  challenge.Reason
		asked int64
	}{
		{"let in", t.Context(), writer, letIn, 1},
		{"let in further out", outer, writer, letIn, 0},
		{"public", t.Context(), sent{Procedure: public}, letIn, 0},
		{"no token", t.Context(), sent{Procedure: guarded}, challenge.ReasonNoCredentials, 0},
		{"no token, within a call", outer, sent{Procedure: guarded}, challenge.ReasonNoCredentials, 0},
		{"another rule, within a call", outer, sent{Procedure: "/a.v1.A/Get", Authorization: bearer("t-writer")}, challenge.ReasonInsufficientScope, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := verifier.asked.Load()
			req := tt.call.Request()
			var caller drawbridge.Caller
			denial := adapter.Decide(tt.ctx, &req, &caller)
			if tt.want == letIn {
				if denial != nil {
					t.Fatalf("got %v", denial)
				}
				_, err := authorize(caller.NewContext(tt.ctx), a, tt.call)
				wantOutcome(t, err, letIn)
			} else {
				denialOf(t, denial, tt.want)
				if caller != (drawbridge.Caller{}) {
					t.Error("a caller beside a denial")
				}
			}
			if got := verifier.asked.Load() - before; got != tt.asked {
				t.Errorf("the verifier was called %d times, want %d", got, tt.asked)
			}
		})
	}
}

// TestNewContext: a session keeps its own context, with the caller of one of its
// requests (MCP-10).
func TestNewContext(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	call := sent{Procedure: guarded, Authorization: bearer("t-writer")}
	writer := enter(t.Context(), t, a, call)
	caller := a.Adapter().Caller(writer)
	session, cancel := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "session"))
	ctx := caller.NewContext(session)
	if got := subject(ctx); got != "writer" || a.Adapter().Caller(ctx).IsAnonymous() {
		t.Errorf("MCP-10: got %s", got)
	}
	if ctx.Value(contextKey{}) != "session" || writer.Value(contextKey{}) != nil {
		t.Error("the values are not those of the session")
	}
	if cancel(); !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("the session ended, and its context did not")
	}
	var none *drawbridge.Caller
	if got := subject(none.NewContext(writer)); got != anonymous {
		t.Errorf("MCP-10: got %s, want no caller", got)
	}
	if caller.Value(contextKey{}) != nil {
		t.Error("a Caller has a value under the key of another package")
	}
}

// TestExpire: a stream that outlives its token ends as one with an invalid token.
func TestExpire(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Logger = slog.New(&log) })
	ctx := enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	denial := denialOf(t, a.Adapter().Caller(ctx).Expire(ctx, guarded), challenge.ReasonInvalidToken)
	want := `Bearer realm="drawbridge.test.v1.GuardedService", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", scope="guarded:write", ` +
		`error="invalid_token", error_description="the access token is malformed, expired, revoked or not from a trusted issuer"`
	if got := denial.Challenge.Header(); got != want {
		t.Errorf("MCP-3: got  %s\nwant %s", got, want)
	}
	if !errors.Is(denial, token.ErrInvalid) {
		t.Errorf("%v is not ErrInvalid", denial.Cause)
	}
	if logged := log.take(t); logged["subject"] != "writer" || logged["procedure"] != guarded || logged["status"] != int64(401) {
		t.Errorf("SEED-1: logged %v", logged)
	}
}

// TestJoinScopes: a challenge from further in asks for the scopes of the whole way
// (MCP-4).
func TestJoinScopes(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, withEntry, func(cfg *drawbridge.Config) {
		cfg.Policy.Services["b.v1.B"] = policy.Service{Rule: policy.Rule{Scopes: []string{"b"}}, NoDescriptor: true}
	})
	by := func(procedure, raw string) *drawbridge.Caller {
		return a.Adapter().Caller(enter(t.Context(), t, a, sent{Procedure: procedure, Authorization: bearer(raw)}))
	}
	for _, tt := range []struct {
		name    string
		caller  *drawbridge.Caller
		scopes  []string
		through string
		want    []string
	}{
		{"MCP-4 the requirement of the call", by(guarded, "t-writer"), []string{"x"}, "", []string{"x", rpctest.ScopeWrite}},
		{"MCP-4 a procedure on the way", by(guarded, "t-writer"), []string{"x"}, "/b.v1.B/Get", []string{"x", "b", rpctest.ScopeWrite}},
		{"MCP-4 a procedure without a rule", by(guarded, "t-writer"), []string{"x"}, nowhere, []string{"x", rpctest.ScopeWrite}},
		{"MCP-5 a broader scope is asked for", by(guarded, "t-writer"), []string{rpctest.ScopeAdmin}, "", []string{rpctest.ScopeAdmin}},
		{"MCP-4 an entry without scopes", by(entry, "t-writer"), []string{"x"}, guarded, []string{"x", rpctest.ScopeWrite}},
		{"MCP-4 a public call", by(public, ""), []string{"x"}, "", []string{"x"}},
		{"MCP-4 no scopes", by(entry, "t-reader"), nil, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.caller.JoinScopes(tt.scopes, tt.through); !slices.Equal(got, tt.want) {
				t.Errorf("MCP-4: got %q, want %q", got, tt.want)
			}
		})
	}
}
