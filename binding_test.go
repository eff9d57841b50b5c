package drawbridge_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// binder is a Binding that counts its calls. Without a check it accepts every
// request.
type binder struct {
	asked atomic.Int64
	check func(ctx context.Context, info *token.Info, req token.Request) error
}

func (p *binder) CheckBinding(ctx context.Context, info *token.Info, req token.Request) error {
	p.asked.Add(1)
	if p.check == nil {
		return nil
	}
	return p.check(ctx, info, req)
}

// bound changes a configuration so that the token t-bound has a confirmation.
func bound(confirmation map[string]any, bindings map[string]token.Binding) func(*drawbridge.Config) {
	return func(cfg *drawbridge.Config) {
		verifier := people()
		info := *verifier.tokens["t-writer"]
		info.Subject, info.Confirmation = "bound", confirmation
		verifier.tokens["t-bound"] = &info
		cfg.Verifier, cfg.Bindings = verifier, bindings
	}
}

// The confirmation methods of RFC 9449 §6.1 and RFC 8705 §3.1.
const (
	jkt  = "jkt"
	x5tS = "x5t#S256"
)

// TestBindings: a bound token is accepted only if there is a proof for each of its
// confirmation methods (R9449-7.2, R8705-3).
func TestBindings(t *testing.T) {
	t.Parallel()
	both := map[string]any{jkt: "thumb", x5tS: "print"}
	refusing := func(err error) *binder {
		return &binder{check: func(context.Context, *token.Info, token.Request) error { return err }}
	}
	for _, tt := range []struct {
		name         string
		confirmation map[string]any
		jkt, x5t     *binder // nil if there is no such Binding
		want         challenge.Reason
		asked        []int64 // jkt and x5t; nil if that depends on the order
	}{
		{"a bearer token", nil, new(binder), nil, letIn, []int64{0, 0}},
		{"R9449-7.2 no binding at all", map[string]any{jkt: "thumb"}, nil, nil, challenge.ReasonInvalidToken, []int64{0, 0}},
		{"R8705-3 no binding at all", map[string]any{x5tS: "print"}, nil, nil, challenge.ReasonInvalidToken, []int64{0, 0}},
		{"R9449-7.2 a binding of another method", map[string]any{jkt: "thumb"}, nil, new(binder), challenge.ReasonInvalidToken, []int64{0, 0}},
		{"R9449-7.2 an unknown method", map[string]any{"x": 1}, new(binder), new(binder), challenge.ReasonInvalidToken, []int64{0, 0}},
		{"R9449-7.2 a confirmation without a method", map[string]any{}, new(binder), new(binder), challenge.ReasonInvalidToken, []int64{0, 0}},
		{"R9449-7.2 a proof", map[string]any{jkt: "thumb"}, new(binder), new(binder), letIn, []int64{1, 0}},
		{"R8705-3 a proof", map[string]any{x5tS: "print"}, nil, new(binder), letIn, []int64{0, 1}},
		{"R9449-7.2 R8705-3 a proof for each of two methods", both, new(binder), new(binder), letIn, []int64{1, 1}},
		{"R9449-7.2 R8705-3 two methods, and a binding for one", both, new(binder), nil, challenge.ReasonInvalidToken, nil},
		{"R9449-7.2 R8705-3 two methods, and a proof for one", both, new(binder), refusing(token.ErrInvalid), challenge.ReasonInvalidToken, nil},
		{"R9449-7.1 a false proof", map[string]any{jkt: "thumb"}, refusing(token.ErrInvalid), nil, challenge.ReasonInvalidToken, []int64{1, 0}},
		{"RPC-2 a proof that cannot be checked", map[string]any{jkt: "thumb"}, refusing(token.ErrUnavailable), nil, challenge.ReasonUnavailable, []int64{1, 0}},
		{"RPC-2 an error of neither kind", map[string]any{jkt: "thumb"}, refusing(errors.New("odd")), nil, challenge.ReasonUnavailable, []int64{1, 0}},
		{"RPC-2 an error of both kinds", map[string]any{jkt: "thumb"}, refusing(errors.Join(token.ErrInvalid, token.ErrUnavailable)), nil, challenge.ReasonUnavailable, []int64{1, 0}},
		{"RPC-6 an error that panics", map[string]any{jkt: "thumb"}, refusing((*brittle)(nil)), nil, challenge.ReasonInternal, []int64{1, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bindings := make(map[string]token.Binding)
			if tt.jkt != nil {
				bindings[jkt] = tt.jkt
			}
			if tt.x5t != nil {
				bindings[x5tS] = tt.x5t
			}
			a := newAuthorizer(t, bound(tt.confirmation, bindings), withAdmin)
			_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-bound")})
			wantOutcome(t, err, tt.want)
			if err != nil && challenge.DenialOf(err).Challenge.ResourceMetadataURL != base+wellKnown {
				t.Errorf("got %+v", challenge.DenialOf(err).Challenge)
			}
			if tt.want == challenge.ReasonInvalidToken && !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", challenge.DenialOf(err).Cause)
			}
			if _, err := authorize(t.Context(), a, sent{Procedure: "/a.v1.A/Get", Authorization: bearer("t-bound")}); err == nil {
				t.Error("R6750-3.1.b: a proof stands for a scope")
			} else if tt.want == letIn {
				denialOf(t, err, challenge.ReasonInsufficientScope)
			}
			if got := []int64{tt.jkt.calls() / 2, tt.x5t.calls() / 2}; tt.asked != nil && !slices.Equal(got, tt.asked) {
				t.Errorf("the bindings were called %d times, want %d", got, tt.asked)
			}
		})
	}
}

func (p *binder) calls() int64 {
	if p == nil {
		return 0
	}
	return p.asked.Load()
}

// TestBindingPanics: a panic denies one call, and the caller does not read it
// (RPC-6, RPC-7).
func TestBindingPanics(t *testing.T) {
	t.Parallel()
	var log journal
	p := &binder{check: func(context.Context, *token.Info, token.Request) error { panic("boom") }}
	a := newAuthorizer(t, bound(map[string]any{jkt: "thumb"}, map[string]token.Binding{jkt: p}), func(cfg *drawbridge.Config) { cfg.Logger = slog.New(&log) })
	_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-bound")})
	denial := denialOf(t, err, challenge.ReasonInternal)
	if err.Error() != "internal error" || strings.Contains(denial.Challenge.Header(), "boom") {
		t.Errorf("RPC-7: the caller reads %q, %s", err, denial.Challenge.Header())
	}
	logged := log.take(t)
	if stack, _ := logged["stack"].(string); logged["cause"] != "the binding panicked: boom" || logged["subject"] != "bound" || !strings.Contains(stack, "CheckBinding") {
		t.Errorf("SEED-1: logged %v", logged)
	}
	_, err = authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	wantOutcome(t, err, letIn)
}

// TestBindingView: a Binding sees the request as the client sent it (R9449-4.3,
// R8705-3).
func TestBindingView(t *testing.T) {
	t.Parallel()
	state := new(tls.ConnectionState)
	for _, tt := range []struct {
		name        string
		call        sent
		method, url string
	}{
		{"R9449-4.3 an RPC", sent{Procedure: guarded}, "POST", base + guarded},
		{"R9449-4.3 an RPC below a path", sent{Procedure: guarded, Path: "/mcp" + guarded}, "POST", base + "/mcp" + guarded},
		{"R9449-4.3 a method", sent{Procedure: guarded, Method: http.MethodGet}, "GET", base + guarded},
		{"R9449-4.3 plain HTTP", sent{Service: rpctest.GuardedService, Path: "/mcp/x", Method: http.MethodDelete}, "DELETE", base + "/mcp/x"},
		{"R9449-4.3 an alias", sent{Procedure: guarded, Host: "alias.example.com"}, "POST", alias + guarded},
		{"R9449-4.3 a path with an escape", sent{Service: rpctest.GuardedService, Path: "/caf\u00e9"}, "POST", base + "/caf%C3%A9"},
		{"R9449-4.3 a path with an unusual escape", sent{Service: rpctest.GuardedService, Path: "/a/b", RawPath: "/a%2Fb"}, "POST", base + "/a%2Fb"},
		{"R8705-3 TLS", sent{Procedure: guarded, TLS: state}, "POST", base + guarded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &binder{check: func(ctx context.Context, info *token.Info, req token.Request) error {
				if ctx.Value(contextKey{}) != "here" {
					t.Error("another context")
				}
				if req.Method != tt.method || req.URL != tt.url || req.Raw != "t-bound" || req.TLS != tt.call.TLS {
					t.Errorf("R9449-4.3: got %+v, want %s %s", req, tt.method, tt.url)
				}
				if got := req.Values("Dpop"); !slices.Equal(got, []string{"a", "b"}) || req.Values("X-Absent") != nil {
					t.Errorf("R9449-4.3: got the proofs %q", got)
				}
				if info.Subject != "bound" || info.Confirmation[jkt] != "thumb" {
					t.Errorf("got %+v", info)
				}
				return nil
			}}
			a := newAuthorizer(t, bound(map[string]any{jkt: "thumb"}, map[string]token.Binding{jkt: p}), func(cfg *drawbridge.Config) {
				cfg.Resources = []drawbridge.Resource{resource(base, alias)}
			})
			call := tt.call
			call.Authorization, call.Header = bearer("t-bound"), http.Header{"Dpop": {"a", "b"}}
			enter(context.WithValue(t.Context(), contextKey{}, "here"), t, a, call)
			if p.calls() != 1 {
				t.Errorf("the binding was called %d times", p.calls())
			}
		})
	}
}

// TestBindingOrder: a proof is checked after the resource and before the
// requirement, and for every request.
func TestBindingOrder(t *testing.T) {
	t.Parallel()
	p := &binder{check: func(context.Context, *token.Info, token.Request) error { return token.ErrInvalid }}
	a := newAuthorizer(t, withAdmin, bound(map[string]any{jkt: "thumb"}, map[string]token.Binding{jkt: p}), func(cfg *drawbridge.Config) {
		cfg.Resources = resources(base, base+"/mcp")
	})
	for _, tt := range []struct {
		name  string
		call  sent
		want  challenge.Reason
		asked int64
	}{
		{"R8707-2 another audience", sent{Procedure: guarded, Path: "/mcp"}, challenge.ReasonInvalidToken, 0},
		{"SEED-7 no resource", sent{Procedure: guarded, Path: "*"}, challenge.ReasonNotFound, 0},
		{"public", sent{Procedure: public}, letIn, 0},
		{"R9449-7.2 too little", sent{Procedure: "/a.v1.A/Get"}, challenge.ReasonInvalidToken, 1},
		{"R9449-7.2 no rule", sent{Procedure: nowhere}, challenge.ReasonInvalidToken, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := p.calls()
			tt.call.Authorization = bearer("t-bound")
			_, err := authorize(t.Context(), a, tt.call)
			wantOutcome(t, err, tt.want)
			if got := p.calls() - before; got != tt.asked {
				t.Errorf("the binding was called %d times, want %d", got, tt.asked)
			}
		})
	}
	accepting := new(binder)
	a = newAuthorizer(t, bound(map[string]any{jkt: "thumb"}, map[string]token.Binding{jkt: accepting}))
	for range 3 { // The token is known, its proofs are not.
		enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-bound")})
	}
	if accepting.calls() != 3 {
		t.Errorf("R9449-11.1: the binding was called %d times for 3 requests", accepting.calls())
	}
}
