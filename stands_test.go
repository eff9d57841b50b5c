package drawbridge_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestStands: adapters that meet the same request decide about it once. Another
// request is decided, whatever its context carries.
func TestStands(t *testing.T) {
	t.Parallel()
	first := sent{Procedure: guarded, Path: "/x", Host: "api.example.com", Authorization: bearer("t-writer")}
	with := func(changes ...func(*sent)) sent {
		second := first
		for _, change := range changes {
			change(&second)
		}
		return second
	}
	procedure := func(name string) func(*sent) { return func(s *sent) { s.Procedure, s.Path = name, "/x" } }
	path := func(name string) func(*sent) { return func(s *sent) { s.Path = name } }
	fields := func(values ...string) func(*sent) { return func(s *sent) { s.Authorization = values } }
	for _, tt := range []struct {
		name   string
		second sent
		want   challenge.Reason
		asked  int64 // further calls of the verifier
	}{
		{"the same request", first, letIn, 0},
		{"the same credential in another slice", with(fields("Bearer t-writer")), letIn, 0},
		{"another procedure of the same rule", with(procedure(rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi))), letIn, 0},
		{"another path of the same resource", with(path("/y/z")), letIn, 0},
		{"the path of the procedure", with(path("")), letIn, 0},
		{"another name of the same resource", with(func(s *sent) { s.Host = "alias.example.com" }), letIn, 0},
		{"the credential, written in another way", with(fields("bearer t-writer")), letIn, 1},
		{"another token", with(fields("Bearer t-admin")), letIn, 1},
		{"RPC-1 an invalid token", with(fields("Bearer t-unknown")), challenge.ReasonInvalidToken, 1},
		{"RPC-1 no token", with(fields()), challenge.ReasonNoCredentials, 0},
		{"R6750-2.b a second field", with(fields("Bearer t-writer", "Bearer t-writer")), challenge.ReasonInvalidRequest, 0},
		{"R6750-2.b a token in the query as well", with(func(s *sent) { s.QueryToken = true }), challenge.ReasonInvalidRequest, 0},
		{"another rule", with(procedure("/a.v1.A/Get")), challenge.ReasonInsufficientScope, 1},
		{"RPC-6 no rule", with(procedure(nowhere)), challenge.ReasonNotFound, 1},
		{"plain HTTP under the same rule", with(func(s *sent) { s.Procedure, s.Service = "", rpctest.GuardedService }), letIn, 0},
		{"R8707-2 the resource below", with(path("/mcp")), challenge.ReasonInvalidToken, 1},
		{"R8707-2 the resource below, escaped", with(path("/mcp"), func(s *sent) { s.RawPath = "/%6dcp" }), challenge.ReasonInvalidRequest, 0},
		{"R8707-2 a path that can be read as that of the resource below", with(path("//mcp")), challenge.ReasonInvalidRequest, 0},
		{"R8707-2 a path with a way up", with(path("/x/../mcp")), challenge.ReasonInvalidRequest, 0},
		{"R8707-2 the resource of another host", with(func(s *sent) { s.Host = "other.example.com" }), challenge.ReasonInvalidToken, 1},
		{"SEED-7 no resource", with(path("*")), challenge.ReasonNotFound, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			verifier := people()
			a := newAuthorizer(t, withAdmin, func(cfg *drawbridge.Config) {
				cfg.Resources = []drawbridge.Resource{resource(base, alias), resource(base + "/mcp"), resource("https://other.example.com")}
				cfg.Verifier = verifier
			})
			ctx := enter(t.Context(), t, a, first)
			again, err := authorize(ctx, a, tt.second)
			wantOutcome(t, err, tt.want)
			if got := verifier.asked.Load() - 1; got != tt.asked {
				t.Errorf("the verifier was called %d times more, want %d", got, tt.asked)
			}
			if stands := tt.want == letIn && tt.asked == 0; (again == ctx) != stands {
				t.Errorf("the same context: got %t", again == ctx)
			}
		})
	}
}

// TestStandsForItsAuthorizer: a decision of another Authorizer does not count.
func TestStandsForItsAuthorizer(t *testing.T) {
	t.Parallel()
	verifier := people()
	change := func(cfg *drawbridge.Config) { cfg.Verifier = verifier }
	first, second := newAuthorizer(t, change), newAuthorizer(t, change)
	call := sent{Procedure: guarded, Authorization: bearer("t-writer")}
	outer := enter(t.Context(), t, first, call)
	inner := enter(outer, t, second, call)
	if inner == outer || verifier.asked.Load() != 2 {
		t.Errorf("the verifier was called %d times, want 2", verifier.asked.Load())
	}
	// The inner caller does not hide the outer one from its Authorizer.
	enter(inner, t, first, call)
	if got := verifier.asked.Load(); got != 2 {
		t.Errorf("the verifier was called %d times, want 2", got)
	}
	if err := first.Check(inner, guarded); err != nil {
		t.Errorf("Check by the outer Authorizer: %v", err)
	}
}

// TestStandsForItsCredential: a field value that was changed in place is another
// credential.
func TestStandsForItsCredential(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	for raw, want := range map[string]challenge.Reason{
		"Bearer t-reader":  challenge.ReasonInsufficientScope,
		"Bearer t-unknown": challenge.ReasonInvalidToken,
		"":                 challenge.ReasonNoCredentials,
		"Bearer t-admin":   letIn,
	} {
		call := sent{Procedure: guarded, Authorization: bearer("t-writer")}
		ctx := enter(t.Context(), t, a, call)
		call.Authorization[0] = raw
		again, err := authorize(ctx, a, call)
		wantOutcome(t, err, want)
		if again == ctx {
			t.Errorf("%q: the decision about another credential stands", raw)
		}
	}
}

// TestStandsUntilExpiry: a decision does not outlive its token (R9068-4.b).
func TestStandsUntilExpiry(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		expiry time.Time
		want   bool
	}{
		"no expiry":       {time.Time{}, true},
		"later":           {time.Now().Add(time.Hour), true},
		"R9068-4.b now":   {time.Now(), false},
		"R9068-4.b since": {time.Now().Add(-time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verifier := people()
			a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Verifier = verifier })
			call := sent{Procedure: guarded, Authorization: bearer("t-writer")}
			ctx := enter(t.Context(), t, a, call)
			verifier.tokens["t-writer"].Expiry = tt.expiry // since the call was let in
			again, err := authorize(ctx, a, call)
			if stands := again == ctx; stands != tt.want {
				t.Errorf("R9068-4.b: the decision stands: %t", stands)
			}
			wantOutcome(t, err, map[bool]challenge.Reason{true: letIn, false: challenge.ReasonInvalidToken}[tt.want])
			if got, want := verifier.asked.Load(), map[bool]int64{true: 1, false: 2}[tt.want]; got != want {
				t.Errorf("the verifier was called %d times, want %d", got, want)
			}
		})
	}
}

// TestStandsPublic: a call that was let in without a token opens nothing else.
func TestStandsPublic(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = resources(base, base+"/mcp") })
	ctx := enter(t.Context(), t, a, sent{Procedure: public})
	for _, s := range []sent{{}, {Path: "/mcp"}, {Path: "//mcp"}, {Authorization: bearer("t-unknown")}, {QueryToken: true}} {
		s.Procedure = public
		if again := enter(ctx, t, a, s); again != ctx {
			t.Errorf("%+v: decided twice", s)
		}
		s.Procedure = guarded
		s.Path = cmp.Or(s.Path, guarded)
		if _, err := authorize(ctx, a, s); err == nil {
			t.Errorf("RPC-1: %+v: let in", s)
		}
	}
	// Nor does a guarded call stand for a public one, which has no caller.
	writer := enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	if again := enter(writer, t, a, sent{Procedure: public, Authorization: bearer("t-writer")}); again == writer || subject(again) != anonymous {
		t.Errorf("a public call within a guarded one: got %s", subject(again))
	}
}

// TestStandsUnderItsConfiguration: a call keeps the configuration of its first
// decision also where another Authorizer decides in between.
func TestStandsUnderItsConfiguration(t *testing.T) {
	t.Parallel()
	first, between := newAuthorizer(t), newAuthorizer(t)
	call := sent{Procedure: guarded, Authorization: bearer("t-writer")}
	ctx := enter(enter(t.Context(), t, first, call), t, between, call)
	closed := config()
	closed.Policy = policy.Policy{}
	if err := first.Reconfigure(closed); err != nil {
		t.Fatal(err)
	}
	enter(ctx, t, first, call)
	_, err := authorize(t.Context(), first, call)
	wantOutcome(t, err, challenge.ReasonNotFound)
}

// TestPin: what an adapter asks after Pin is answered by one configuration.
func TestPin(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	pinned := a.Adapter().Pin(t.Context())
	closed := config()
	closed.Policy = policy.Policy{}
	closed.Resources = resources("https://other.example.com/api")
	if err := a.Reconfigure(closed); err != nil {
		t.Fatal(err)
	}
	req := &wire{sent{Procedure: guarded, Authorization: bearer("t-writer")}}
	for _, tt := range []struct {
		name    string
		adapter drawbridge.Adapter
		mount   string
		old     bool
	}{
		{"pinned", pinned, "", true},
		{"pinned again", pinned.Pin(t.Context()), "", true},
		{"not pinned", a.Adapter(), "/api", false},
	} {
		r := drawbridge.Request{Procedure: guarded, Transport: req}
		var caller drawbridge.Caller
		allowed := tt.adapter.Decide(t.Context(), &r, &caller) == nil
		if mount := tt.adapter.Mount(t.Context(), &r); allowed != tt.old || mount != tt.mount || tt.adapter.HasRule(guarded) != tt.old {
			t.Errorf("%s: allowed %t, mount %q, rule %t", tt.name, allowed, mount, tt.adapter.HasRule(guarded))
		}
	}
}
