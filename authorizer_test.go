package drawbridge_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// anonymous is the subject of a call without a token.
const anonymous = "anonymous"

// subject returns the subject of the token that ctx carries.
func subject(ctx context.Context) string {
	info, ok := token.FromContext(ctx)
	if ok != (info != nil) {
		return "contradiction"
	}
	if !ok {
		return anonymous
	}
	return info.Subject
}

type contextKey struct{}

// TestFromContext: handlers read the facts of the token that their call was
// authorized with.
func TestFromContext(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	ctx := context.WithValue(t.Context(), contextKey{}, "kept")
	if got := subject(ctx); got != anonymous {
		t.Errorf("outside of a call: got %s", got)
	}
	writer := enter(ctx, t, a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	if got := subject(writer); got != "writer" {
		t.Errorf("guarded: got %s", got)
	}
	if writer.Value(contextKey{}) != "kept" {
		t.Error("a value of the context was lost")
	}
	if got := subject(enter(ctx, t, a, sent{Procedure: public, Authorization: bearer("t-writer")})); got != anonymous {
		t.Errorf("public: got %s", got)
	}
	if got := subject(enter(writer, t, a, sent{Procedure: public})); got != anonymous {
		t.Errorf("public within guarded: got %s", got)
	}
	denied, err := authorize(ctx, a, sent{Procedure: guarded})
	denialOf(t, err, challenge.ReasonNoCredentials)
	if denied != nil {
		t.Error("a context beside a denial")
	}
}

// TestFromContextIsIsolated: a handler that changes its facts changes nothing for
// another call, though a verifier caches them.
func TestFromContextIsIsolated(t *testing.T) {
	t.Parallel()
	facts := func() *token.Info {
		return &token.Info{
			Issuer: issuer, Subject: "ada", Audience: []string{base}, Scopes: []string{rpctest.ScopeWrite},
			Claims: map[string]any{"org": map[string]any{"roles": []any{"user"}}},
		}
	}
	verifier := &known{tokens: map[string]*token.Info{"t-ada": facts()}}
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Verifier = verifier })
	call := sent{Procedure: guarded, Authorization: bearer("t-ada")}
	ctx := enter(t.Context(), t, a, call)
	for _, read := range []func() *token.Info{
		func() *token.Info { info, _ := token.FromContext(ctx); return info },
		func() *token.Info { return a.Adapter().Caller(ctx).Info() },
	} {
		info := read()
		if !reflect.DeepEqual(info, facts()) {
			t.Fatalf("got %+v", info)
		}
		info.Subject, info.Audience[0], info.Scopes[0] = "eve", "evil", "evil"
		info.Claims["org"].(map[string]any)["roles"].([]any)[0] = "admin"
		info.Claims["admin"] = true
		if again := read(); !reflect.DeepEqual(again, facts()) {
			t.Errorf("the same call: got %+v", again)
		}
	}
	if err := a.Check(ctx, guarded); err != nil {
		t.Errorf("Check of the same call: %v", err)
	}
	next := enter(t.Context(), t, a, call)
	if info, _ := token.FromContext(next); !reflect.DeepEqual(info, facts()) {
		t.Errorf("the next call: got %+v", info)
	}
	if !reflect.DeepEqual(verifier.tokens["t-ada"], facts()) {
		t.Errorf("the cached facts became %+v", verifier.tokens["t-ada"])
	}
}

// entry is a service whose rule only requires a token, as that of an MCP endpoint
// does.
const entry = "/entry.v1.Entry/Enter"

func withEntry(cfg *drawbridge.Config) {
	cfg.Policy.Services["entry.v1.Entry"] = policy.Service{Rule: policy.Rule{Authenticated: true}, NoDescriptor: true}
}

// TestCheck: the rule alone is applied, to the token that the call was let in with
// (MCP-7).
func TestCheck(t *testing.T) {
	t.Parallel()
	var log journal
	verifier := people()
	a := newAuthorizer(t, withEntry, withAdmin, func(cfg *drawbridge.Config) { cfg.Verifier, cfg.Logger = verifier, slog.New(&log) })
	foreign := newAuthorizer(t)
	by := func(a *drawbridge.Authorizer, procedure, raw string) context.Context {
		return enter(t.Context(), t, a, sent{Procedure: procedure, Authorization: bearer(raw)})
	}
	reader, writer, admin := by(a, entry, "t-reader"), by(a, entry, "t-writer"), by(a, entry, "t-admin")
	in := func(session, caller context.Context) context.Context {
		return a.Adapter().Caller(caller).NewContext(session)
	}
	for _, tt := range []struct {
		name      string
		ctx       context.Context //nolint:containedctx // A row of a table.
		procedure string
		want      challenge.Reason
	}{
		{"enough", writer, guarded, letIn},
		{"MCP-5 more than enough", admin, guarded, letIn},
		{"MCP-2 too little", reader, guarded, challenge.ReasonInsufficientScope},
		{"MCP-2 too little for another service", writer, "/a.v1.A/Get", challenge.ReasonInsufficientScope},
		{"public", reader, public, letIn},
		{"RPC-6 no rule", admin, nowhere, challenge.ReasonNotFound},
		{"RPC-5 malformed", admin, entry[1:], challenge.ReasonNotFound},
		{"RPC-5 empty", admin, "", challenge.ReasonNotFound},
		{"a caller without a token", by(a, public, "t-admin"), guarded, challenge.ReasonNoCredentials},
		{"a caller without a token, and a public procedure", by(a, public, "t-admin"), public, letIn},
		{"RPC-6 a caller without a token, and no rule", by(a, public, "t-admin"), nowhere, challenge.ReasonNoCredentials},
		{"MCP-10 the caller of another call", in(writer, reader), entry, letIn},
		{"MCP-10 the caller of another call, who may do less", in(writer, reader), guarded, challenge.ReasonInsufficientScope},
		{"MCP-10 the caller of another call, who may do more", in(reader, writer), guarded, letIn},
		{"no caller", t.Context(), guarded, challenge.ReasonInternal},
		{"RPC-6 no caller, and no rule", t.Context(), nowhere, challenge.ReasonInternal},
		{"no caller, and a public procedure", t.Context(), public, challenge.ReasonInternal},
		{"MCP-10 a caller that was removed", in(writer, t.Context()), guarded, challenge.ReasonInternal},
		{"MCP-7 a caller of another Authorizer", by(foreign, guarded, "t-admin"), guarded, challenge.ReasonInternal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := verifier.asked.Load()
			err := a.Check(tt.ctx, tt.procedure)
			wantOutcome(t, err, tt.want)
			if verifier.asked.Load() != before {
				t.Error("the verifier was called again")
			}
			if tt.want == letIn {
				log.wantNothing(t)
				return
			}
			denial, want := denialOf(t, err, tt.want), base+wellKnown
			if tt.want == challenge.ReasonInternal {
				want = ""
			}
			if denial.Challenge.ResourceMetadataURL != want {
				t.Errorf("got %+v", denial.Challenge)
			}
			if logged := log.take(t); logged["procedure"] != tt.procedure {
				t.Errorf("SEED-1: logged %v", logged)
			}
		})
	}
}

// TestCheckJoinsScopes: a caller that lacks a scope for a further procedure is
// asked for all that it takes to come back the same way (MCP-4).
func TestCheckJoinsScopes(t *testing.T) {
	t.Parallel()
	var log journal
	verifier := people()
	info := verifier.tokens["t-reader"]
	a := newAuthorizer(t, withAdmin, func(cfg *drawbridge.Config) {
		cfg.Verifier, cfg.Logger = verifier, slog.New(&log)
		cfg.Policy.Services["entry.v1.Entry"] = policy.Service{NoDescriptor: true, Methods: map[string]policy.Rule{
			"Any": {Authenticated: true}, "Own": {Scopes: []string{"entry"}}, "Read": {Scopes: []string{rpctest.ScopeRead}},
			"Choice": {AnyScopes: []string{"narrow", "wide"}}, "Same": {Scopes: []string{rpctest.ScopeWrite}},
		}}
	})
	for _, tt := range []struct {
		name, entry, procedure string
		granted, want          []string
	}{
		{"MCP-4 the entry asks for no scope", "Any", guarded, nil, []string{rpctest.ScopeWrite}},
		{"MCP-4 the entry asks for another scope", "Own", guarded, []string{"entry"}, []string{rpctest.ScopeWrite, "entry"}},
		{"MCP-4 the entry asks for the same scope", "Same", "/a.v1.A/Get", []string{rpctest.ScopeWrite}, []string{rpctest.ScopeAdmin}},
		{"MCP-5 the entry asks for less of the same", "Read", guarded, []string{rpctest.ScopeRead}, []string{rpctest.ScopeWrite}},
		{"MCP-4 the entry asks for one of two", "Choice", guarded, []string{"wide"}, []string{rpctest.ScopeWrite, "narrow"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			info.Scopes = tt.granted
			call := sent{Procedure: "/entry.v1.Entry/" + tt.entry, Authorization: bearer("t-reader")}
			ctx := enter(t.Context(), t, a, call)
			for range 2 { // The first time must not change the second.
				denial := denialOf(t, a.Check(ctx, tt.procedure), challenge.ReasonInsufficientScope)
				if !slices.Equal(denial.Challenge.Scopes, tt.want) {
					t.Errorf("MCP-4: asks for %q, want %q", denial.Challenge.Scopes, tt.want)
				}
				if logged := log.take(t); !reflect.DeepEqual(logged["required_scopes"], tt.want) {
					t.Errorf("SEED-1: logged %v", logged)
				}
			}
			// With the scopes that it was asked for, the caller is let in by both.
			info.Scopes = tt.want
			wantOutcome(t, a.Check(enter(t.Context(), t, a, call), tt.procedure), letIn)
			log.wantNothing(t)
		})
	}
}

// TestCheckExpired: a token that has expired since the call was let in allows
// nothing that is not public (R9068-4.b, MCP-2).
func TestCheckExpired(t *testing.T) {
	t.Parallel()
	var log journal
	verifier := people()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Verifier, cfg.Logger = verifier, slog.New(&log) })
	until := func(expiry time.Time) context.Context {
		verifier.tokens["t-admin"].Expiry = time.Time{}
		ctx := enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-admin")})
		verifier.tokens["t-admin"].Expiry = expiry // since the call was let in
		return ctx
	}
	never := until(time.Time{})
	wantOutcome(t, a.Check(never, guarded), letIn)
	wantOutcome(t, a.Check(until(time.Now().Add(time.Hour)), guarded), letIn)
	expired := until(time.Now())
	for procedure, want := range map[string]challenge.Reason{
		guarded: challenge.ReasonInvalidToken,
		nowhere: challenge.ReasonInvalidToken,
		public:  letIn,
	} {
		err := a.Check(expired, procedure)
		wantOutcome(t, err, want)
		if want == letIn {
			continue
		}
		denial := challenge.DenialOf(err)
		if denial.Challenge.Error != "invalid_token" || denial.Challenge.ResourceMetadataURL != base+wellKnown || !errors.Is(err, token.ErrInvalid) {
			t.Errorf("R9068-4.c: %s: got %+v, %v", procedure, denial.Challenge, denial.Cause)
		}
		if logged := log.take(t); logged["subject"] != "admin" || logged["procedure"] != procedure || logged["status"] != int64(401) {
			t.Errorf("SEED-1: logged %v", logged)
		}
	}
	log.wantNothing(t)
}

// TestCheckKeepsAddress: the challenge for a further procedure leads to the
// resource that the caller came to, under the name it used (SEED-5).
func TestCheckKeepsAddress(t *testing.T) {
	t.Parallel()
	verifier := people()
	verifier.tokens["t-reader"].Audience = []string{alias + "/mcp"}
	a := newAuthorizer(t, withEntry, func(cfg *drawbridge.Config) {
		cfg.Resources = []drawbridge.Resource{resource(base, alias), resource(base+"/mcp", alias)}
		cfg.Verifier = verifier
	})
	ctx := enter(t.Context(), t, a, sent{Service: "entry.v1.Entry", Path: "/mcp", Host: "alias.example.com", Authorization: bearer("t-reader")})
	for name, denial := range map[string]*challenge.DenialError{
		"too little": denialOf(t, a.Check(ctx, guarded), challenge.ReasonInsufficientScope),
		"expired":    a.Adapter().Caller(ctx).Expire(ctx, guarded),
	} {
		if got, want := denial.Challenge.ResourceMetadataURL, alias+wellKnown+"/mcp"; got != want {
			t.Errorf("SEED-5: %s: got %s, want %s", name, got, want)
		}
	}
}

// TestForeignCaller: a decision of another Authorizer does not count: not the
// caller, not the resource, not the scopes (MCP-7).
func TestForeignCaller(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Logger = slog.New(&log) })
	foreign := newAuthorizer(t, withAdmin, func(cfg *drawbridge.Config) {
		cfg.Resources = resources("https://foreign.example.com")
		cfg.Resources[0].Audiences = []string{base}
	})
	ctx := enter(t.Context(), t, foreign, sent{Procedure: "/a.v1.A/Get", Authorization: bearer("t-admin")})
	if a.Adapter().Caller(ctx) != nil || foreign.Adapter().Caller(ctx) == nil {
		t.Error("MCP-7: the caller belongs to another Authorizer")
	}
	req := sent{Procedure: guarded}.Request()
	for name, err := range map[string]error{
		"Check":  a.Check(ctx, guarded),
		"Refuse": a.Adapter().Refuse(ctx, &req, challenge.ReasonForbidden, nil),
	} {
		got := challenge.DenialOf(err).Challenge
		if got.ResourceMetadataURL != "" || got.Realm != rpctest.GuardedService || len(got.Scopes) != 0 {
			t.Errorf("MCP-7: %s: got %+v", name, got)
		}
		if logged := log.records; len(logged) != 2 || logged[0]["subject"] != nil || logged[1]["subject"] != nil {
			t.Errorf("MCP-7: logged %v", logged)
		}
	}
	_, err := authorize(ctx, a, sent{Procedure: guarded})
	denialOf(t, err, challenge.ReasonNoCredentials)
}
