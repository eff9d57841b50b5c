package interceptor_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

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

// TestDecidedForOneResource: a decision about one resource is none about
// another, though rule and header are the same (R8707-2, MCP-7).
func TestDecidedForOneResource(t *testing.T) {
	t.Parallel()
	values := bearer("t-writer")
	for _, tt := range []struct {
		name          string
		first, second interceptor.Request
		want          interceptor.Kind
		asked         int64 // how often the verifier is, the first time not counted
	}{
		{"R8707-2 the same resource", interceptor.Request{Path: "/x"}, interceptor.Request{Path: "/y/z"}, letIn, 0},
		{"R8707-2 the same resource, by its procedure", interceptor.Request{Path: "/x"}, interceptor.Request{}, letIn, 0},
		{"R8707-2 the resource below", interceptor.Request{Path: "/x"}, interceptor.Request{Path: "/mcp"}, interceptor.KindInvalidToken, 1},
		{"R8707-2 the resource below, in disguise", interceptor.Request{Path: "/x"}, interceptor.Request{Path: "/mcp", RawPath: "/%6dcp"}, interceptor.KindInvalidRequest, 0},
		{"R8707-2 the resource of another host", interceptor.Request{Path: "/x", Host: "api.example.com"}, interceptor.Request{Path: "/x", Host: "other.example.com"}, interceptor.KindInvalidToken, 1},
		{"R8707-2 another name of the same resource", interceptor.Request{Path: "/x", Host: "api.example.com"}, interceptor.Request{Path: "/x", Host: "alias.example.com"}, letIn, 0},
		{"SEED-7 no resource at all", interceptor.Request{Path: "/x"}, interceptor.Request{Path: "*"}, interceptor.KindNotFound, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			verifier := people()
			a := newAuthorizer(t, func(cfg *interceptor.Config) {
				cfg.Resources = []interceptor.Resource{resource(base, "https://alias.example.com"), resource(base + "/mcp"), resource("https://other.example.com")}
				cfg.Verifier = verifier
			})
			first, second := tt.first, tt.second
			first.Host, second.Host = cmp.Or(first.Host, "api.example.com"), cmp.Or(second.Host, "api.example.com")
			first.Procedure, first.Authorization = guarded, values
			second.Procedure, second.Authorization = guarded, values
			ctx := authorized(t, a, t.Context(), first)
			again, err := a.AuthorizeContext(ctx, second)
			wantOutcome(t, err, tt.want)
			if got := verifier.asked.Load() - 1; got != tt.asked {
				t.Errorf("the verifier was asked %d times more, want %d", got, tt.asked)
			}
			if decided := tt.want == letIn; (again == ctx) != decided {
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

// TestCheckAsksForDoor: who lacks a scope for a further procedure is asked for
// all that it takes to come back through the same door (MCP-4).
func TestCheckAsksForDoor(t *testing.T) {
	t.Parallel()
	var log journal
	verifier := people()
	token := verifier.tokens["t-reader"]
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Verifier, cfg.Logger = verifier, slog.New(&log)
		cfg.Policy.Services["door.v1.Door"] = policy.Service{Undescribed: true, Methods: map[string]policy.Rule{
			"Any": {Authenticated: true}, "Own": {Scopes: []string{"door"}}, "Read": {Scopes: []string{rpctest.ScopeRead}},
			"Choice": {AnyScopes: []string{"knock", "key"}}, "Same": {Scopes: []string{rpctest.ScopeWrite}}, "Open": {Public: true},
		}}
		withAdmin(cfg)
	})
	for _, tt := range []struct {
		name, door, procedure string
		granted, want         []string
	}{
		{"MCP-4 the door asks for no scope", "Any", guarded, nil, []string{rpctest.ScopeWrite}},
		{"MCP-4 the door asks for another scope", "Own", guarded, []string{"door"}, []string{rpctest.ScopeWrite, "door"}},
		{"MCP-4 the door asks for the same scope", "Same", "/a.v1.A/Get", []string{rpctest.ScopeWrite}, []string{rpctest.ScopeAdmin}},
		{"MCP-5 the door asks for less of the same", "Read", guarded, []string{rpctest.ScopeRead}, []string{rpctest.ScopeWrite}},
		{"MCP-4 the door asks for one of two", "Choice", guarded, []string{"key"}, []string{rpctest.ScopeWrite, "knock"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token.Scopes = tt.granted
			ctx := authorized(t, a, t.Context(), interceptor.Request{Procedure: "/door.v1.Door/" + tt.door, Authorization: bearer("t-reader")})
			for range 2 { // The first time must not change what the second one asks for.
				denial := denialOf(t, a.Check(ctx, tt.procedure), interceptor.KindInsufficientScope)
				if !slices.Equal(denial.Challenge.Scopes, tt.want) || denial.Prebuilt() {
					t.Errorf("MCP-4: asks for %q (prebuilt: %t), want %q", denial.Challenge.Scopes, denial.Prebuilt(), tt.want)
				}
				if entry := log.take(t); !reflect.DeepEqual(entry["required_scopes"], tt.want) {
					t.Errorf("SEED-1: logged %v", entry)
				}
			}
			// With what it was asked for, the caller comes through both.
			token.Scopes = tt.want
			ctx = authorized(t, a, t.Context(), interceptor.Request{Procedure: "/door.v1.Door/" + tt.door, Authorization: bearer("t-reader")})
			wantOutcome(t, a.Check(ctx, tt.procedure), letIn)
			log.wantNothing(t)
		})
	}
}

// TestCheckExpired: a token that has expired since the door opens nothing but
// what is open (R9068-4.b, MCP-2).
func TestCheckExpired(t *testing.T) {
	t.Parallel()
	var log journal
	verifier := people()
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Verifier, cfg.Logger = verifier, slog.New(&log) })
	enter := func(expiry time.Time) context.Context {
		verifier.tokens["t-admin"].Expiry = expiry
		return authorized(t, a, t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-admin")})
	}
	never := enter(time.Time{})
	wantOutcome(t, a.Check(never, guarded), letIn)
	wantOutcome(t, a.Check(enter(time.Now().Add(time.Hour)), guarded), letIn)
	expired := enter(time.Now())
	for procedure, want := range map[string]interceptor.Kind{
		guarded: interceptor.KindInvalidToken,
		nowhere: interceptor.KindInvalidToken,
		public:  letIn,
	} {
		err := a.Check(expired, procedure)
		wantOutcome(t, err, want)
		if want == letIn {
			continue
		}
		denial := interceptor.DenialOf(err)
		if denial.Challenge.Error != "invalid_token" || denial.Challenge.ResourceMetadata != base+wellKnown || !errors.Is(err, interceptor.ErrInvalidToken) {
			t.Errorf("R9068-4.c: %s: got %+v, %v", procedure, denial.Challenge, denial.Cause)
		}
		if entry := log.take(t); entry["subject"] != "admin" || entry["procedure"] != procedure || entry["status"] != int64(401) {
			t.Errorf("SEED-1: logged %v", entry)
		}
	}
	log.wantNothing(t)
}

// TestForeignGrant: what another Authorizer decided is nothing to this one: not
// who called, nor through which door, nor what was asked there (MCP-7).
func TestForeignGrant(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Logger = slog.New(&log) })
	foreign := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Resources = []interceptor.Resource{resource("https://foreign.example.com")}
		cfg.Resources[0].Audiences = []string{base}
		withAdmin(cfg)
	})
	ctx := authorized(t, foreign, t.Context(), interceptor.Request{Procedure: "/a.v1.A/Get", Authorization: bearer("t-admin")})
	for name, err := range map[string]error{
		"Check":   a.Check(ctx, guarded),
		"Expired": a.Expired(interceptor.WithCallerOf(t.Context(), ctx), guarded),
	} {
		challenge := interceptor.DenialOf(err).Challenge
		if challenge.ResourceMetadata != base+wellKnown || challenge.Realm != rpctest.GuardedService || slices.Contains(challenge.Scopes, rpctest.ScopeAdmin) {
			t.Errorf("MCP-7: %s: got %+v", name, challenge)
		}
	}
	denialOf(t, a.Check(ctx, guarded), interceptor.KindNoCredentials)
	denial := denialOf(t, a.Expired(ctx, guarded), interceptor.KindInvalidToken)
	if len(denial.Challenge.Scopes) != 0 {
		t.Errorf("MCP-7: Expired asks for %q", denial.Challenge.Scopes)
	}
	for _, entry := range log.records {
		if entry["subject"] != nil || entry["client_id"] != nil {
			t.Errorf("MCP-7: logged %v", entry)
		}
	}
	if len(log.records) != 4 {
		t.Errorf("SEED-1: logged %d times, want 4", len(log.records))
	}
}

// TestRefuse: a page that must not call is refused whatever token it has,
// without a challenge, and logged once (SEED-1, MCP-8).
func TestRefuse(t *testing.T) {
	t.Parallel()
	var log journal
	verifier := people()
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Verifier, cfg.Logger = verifier, slog.New(&log) })
	for _, tt := range []struct {
		name             string
		req              interceptor.Request
		realm, procedure string
	}{
		{"MCP-8 plain HTTP", interceptor.Request{Service: rpctest.GuardedService, Path: "/mcp", Authorization: bearer("t-admin")}, rpctest.GuardedService, rpctest.GuardedService},
		{"MCP-8 an RPC", interceptor.Request{Procedure: guarded}, rpctest.GuardedService, guarded},
		{"MCP-8 nothing that exists", interceptor.Request{Service: rpctest.NowhereService}, rpctest.NowhereService, rpctest.NowhereService},
		{"MCP-8 RPC-5 nothing well-formed", interceptor.Request{Service: `a"b`}, "", `a"b`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			denial := denialOf(t, a.Refuse(t.Context(), tt.req, interceptor.KindForbiddenOrigin, nil), interceptor.KindForbiddenOrigin)
			want := interceptor.Challenge{Scheme: "Bearer", Realm: tt.realm}
			if !reflect.DeepEqual(denial.Challenge, want) || denial.Kind.Challenges() || denial.Kind.HTTPStatus() != 403 || denial.Prebuilt() {
				t.Errorf("MCP-8: got %+v", denial)
			}
			if got := denial.Error(); got != "requests from this origin are not allowed" {
				t.Errorf("RPC-7: says %q", got)
			}
			if entry := log.take(t); entry["reason"] != "forbidden_origin" || entry["status"] != int64(403) || entry["service"] != tt.realm || entry["procedure"] != tt.procedure || entry["level"] != slog.LevelWarn {
				t.Errorf("SEED-1: logged %v", entry)
			}
		})
	}
	if verifier.asked.Load() != 0 {
		t.Error("MCP-8: the verifier was asked")
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
