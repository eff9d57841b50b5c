package interceptor_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// authorized returns a context in which req was let in.
func authorized(tb testing.TB, a *interceptor.Authorizer, ctx context.Context, req interceptor.Request) context.Context { //nolint:revive // In the order of the call that it makes.
	tb.Helper()
	ctx, err := a.AuthorizeContext(ctx, req)
	if err != nil {
		tb.Fatal(err)
	}
	return ctx
}

// subject returns who ctx carries, "nobody" if it carries no token.
func subject(ctx context.Context) string {
	info, ok := interceptor.TokenInfoFromContext(ctx)
	if ok != (info != nil) {
		return "contradiction"
	}
	if !ok {
		return "nobody"
	}
	return info.Subject
}

func TestTokenInfoFromContext(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, nil)
	ctx := context.WithValue(t.Context(), callerKey{}, "kept")
	if got := subject(ctx); got != "nobody" {
		t.Errorf("outside of a call: got %s", got)
	}
	writer := authorized(t, a, ctx, interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")})
	if got := subject(writer); got != "writer" {
		t.Errorf("guarded: got %s", got)
	}
	if writer.Value(callerKey{}) != "kept" {
		t.Error("a value of the context was lost")
	}
	if got := subject(authorized(t, a, ctx, interceptor.Request{Procedure: public, Authorization: bearer("t-writer")})); got != "nobody" {
		t.Errorf("public: got %s", got)
	}
	// A public call inside of a guarded one is nobody's.
	if got := subject(authorized(t, a, writer, interceptor.Request{Procedure: public})); got != "nobody" {
		t.Errorf("public in guarded: got %s", got)
	}
	denied, err := a.AuthorizeContext(ctx, interceptor.Request{Procedure: guarded})
	denialOf(t, err, interceptor.KindNoCredentials)
	if denied != nil {
		t.Error("a context beside a denial")
	}
}

// withAdmin adds a service that asks for more.
func withAdmin(cfg *interceptor.Config) {
	cfg.Policy.Services["a.v1.A"] = policy.Service{Rule: policy.Rule{Scopes: []string{rpctest.ScopeAdmin}}, Undescribed: true}
}

// TestDecidedOnce: adapters that meet the same request decide about it once; any
// other request is decided about anew, whatever context it has.
func TestDecidedOnce(t *testing.T) {
	t.Parallel()
	values := bearer("t-writer")
	first := interceptor.Request{Procedure: guarded, Authorization: values}
	for _, tt := range []struct {
		name    string
		req     interceptor.Request
		foreign bool // decided by another Authorizer
		want    interceptor.Kind
		asked   int64 // how often the verifier is, the first time not counted
	}{
		{name: "the same request", req: first, want: letIn},
		{name: "the same, from an adapter that knows more of it", req: interceptor.Request{Procedure: guarded, Authorization: values, Host: "x", Path: guarded}, want: letIn},
		{name: "the same header, another procedure under the same rule", req: interceptor.Request{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi), Authorization: values}, want: letIn},
		{name: "another request with the same token", req: interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")}, want: letIn, asked: 1},
		{name: "another request with a bad token", req: interceptor.Request{Procedure: guarded, Authorization: bearer("t-stranger")}, want: interceptor.KindInvalidToken, asked: 1},
		{name: "RPC-1 another request without a token", req: interceptor.Request{Procedure: guarded}, want: interceptor.KindNoCredentials},
		{name: "R6750-2.b the same header and one more", req: interceptor.Request{Procedure: guarded, Authorization: append(values[:1:1], "Bearer x")}, want: interceptor.KindInvalidRequest},
		{name: "R6750-2.b a field in front that grew", req: interceptor.Request{Procedure: guarded, Authorization: append(values, "Bearer x")}, want: interceptor.KindInvalidRequest},
		{name: "the same header, another rule", req: interceptor.Request{Procedure: "/a.v1.A/Get", Authorization: values}, want: interceptor.KindInsufficientScope, asked: 1},
		{name: "RPC-6 the same header, no rule", req: interceptor.Request{Procedure: nowhere, Authorization: values}, want: interceptor.KindNotFound, asked: 1},
		{name: "the same header, a public rule", req: interceptor.Request{Procedure: public, Authorization: values}, want: letIn},
		{name: "another Authorizer", req: first, foreign: true, want: letIn, asked: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			verifier := people()
			own := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Verifier = verifier; withAdmin(cfg) })
			second := own
			if tt.foreign {
				second = newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Verifier = verifier })
			}
			ctx := authorized(t, own, t.Context(), first)
			again, err := second.AuthorizeContext(ctx, tt.req)
			wantOutcome(t, err, tt.want)
			if got := verifier.asked.Load() - 1; got != tt.asked {
				t.Errorf("the verifier was asked %d times more, want %d", got, tt.asked)
			}
			if decided := tt.want == letIn && tt.asked == 0 && tt.req.Procedure != public; (again == ctx) != decided {
				t.Errorf("the same context: got %t", again == ctx)
			}
		})
	}
}

// TestDecidedOncePublic: what was let in without a token opens nothing else.
func TestDecidedOncePublic(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, nil)
	ctx := authorized(t, a, t.Context(), interceptor.Request{Procedure: public})
	if again := authorized(t, a, ctx, interceptor.Request{Procedure: public}); again != ctx {
		t.Error("decided twice")
	}
	_, err := a.AuthorizeContext(ctx, interceptor.Request{Procedure: guarded})
	denialOf(t, err, interceptor.KindNoCredentials)
	_, err = a.AuthorizeContext(interceptor.WithCallerOf(ctx, t.Context()), interceptor.Request{Procedure: guarded})
	denialOf(t, err, interceptor.KindNoCredentials)
}

// TestCheck: the rule alone, on the token of the door (MCP-7).
func TestCheck(t *testing.T) {
	t.Parallel()
	var log journal
	verifier := people()
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Verifier, cfg.Logger = verifier, slog.New(&log)
		cfg.Policy.Services["door.v1.Door"] = policy.Service{Rule: policy.Rule{Authenticated: true}, Undescribed: true}
		withAdmin(cfg)
	})
	foreign := newAuthorizer(t, nil)
	enter := func(by *interceptor.Authorizer, procedure, token string) context.Context {
		return authorized(t, by, t.Context(), interceptor.Request{Procedure: procedure, Authorization: bearer(token)})
	}
	const door = "/door.v1.Door/Enter"
	reader, writer, admin := enter(a, door, "t-reader"), enter(a, door, "t-writer"), enter(a, door, "t-admin")
	for _, tt := range []struct {
		name      string
		ctx       context.Context //nolint:containedctx // A row of a table.
		procedure string
		want      interceptor.Kind
	}{
		{"enough", writer, guarded, letIn},
		{"MCP-5 more than enough", admin, guarded, letIn},
		{"MCP-2 too little", reader, guarded, interceptor.KindInsufficientScope},
		{"MCP-2 too little for another service", writer, "/a.v1.A/Get", interceptor.KindInsufficientScope},
		{"public", reader, public, letIn},
		{"public, nobody", t.Context(), public, letIn},
		{"RPC-6 no rule", admin, nowhere, interceptor.KindNotFound},
		{"RPC-6 no rule, nobody", t.Context(), nowhere, interceptor.KindNoCredentials},
		{"RPC-5 malformed", admin, "door.v1.Door/Enter", interceptor.KindNotFound},
		{"RPC-5 empty", admin, "", interceptor.KindNotFound},
		{"nobody", t.Context(), guarded, interceptor.KindNoCredentials},
		{"a caller of a public procedure", enter(a, public, "t-admin"), guarded, interceptor.KindNoCredentials},
		{"a caller of another Authorizer", enter(foreign, guarded, "t-admin"), guarded, interceptor.KindNoCredentials},
		{"MCP-10 the caller of another call", interceptor.WithCallerOf(reader, writer), guarded, letIn},
		{"MCP-10 the caller of another call, who may do less", interceptor.WithCallerOf(writer, reader), guarded, interceptor.KindInsufficientScope},
		{"MCP-10 nobody in place of a caller", interceptor.WithCallerOf(writer, t.Context()), guarded, interceptor.KindNoCredentials},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := verifier.asked.Load()
			err := a.Check(tt.ctx, tt.procedure)
			wantOutcome(t, err, tt.want)
			if verifier.asked.Load() != before {
				t.Error("the verifier was asked again")
			}
			if tt.want == letIn {
				log.wantNothing(t)
				return
			}
			denial := denialOf(t, err, tt.want)
			if denial.Challenge.ResourceMetadata != base+wellKnown {
				t.Errorf("got %+v", denial.Challenge)
			}
			if entry := log.take(t); entry["procedure"] != tt.procedure {
				t.Errorf("SEED-1: logged %v", entry)
			}
		})
	}
}

// TestCheckKeepsDoor: a challenge for a further procedure leads to the resource
// that the caller came to, under the name it used.
func TestCheckKeepsDoor(t *testing.T) {
	t.Parallel()
	const alias = "https://alias.example.com"
	verifier := people()
	verifier.tokens["t-reader"].Audience = []string{alias + "/mcp"}
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Resources = []interceptor.Resource{resource(base, alias), resource(base+"/mcp", alias)}
		cfg.Verifier = verifier
		cfg.Policy.Services["door.v1.Door"] = policy.Service{Rule: policy.Rule{Authenticated: true}, Undescribed: true}
	})
	ctx := authorized(t, a, t.Context(), interceptor.Request{Service: "door.v1.Door", Path: "/mcp", Host: "alias.example.com", Authorization: bearer("t-reader")})
	denial := denialOf(t, a.Check(ctx, guarded), interceptor.KindInsufficientScope)
	if got, want := denial.Challenge.ResourceMetadata, alias+wellKnown+"/mcp"; got != want {
		t.Errorf("SEED-5: got %s, want %s", got, want)
	}
	denial = denialOf(t, a.Expired(ctx, guarded), interceptor.KindInvalidToken)
	if got, want := denial.Challenge.ResourceMetadata, alias+wellKnown+"/mcp"; got != want {
		t.Errorf("SEED-5: expired: got %s, want %s", got, want)
	}
}

func TestWithCallerOf(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, nil)
	req := interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")}
	writer := authorized(t, a, t.Context(), req)
	session, cancel := context.WithCancel(context.WithValue(t.Context(), callerKey{}, "session"))
	ctx := interceptor.WithCallerOf(session, writer)
	if got := subject(ctx); got != "writer" {
		t.Errorf("got %s", got)
	}
	if ctx.Value(callerKey{}) != "session" {
		t.Error("the values are not those of the session")
	}
	if cancel(); !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("the session ended, and its context did not")
	}
	if got := subject(interceptor.WithCallerOf(writer, t.Context())); got != "nobody" {
		t.Errorf("MCP-10: got %s, want nobody", got)
	}
}

// TestExpired: a stream that outlives its token ends as one with a bad token.
func TestExpired(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Logger = slog.New(&log) })
	ctx := authorized(t, a, t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")})
	denial := denialOf(t, a.Expired(ctx, guarded), interceptor.KindInvalidToken)
	want := `Bearer realm="drawbridge.test.v1.GuardedService", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", scope="guarded:write", ` +
		`error="invalid_token", error_description="the access token is malformed, expired, revoked or not from a trusted issuer"`
	if got := denial.Challenge.Header(); got != want {
		t.Errorf("MCP-3: got  %s\nwant %s", got, want)
	}
	if !errors.Is(denial, interceptor.ErrInvalidToken) {
		t.Errorf("%v is not ErrInvalidToken", denial.Cause)
	}
	if entry := log.take(t); entry["subject"] != "writer" || entry["procedure"] != guarded || entry["status"] != int64(401) {
		t.Errorf("SEED-1: logged %v", entry)
	}
	// Outside of a call there is still an answer.
	denial = denialOf(t, a.Expired(t.Context(), guarded), interceptor.KindInvalidToken)
	if denial.Challenge.ResourceMetadata != base+wellKnown {
		t.Errorf("got %+v", denial.Challenge)
	}
}

func TestHasRule(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, nil)
	for procedure, want := range map[string]bool{guarded: true, public: true, nowhere: false, "": false, rpctest.GuardedService: false} {
		if got := a.HasRule(procedure); got != want {
			t.Errorf("RPC-6: HasRule(%q): got %t", procedure, got)
		}
	}
	for service, want := range map[string]bool{rpctest.GuardedService: true, rpctest.PublicService: true, rpctest.NowhereService: false, "": false, guarded: false} {
		if got := a.HasServiceRule(service); got != want {
			t.Errorf("RPC-6: HasServiceRule(%q): got %t", service, got)
		}
	}
}
