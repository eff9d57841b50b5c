package drawbridge_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// equals compiles texts into conditions that the message is this text.
type equals struct{}

func (equals) CompileCondition(text string, _ policy.Target) (policy.Condition, error) {
	return messageIs(text), nil
}

type messageIs string

func (messageIs) NeedsMessage() bool { return true }

func (m messageIs) Holds(_ context.Context, in policy.Input) (bool, error) {
	switch m {
	case "unavailable":
		return false, token.ErrUnavailable
	case "error":
		return true, errors.New("cannot be computed")
	default:
		message, _ := in.Message.(*wrapperspb.StringValue)
		return message.GetValue() == string(m), nil
	}
}

// counting counts decisions.
type counting struct{ allowed, denied atomic.Int64 }

func (c *counting) ObserveDecision(_ context.Context, d drawbridge.Decision) {
	if d.Allowed {
		c.allowed.Add(1)
	} else {
		c.denied.Add(1)
	}
}

// messageServer is a way to guard the unary method, whose message is always "hello".
type messageServer struct {
	name string
	// judges reports whether the message is known to what guards.
	judges bool
	call   func(t *testing.T, w *rpctest.World, raw string) connect.Code
}

func messageServers() []messageServer {
	option := func(w *rpctest.World) http.Handler {
		return w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer))
	}
	deciding := connectauth.GuardConfig{Deciding: []string{rpctest.GuardedService}}
	over := func(serve func(w *rpctest.World) http.Handler, options ...connect.ClientOption) func(*testing.T, *rpctest.World, string) connect.Code {
		return func(t *testing.T, w *rpctest.World, raw string) connect.Code {
			t.Helper()
			_, err := rpctest.CallConnect(t.Context(), rpctest.H2C(t), rpctest.ServeHTTP(t, serve(w)), rpctest.GuardedService, rpctest.Unary,
				http.Header{"Authorization": {"Bearer " + raw}}, options...)
			return codeOf(err)
		}
	}
	return []messageServer{
		{"WithAuthorizer, Connect", true, over(option)},
		{"WithAuthorizer, gRPC", true, over(option, connect.WithGRPC())},
		{"WithAuthorizer, gRPC-Web", true, over(option, connect.WithGRPCWeb())},
		{"NewInterceptor", true, over(func(w *rpctest.World) http.Handler {
			return w.Handlers.ConnectMux(connect.WithInterceptors(connectauth.NewInterceptor(w.Authorizer)))
		})},
		{"NewInterceptor beside WithAuthorizer", true, over(func(w *rpctest.World) http.Handler {
			return w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer), connect.WithInterceptors(connectauth.NewInterceptor(w.Authorizer)))
		})},
		{"GuardWith round WithAuthorizer", true, over(func(w *rpctest.World) http.Handler {
			return connectauth.GuardWith(w.Authorizer, option(w), deciding)
		})},
		{"GuardWith round grpc-go", true, over(func(w *rpctest.World) http.Handler {
			return connectauth.GuardWith(w.Authorizer, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...), deciding)
		}, connect.WithGRPC())},
		{"Handler of a bridge", true, over(func(w *rpctest.World) http.Handler { return bridgeOf(w).Handler(option(w)) })},
		{"Guard", false, over(func(w *rpctest.World) http.Handler { return connectauth.Guard(w.Authorizer, option(w)) })},
		{"Guard alone", false, over(func(w *rpctest.World) http.Handler { return connectauth.Guard(w.Authorizer, w.Handlers.ConnectMux()) })},
		{"GuardWith another service", false, over(func(w *rpctest.World) http.Handler {
			return connectauth.GuardWith(w.Authorizer, option(w), connectauth.GuardConfig{Deciding: []string{rpctest.PublicService}})
		})},
		{"Protect", false, over(func(w *rpctest.World) http.Handler { return bridgeOf(w).Protect(rpctest.GuardedService, option(w)) })},
		{"grpc-go", true, func(t *testing.T, w *rpctest.World, raw string) connect.Code {
			t.Helper()
			conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, w.Handlers.GRPCServer(grpcauth.ServerOptions(w.Authorizer)...)))
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+raw)
			_, err := rpctest.CallGRPC(ctx, conn, rpctest.GuardedService, rpctest.Unary)
			return connect.Code(status.Code(err))
		}},
	}
}

// codeOf returns 0 for a call that was let in. A client of Connect makes a code of an HTTP
// status where it gets no error of Connect.
func codeOf(err error) connect.Code {
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}

func bridgeOf(w *rpctest.World) *httpbridge.Bridge {
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer})
	if err != nil {
		panic(err)
	}
	return bridge
}

// TestMessageConditions: a rule that reads the message decides where the message is known,
// once, and denies everywhere else.
func TestMessageConditions(t *testing.T) {
	t.Parallel()
	for _, server := range messageServers() {
		for _, row := range []struct {
			condition, raw string
			want           connect.Code
		}{
			{"hello", rpctest.TokenGood, 0},
			{"bye", rpctest.TokenGood, connect.CodePermissionDenied},
			{"error", rpctest.TokenGood, connect.CodePermissionDenied},
			{"unavailable", rpctest.TokenGood, connect.CodeUnavailable},
			{"hello", rpctest.TokenRead, connect.CodePermissionDenied}, // before the message
			{"hello", rpctest.TokenBad, connect.CodeUnauthenticated},
		} {
			t.Run(server.name+"/"+row.condition+" "+row.raw, func(t *testing.T) {
				t.Parallel()
				var seen counting
				w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
					cfg.Compiler.Conditions = equals{}
					cfg.Observers = []drawbridge.Observer{&seen}
					service := cfg.Policy.Services[rpctest.GuardedService]
					service.Methods = map[string]policy.Rule{rpctest.Unary: {Scopes: []string{rpctest.ScopeWrite}, Condition: row.condition}}
					cfg.Policy.Services[rpctest.GuardedService] = service
				})
				want := row.want
				if !server.judges && row.raw == rpctest.TokenGood {
					want = connect.CodeInternal
				}
				got := server.call(t, w, row.raw)
				if got != want && (server.name != "Protect" || got != connect.CodeUnknown) { // an HTTP status alone
					t.Errorf("got %v, want %v", got, want)
				}
				if ran := w.Handlers.Ran(); (ran == 1) != (want == 0) {
					t.Errorf("the handler ran %d times", ran)
				}
				if allowed, denied := seen.allowed.Load(), seen.denied.Load(); allowed+denied != 1 || (allowed == 1) != (want == 0) {
					t.Errorf("%d decisions that allow were observed, and %d that deny", allowed, denied)
				}
			})
		}
	}
}

// TestMessageDenial: no token mends what the message lacks, so the challenge asks for no
// scope.
func TestMessageDenial(t *testing.T) {
	t.Parallel()
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Compiler.Conditions = equals{}
		cfg.Policy.Services[rpctest.GuardedService] = policy.Service{Methods: map[string]policy.Rule{rpctest.Unary: {Authenticated: true, Condition: "bye"}}}
	})
	_, err := rpctest.CallConnect(t.Context(), http.DefaultClient, rpctest.ServeHTTP(t, bridgeOf(w).Handler(w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))),
		rpctest.GuardedService, rpctest.Unary, http.Header{"Authorization": {"Bearer " + rpctest.TokenGood}})
	denied, ok := errors.AsType[*connect.Error](err)
	if !ok || denied.Code() != connect.CodePermissionDenied || denied.Meta().Get("WWW-Authenticate") != "" {
		t.Errorf("got %v with %q", err, denied.Meta().Get("WWW-Authenticate"))
	}
}

// TestMessageOnTheWay: a guard leaves the message of a path that a router strips to the option
// behind it, and judges the rest.
func TestMessageOnTheWay(t *testing.T) {
	t.Parallel()
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Compiler.Conditions = equals{}
		cfg.Policy.Services[rpctest.GuardedService] = policy.Service{Methods: map[string]policy.Rule{
			rpctest.Unary: {Scopes: []string{rpctest.ScopeWrite}, Condition: "hello"},
		}}
	})
	option := w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer))
	url := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, http.StripPrefix("/prefix", option)))
	for _, row := range []struct {
		message, raw string
		want         int
	}{
		{`"hello"`, rpctest.TokenGood, http.StatusOK},
		{`"bye"`, rpctest.TokenGood, http.StatusForbidden},
		{`"hello"`, rpctest.TokenRead, http.StatusForbidden},
		{`"hello"`, rpctest.TokenBad, http.StatusUnauthorized},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			url+"/prefix"+rpctest.Procedure(rpctest.GuardedService, rpctest.Unary), strings.NewReader(row.message))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer " + row.raw}, "Content-Type": {"application/json"}}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != row.want {
			t.Errorf("%s with %s: got %d, want %d", row.message, row.raw, response.StatusCode, row.want)
		}
	}
}

// TestCheckMessage: inside the process, a rule that reads the message is met with it alone.
func TestCheckMessage(t *testing.T) {
	t.Parallel()
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Compiler.Conditions = equals{}
		cfg.Policy.Services[rpctest.GuardedService] = policy.Service{
			Rule:    policy.Rule{Authenticated: true},
			Methods: map[string]policy.Rule{rpctest.Unary: {Authenticated: true, Condition: "hello"}},
		}
	})
	unary := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	ctx, err := w.Authorize(t.Context(), sent{
		Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Client), Authorization: []string{"Bearer " + rpctest.TokenGood},
	}.Request())
	if err != nil {
		t.Fatal(err)
	}
	reason := func(err error) any {
		denial, ok := errors.AsType[*challenge.DenialError](err)
		if !ok {
			return err
		}
		return denial.Reason
	}
	for _, row := range []struct {
		name string
		got  error
		want any
	}{
		{"no message", w.Check(ctx, unary), challenge.ReasonInternal},
		{"a nil message", w.CheckMessage(ctx, unary, nil), challenge.ReasonInternal},
		{"the message", w.CheckMessage(ctx, unary, wrapperspb.String("hello")), nil},
		{"another message", w.CheckMessage(ctx, unary, wrapperspb.String("bye")), challenge.ReasonForbidden},
		{"nobody", w.CheckMessage(t.Context(), unary, wrapperspb.String("hello")), challenge.ReasonInternal},
	} {
		if got := reason(row.got); got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
	if denial := w.Adapter().Caller(ctx).Assess(ctx, unary); denial != nil {
		t.Errorf("a list leaves the message out: got %v", denial)
	}
}

// TestDecisionStandsForItsMessage: a decision about a message does not count for another
// message, nor one about a method for another method, where the second call has the context
// of the first.
func TestDecisionStandsForItsMessage(t *testing.T) {
	t.Parallel()
	unary, client := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary), rpctest.Procedure(rpctest.GuardedService, rpctest.Client)
	var seen counting
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Compiler = policy.Compiler{Conditions: equals{}, Questions: onlyMethod(rpctest.Client)}
		cfg.Observers = []drawbridge.Observer{&seen}
		cfg.Policy.Services[rpctest.GuardedService] = policy.Service{
			Rule:    policy.Rule{Question: &policy.Question{Resource: policy.Entity{Type: "t", ID: "'1'"}}},
			Methods: map[string]policy.Rule{rpctest.Unary: {Authenticated: true, Condition: "mine"}},
		}
	})
	request := func(procedure, message string) *drawbridge.Request {
		req := sent{Procedure: procedure, Authorization: []string{"Bearer " + rpctest.TokenGood}}.Request()
		if message != "" {
			req.Message = wrapperspb.String(message)
		}
		return &req
	}
	adapter := w.Adapter()
	mine := request(unary, "mine")
	ctx, denial := adapter.Authorize(t.Context(), mine)
	if denial != nil {
		t.Fatal(denial)
	}
	if again, denial := adapter.Authorize(ctx, mine); denial != nil || again != ctx || seen.allowed.Load() != 1 {
		t.Errorf("the same request is decided again: %v", denial)
	}
	for name, row := range map[string]struct {
		req  *drawbridge.Request
		want challenge.Reason
	}{
		"another message":             {request(unary, "yours"), challenge.ReasonForbidden},
		"no message":                  {request(unary, ""), challenge.ReasonInternal},
		"a method of another rule":    {request(rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi), ""), challenge.ReasonForbidden},
		"no message, which follows":   {func() *drawbridge.Request { r := request(unary, ""); r.MessageFollows = true; return r }(), 255},
		"a method that may be called": {request(client, ""), 255},
	} {
		got := challenge.Reason(255)
		if _, denial := adapter.Authorize(ctx, row.req); denial != nil {
			got = denial.Reason
		}
		if got != row.want {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
	// The rule of the service is the same for each of its methods.
	ctx, denial = adapter.Authorize(t.Context(), request(client, ""))
	if denial != nil {
		t.Fatal(denial)
	}
	if _, denial := adapter.Authorize(ctx, request(rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi), "")); denial == nil || denial.Reason != challenge.ReasonForbidden {
		t.Errorf("another method of the same rule: got %v", denial)
	}
}

// TestDecisionStandsForItsProcedure: the rule of a service without a descriptor is that of many
// procedures, and what it asks of one is not asked of another, even with the same message. The
// very same call is decided once.
func TestDecisionStandsForItsProcedure(t *testing.T) {
	t.Parallel()
	var seen counting
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Compiler.Questions = onlyMethod("List")
		cfg.Observers = []drawbridge.Observer{&seen}
		cfg.Policy.Services["a.v1.A"] = policy.Service{NoDescriptor: true, Rule: policy.Rule{Question: &policy.Question{Resource: policy.Entity{Type: "t", ID: "'1'"}}}}
	})
	for name, message := range map[string]proto.Message{"no message": nil, "a message": wrapperspb.String("x")} {
		request := func(method, raw string) *drawbridge.Request {
			req := sent{Procedure: "/a.v1.A/" + method, Authorization: []string{"Bearer " + raw}}.Request()
			req.Message = message
			return &req
		}
		before := seen.allowed.Load()
		ctx, denial := w.Adapter().Authorize(t.Context(), request("List", rpctest.TokenGood))
		if denial != nil {
			t.Fatal(denial)
		}
		if again, denial := w.Adapter().Authorize(ctx, request("List", rpctest.TokenGood)); denial != nil || again != ctx || seen.allowed.Load() != before+1 {
			t.Errorf("%s: the same call is decided again: %v", name, denial)
		}
		if _, denial := w.Adapter().Authorize(ctx, request("Delete", rpctest.TokenGood)); denial == nil || denial.Reason != challenge.ReasonForbidden {
			t.Errorf("%s: another procedure: got %v", name, denial)
		}
		if _, denial := w.Adapter().Authorize(ctx, request("List", rpctest.TokenBad)); denial == nil || denial.Reason != challenge.ReasonInvalidToken {
			t.Errorf("%s: another token: got %v", name, denial)
		}
	}
}

// onlyMethod answers questions with the name of a method.
type onlyMethod string

func (m onlyMethod) CompileQuestion(policy.Question, policy.Target) (policy.Condition, error) {
	return m, nil
}

func (onlyMethod) NeedsMessage() bool { return false }

func (m onlyMethod) Holds(_ context.Context, in policy.Input) (bool, error) {
	return strings.HasSuffix(in.Procedure, "/"+string(m)), nil
}

// TestRevokedBeforeTheMessage: a token that is revoked while its message is under way is
// refused.
func TestRevokedBeforeTheMessage(t *testing.T) {
	t.Parallel()
	verifier := new(revocableVerifier)
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Compiler.Conditions, cfg.Verifier = equals{}, verifier
		cfg.Policy.Services[rpctest.GuardedService] = policy.Service{Methods: map[string]policy.Rule{rpctest.Unary: {Authenticated: true, Condition: "hello"}}}
	})
	req := sent{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary), Authorization: []string{"Bearer " + rpctest.TokenGood}}.Request()
	req.MessageFollows = true
	ctx, denial := w.Adapter().Authorize(t.Context(), &req)
	if denial != nil {
		t.Fatal(denial)
	}
	verifier.revoked.Store(true)
	req.MessageFollows, req.Message = false, wrapperspb.String("hello")
	if _, denial := w.Adapter().Authorize(ctx, &req); denial == nil || denial.Reason != challenge.ReasonInvalidToken {
		t.Errorf("got %v", denial)
	}
}

type revocableVerifier struct {
	rpctest.Verifier

	revoked atomic.Bool
}

func (v *revocableVerifier) Revoked(*token.Info) bool { return v.revoked.Load() }

// TestLyingCondition: a call is denied if its condition claims to need no message, and then
// asks for one.
func TestLyingCondition(t *testing.T) {
	t.Parallel()
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Compiler.Conditions = lying{}
		cfg.Policy.Services[rpctest.GuardedService] = policy.Service{Methods: map[string]policy.Rule{rpctest.Unary: {Authenticated: true, Condition: "x"}}}
	})
	req := sent{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary), Authorization: []string{"Bearer " + rpctest.TokenGood}}.Request()
	req.MessageFollows = true
	if _, denial := w.Adapter().Authorize(t.Context(), &req); denial == nil || denial.Reason != challenge.ReasonForbidden {
		t.Errorf("got %v", denial)
	}
}

type lying struct{}

func (lying) CompileCondition(string, policy.Target) (policy.Condition, error) { return lying{}, nil }
func (lying) NeedsMessage() bool                                               { return false }
func (lying) Holds(context.Context, policy.Input) (bool, error)                { return true, policy.ErrNeedsMessage }
