package drawbridge_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	saysAuthentication = "a different authentication level is required"
	saysScope          = "the access token lacks a scope that this operation needs"
)

// authenticated returns the token of a user who authenticated so long ago.
func authenticated(acr string, ago time.Duration, scopes ...string) *token.Info {
	info := &token.Info{
		Issuer: issuer, Subject: "ada", ClientID: "client-of-ada", Party: token.PartyUser,
		Audience: []string{base}, Scopes: scopes, ACR: acr,
	}
	if ago != 0 {
		info.AuthTime = time.Now().Add(-ago)
	}
	return info
}

// withStepUp asks on the guarded service for an authentication besides the scope.
func withStepUp(cfg *drawbridge.Config) {
	cfg.Policy.Services[rpctest.GuardedService] = policy.Service{Rule: policy.Rule{
		Scopes: []string{rpctest.ScopeWrite}, ACRValues: []string{"gold", "silver"}, MaxAge: 5 * time.Minute,
	}}
	cfg.Verifier = &known{tokens: map[string]*token.Info{
		"t-good":    authenticated("silver", time.Minute, rpctest.ScopeWrite),
		"t-weak":    authenticated("bronze", time.Minute, rpctest.ScopeWrite),
		"t-old":     authenticated("gold", time.Hour, rpctest.ScopeWrite),
		"t-silent":  authenticated("", 0, rpctest.ScopeWrite),
		"t-nothing": authenticated("", 0, rpctest.ScopeRead),
		"t-scope":   authenticated("gold", time.Minute, rpctest.ScopeRead),
	}}
}

// stepUpTransports returns every protocol to servers that a guards.
func stepUpTransports(t *testing.T, a *drawbridge.Authorizer, handlers *rpctest.Handlers) []transport {
	t.Helper()
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: a})
	if err != nil {
		t.Fatal(err)
	}
	url := rpctest.ServeHTTP(t, bridge.Handler(handlers.ConnectMux(connectauth.WithAuthorizer(a))))
	guardURL := rpctest.ServeHTTP(t, connectauth.Guard(a, handlers.ConnectMux()))
	backend := rpctest.ServeGRPC(t, handlers.GRPCServer(grpcauth.ServerOptions(a)...))
	relayed := rpctest.DialGRPC(t, backend, grpcauth.RelayDialOptions(grpcauth.RelayConfig{InsufficientAuthentication: true})...)
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, rpctest.Greeting(r.Context(), "hello"))
	})
	always200 := func(string, challenge.Reason) int { return http.StatusOK }
	always := func(_ string, reason challenge.Reason) int { return reason.HTTPStatus() }
	return []transport{
		{"Connect", true, connectStatus, callConnect(url)},
		{"gRPC to connect-go", true, always200, callConnect(url, connect.WithGRPC())},
		{"gRPC-Web", true, always200, callConnect(url, connect.WithGRPCWeb())},
		{"Connect, guard", true, connectStatus, callConnect(guardURL)},
		{"gRPC to connect-go, guard", true, always200, callConnect(guardURL, connect.WithGRPC())},
		{"gRPC-Web, guard", true, always200, callConnect(guardURL, connect.WithGRPCWeb())},
		{"gRPC to grpc-go", true, func(string, challenge.Reason) int { return 0 }, callGRPC(rpctest.DialGRPC(t, backend))},
		{"bridge to grpc-go", false, always, callBridge(rpctest.ServeHTTP(t, bridge.Handler(plainHandler(relayed))))},
		{"HTTP", false, always, callBridge(rpctest.ServeHTTP(t, bridge.Protect(rpctest.GuardedService, plain)))},
	}
}

// TestStepUpOverEveryProtocol: one challenge brings all that the rule asks for, in
// the status detail, the header and the body (R9470-3, RPC-3, MCP-4).
func TestStepUpOverEveryProtocol(t *testing.T) {
	t.Parallel()
	var log journal
	var handlers rpctest.Handlers
	a := newAuthorizer(t, withStepUp, func(cfg *drawbridge.Config) { cfg.Logger = slog.New(&log) })
	const prefix = `Bearer realm="drawbridge.test.v1.GuardedService", resource_metadata="` + base + wellKnown + `", scope="guarded:write", `
	const server = `"server":"drawbridge.test.v1.GuardedService"`
	detail := func(reason challenge.Reason, sentence string) *drawbridgev1.Challenge {
		return &drawbridgev1.Challenge{
			Scheme: "Bearer", Realm: rpctest.GuardedService, ResourceMetadata: base + wellKnown,
			Scopes: []string{rpctest.ScopeWrite}, Error: reason.OAuthError(), ErrorDescription: sentence,
		}
	}
	scope := detail(challenge.ReasonInsufficientScope, saysScope)
	stepUp := detail(challenge.ReasonInsufficientAuthentication, saysAuthentication)
	stepUp.AcrValues, stepUp.MaxAge = []string{"gold", "silver"}, new(int64(300))
	stepUpHeader := prefix + `error="insufficient_user_authentication", error_description="` + saysAuthentication + `", acr_values="gold silver", max_age="300"`
	stepUpBody := `{"error":"insufficient_user_authentication","error_description":"` + saysAuthentication + `",` + server + `,"acr_values":"gold silver","max_age":300}`
	for _, over := range stepUpTransports(t, a, &handlers) {
		for _, row := range []struct {
			name, raw    string
			want         challenge.Reason
			detail       *drawbridgev1.Challenge
			header, body string
		}{
			{"R9470-3 another class", "t-weak", challenge.ReasonInsufficientAuthentication, stepUp, stepUpHeader, stepUpBody},
			{"R9470-3 too long ago", "t-old", challenge.ReasonInsufficientAuthentication, stepUp, stepUpHeader, stepUpBody},
			{"R9470-3 neither claim", "t-silent", challenge.ReasonInsufficientAuthentication, stepUp, stepUpHeader, stepUpBody},
			{"R9470-3 nor the scope", "t-nothing", challenge.ReasonInsufficientAuthentication, stepUp, stepUpHeader, stepUpBody},
			{
				"R6750-3.1.b the scope alone", "t-scope", challenge.ReasonInsufficientScope, scope,
				prefix + `error="insufficient_scope", error_description="` + saysScope + `"`,
				`{"error":"insufficient_scope","error_description":"` + saysScope + `",` + server + `}`,
			},
			{"R9470-3 all of it", "t-good", letIn, nil, "", ""},
		} {
			for _, method := range rpctest.Kinds {
				t.Run(over.name+"/"+method+"/"+row.name, func(t *testing.T) {
					before := handlers.Ran()
					got := over.call(t, rpctest.GuardedService, method, bearer(row.raw))
					if row.want == letIn {
						if want := (answer{message: "hello from ada", http: got.http}); got != want {
							t.Errorf("got %+v, want %+v", got, want)
						}
						return
					}
					want := answer{http: over.httpStatus(method, row.want), header: row.header, body: row.body}
					if over.rpc {
						want.code, want.body = codes.Code(row.want.RPCCode()), ""
						if !proto.Equal(got.challenge, row.detail) {
							t.Errorf("RPC-3: detail\n got %v\nwant %v", got.challenge, row.detail)
						}
						if want := infoOf(row.detail, row.want); !proto.Equal(got.info, want) {
							t.Errorf("RPC-11: got %v, want %v", got.info, want)
						}
						got.challenge, got.info = nil, nil
					}
					if got != want {
						t.Errorf("denial\n got %+v\nwant %+v", got, want)
					}
					if handlers.Ran() != before {
						t.Error("RPC-1: a handler ran")
					}
					wantWarning(t, &log, rpctest.GuardedService, row.want)
				})
			}
		}
	}
}

// TestStepUpNested: a caller who lacks the authentication for a nested call comes
// back once, with all that both calls need (R9470-3, MCP-4).
func TestStepUpNested(t *testing.T) {
	t.Parallel()
	minutes := func(n int) *time.Duration { return new(time.Duration(n) * time.Minute) }
	rules := map[string]policy.Rule{
		"Enter":     {Authenticated: true},
		"Write":     {Scopes: []string{"write"}},
		"Silver":    {ACRValues: []string{"silver", "gold"}, MaxAge: time.Hour, Scopes: []string{"read"}},
		"Pay":       {ACRValues: []string{"platinum", "gold"}, MaxAge: 5 * time.Minute, Scopes: []string{"pay"}},
		"Recent":    {MaxAge: 2 * time.Minute},
		"Delete":    {Scopes: []string{"delete"}},
		"Elsewhere": {ACRValues: []string{"lead"}},
	}
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Policy.Services["a.v1.A"] = policy.Service{Methods: rules, NoDescriptor: true}
		cfg.Verifier = fixed{authenticated("silver", 3*time.Minute, "read", "write")}
	})
	both := []string{"platinum", "gold"}
	for _, tt := range []struct {
		outer, inner string
		want         challenge.Reason
		scopes, acr  []string
		maxAge       *time.Duration
	}{
		{"Enter", "Pay", challenge.ReasonInsufficientAuthentication, []string{"pay"}, both, minutes(5)},
		{"Write", "Pay", challenge.ReasonInsufficientAuthentication, []string{"pay", "write"}, both, minutes(5)},
		{"Silver", "Pay", challenge.ReasonInsufficientAuthentication, []string{"pay", "read"}, []string{"gold"}, minutes(5)},
		{"Silver", "Recent", challenge.ReasonInsufficientAuthentication, []string{"read"}, []string{"silver", "gold"}, minutes(2)},
		{"Silver", "Elsewhere", challenge.ReasonInsufficientAuthentication, []string{"read"}, []string{"lead"}, minutes(60)},
		{"Silver", "Delete", challenge.ReasonInsufficientScope, []string{"delete", "read"}, nil, nil},
		{"Enter", "Silver", letIn, nil, nil, nil},
		{"Silver", "Silver", letIn, nil, nil, nil},
	} {
		t.Run("R9470-3 MCP-4 "+tt.inner+" within "+tt.outer, func(t *testing.T) {
			t.Parallel()
			ctx := enter(t.Context(), t, a, sent{Procedure: "/a.v1.A/" + tt.outer, Authorization: bearer("t")})
			for range 2 { // The denial of the rule itself is shared, and stays as it is.
				err := a.Check(ctx, "/a.v1.A/"+tt.inner)
				if wantOutcome(t, err, tt.want); tt.want == letIn {
					return
				}
				got := challenge.DenialOf(err).Challenge
				if !slices.Equal(got.Scopes, tt.scopes) || !slices.Equal(got.ACRValues, tt.acr) || fmt.Sprint(seconds(got.MaxAge)) != fmt.Sprint(seconds(tt.maxAge)) {
					t.Errorf("asks for %q, %q, %v", got.Scopes, got.ACRValues, seconds(got.MaxAge))
				}
			}
		})
	}
}

// seconds returns a max_age, or -1 for none.
func seconds(age *time.Duration) float64 {
	if age == nil {
		return -1
	}
	return age.Seconds()
}

// TestStepUpIsKept: what adapters make of a denial that asks for what the rule asks
// for is kept, and the denial of a nested call is not mixed up with it.
func TestStepUpIsKept(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, withStepUp, func(cfg *drawbridge.Config) {
		cfg.Policy.Services["a.v1.A"] = policy.Service{NoDescriptor: true, Rule: policy.Rule{Authenticated: true, MaxAge: 90 * time.Minute}}
	})
	deny := func(raw string) *challenge.DenialError {
		_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer(raw)})
		return denialOf(t, err, challenge.ReasonInsufficientAuthentication)
	}
	first := deny("t-weak")
	if !isPrebuilt(first) || probe.Of(first) != probe.Of(deny("t-old")) {
		t.Error("R9470-3: two denials by one rule share no forms")
	}
	ctx := enter(t.Context(), t, a, sent{Procedure: "/a.v1.A/Get", Authorization: bearer("t-old")})
	nested := denialOf(t, a.Check(ctx, guarded), challenge.ReasonInsufficientAuthentication)
	if nested.Challenge.Header() != first.Challenge.Header() || !isPrebuilt(nested) {
		t.Errorf("R9470-3: a call that asks for less adds to %s", nested.Challenge.Header())
	}
}

// TestStepUpDeny: a handler that asks for an authentication of its own starts from
// that of the rule, and changes nothing but its answer (RPC-10).
func TestStepUpDeny(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, withStepUp)
	ctx := enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-good")})
	const want = `, acr_values="gold silver", max_age="300"`
	for range 2 {
		denial := a.Deny(ctx, challenge.ReasonInsufficientAuthentication, nil)
		if header := denial.Challenge.Header(); !strings.HasSuffix(header, want) {
			t.Errorf("R9470-3: got %s", header)
		}
		denial.Challenge.ACRValues[0], *denial.Challenge.MaxAge = "bronze", time.Hour
	}
	_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-weak")})
	if header := denialOf(t, err, challenge.ReasonInsufficientAuthentication).Challenge.Header(); !strings.HasSuffix(header, want) {
		t.Errorf("R9470-3: got %s", header)
	}
	// No other reason asks for an authentication.
	for reason := range challenge.Reason(challenge.Reasons) {
		asked := a.Deny(ctx, reason, nil).Challenge
		if isAsked := asked.ACRValues != nil || asked.MaxAge != nil; isAsked != (reason == challenge.ReasonInsufficientAuthentication) {
			t.Errorf("R9470-3: %v: asks for %q, %v", reason, asked.ACRValues, seconds(asked.MaxAge))
		}
	}
}

// TestStepUpLog: the record says what was asked for, and what came.
func TestStepUpLog(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, withStepUp, func(cfg *drawbridge.Config) { cfg.Logger = slog.New(&log) })
	for raw, acr := range map[string]string{"t-weak": "bronze", "t-old": "gold", "t-nothing": ""} {
		_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer(raw)})
		denialOf(t, err, challenge.ReasonInsufficientAuthentication)
		entry := log.take(t)
		_, isTimed := entry["auth_time"].(time.Time)
		delete(entry, "auth_time")
		want := record{
			"level": slog.LevelWarn, "msg": "drawbridge: access denied", "service": rpctest.GuardedService, "procedure": guarded,
			"status": int64(401), "reason": "insufficient_user_authentication", "required_scopes": []string{rpctest.ScopeWrite},
			"required_acr_values": []string{"gold", "silver"}, "required_max_age": "5m0s",
			"issuer": issuer, "subject": "ada", "client_id": "client-of-ada", "party": "user", "acr": acr,
		}
		if got, want := fmt.Sprint(entry), fmt.Sprint(want); got != want || isTimed != (acr != "") {
			t.Errorf("R9470-3 SEED-1: logged\n%s\nwant\n%s", got, want)
		}
	}
}
