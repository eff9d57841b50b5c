package drawbridge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestVerifierFailure: which reason a failure has (RPC-2), and that the caller
// does not read its details (RPC-7).
func TestVerifierFailure(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.0.0.7: refused")
	for _, tt := range []struct {
		name string
		info *token.Info
		err  error
		want challenge.Reason
		is   error // found by errors.Is
	}{
		{"RPC-2 invalid", nil, token.ErrInvalid, challenge.ReasonInvalidToken, token.ErrInvalid},
		{"RPC-2 invalid, wrapped", nil, fmt.Errorf("%w: %w", token.ErrInvalid, secret), challenge.ReasonInvalidToken, secret},
		{"RPC-2 unavailable", nil, token.ErrUnavailable, challenge.ReasonUnavailable, token.ErrUnavailable},
		{"RPC-2 unavailable, wrapped", nil, fmt.Errorf("%w: %w", token.ErrUnavailable, secret), challenge.ReasonUnavailable, secret},
		{"RPC-2 neither is never a 401", nil, secret, challenge.ReasonUnavailable, secret},
		{"RPC-2 both is never a 401", nil, errors.Join(token.ErrInvalid, token.ErrUnavailable), challenge.ReasonUnavailable, token.ErrInvalid},
		{"RPC-2 canceled", nil, context.Canceled, challenge.ReasonUnavailable, context.Canceled},
		{"RPC-2 too late", nil, context.DeadlineExceeded, challenge.ReasonUnavailable, context.DeadlineExceeded},
		{"RPC-6 nothing at all", nil, nil, challenge.ReasonInternal, nil},
		{"RPC-6 a token beside an error", people().tokens["t-admin"], token.ErrInvalid, challenge.ReasonInvalidToken, token.ErrInvalid},
		{"RPC-6 an empty token", new(token.Info), nil, challenge.ReasonInvalidToken, token.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthorizer(t, func(cfg *drawbridge.Config) {
				cfg.Verifier = verify(func(context.Context, string, *token.Resource) (*token.Info, error) { return tt.info, tt.err })
			})
			ctx, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("x")})
			denial := denialOf(t, err, tt.want)
			if ctx != nil {
				t.Errorf("got %v beside a denial", ctx)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", denial.Cause, tt.is)
			}
			if (denial.RetryAfter > 0) != (tt.want == challenge.ReasonUnavailable) {
				t.Errorf("RPC-2: RetryAfter is %v", denial.RetryAfter)
			}
			text := err.Error() + denial.Challenge.Header() + denial.Challenge.Proto().String()
			if strings.Contains(text, "10.0.0.7") || strings.Contains(text, "context") {
				t.Errorf("RPC-7: the caller reads %s", text)
			}
		})
	}
}

// TestVerifierPanic: a panic denies one call, and the server lives (RPC-6).
func TestVerifierPanic(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"a string": "boom", "an error": errors.New("boom"), "nil": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			good := people()
			a := newAuthorizer(t, func(cfg *drawbridge.Config) {
				cfg.Logger = slog.New(&log)
				cfg.Verifier = verify(func(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
					if raw == "t-panic" {
						panic(value)
					}
					return good.VerifyToken(ctx, raw, resource)
				})
			})
			_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-panic")})
			denial := denialOf(t, err, challenge.ReasonInternal)
			if got := err.Error(); got != "internal error" || strings.Contains(denial.Challenge.Header(), "boom") {
				t.Errorf("RPC-7: the caller reads %q, %s", got, denial.Challenge.Header())
			}
			entry := log.take(t)
			if entry["level"] != slog.LevelError || entry["status"] != int64(500) {
				t.Errorf("logged %v", entry)
			}
			if cause := entry["cause"].(string); value != nil && cause != "the verifier panicked: boom" {
				t.Errorf("logged the cause %q", cause)
			}
			if stack, _ := entry["stack"].(string); !strings.Contains(stack, "TestVerifierPanic") {
				t.Errorf("logged the stack %q", stack)
			}
			_, err = authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
			wantOutcome(t, err, letIn)
			log.wantNothing(t)
		})
	}
}

// brittle is an error one of whose methods panics, as those of a nil pointer do.
type brittle struct{ on string }

func (e *brittle) Error() string { return e.is("Error") }

func (e *brittle) Is(error) bool { return e.is("Is") == "" }

func (e *brittle) As(any) bool { return e.is("As") == "" }

func (e *brittle) Unwrap() error {
	_ = e.is("Unwrap")
	return nil
}

func (e *brittle) is(asked string) string {
	if e.on == asked {
		panic("boom")
	}
	return "fine"
}

// TestVerifierErrorPanics: an error whose methods panic denies one call as
// internal, and the server lives (RPC-6, RPC-7).
func TestVerifierErrorPanics(t *testing.T) {
	t.Parallel()
	var typedNil *brittle
	good := people()
	for name, failure := range map[string]error{
		"RPC-6 a typed nil":                   typedNil,
		"RPC-6 a typed nil, wrapped":          fmt.Errorf("%w: %w", token.ErrInvalid, typedNil),
		"RPC-6 a typed nil, joined":           errors.Join(token.ErrInvalid, typedNil),
		"RPC-6 Error panics":                  &brittle{"Error"},
		"RPC-6 Is panics":                     &brittle{"Is"},
		"RPC-6 Unwrap panics":                 &brittle{"Unwrap"},
		"RPC-6 Unwrap panics, behind another": &wrapping{&brittle{"Unwrap"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			a := newAuthorizer(t, func(cfg *drawbridge.Config) {
				cfg.Logger = slog.New(&log)
				cfg.Verifier = verify(func(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
					if raw == "t-brittle" {
						return good.tokens["t-admin"], failure
					}
					return good.VerifyToken(ctx, raw, resource)
				})
			})
			ctx, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-brittle")})
			denialOf(t, err, challenge.ReasonInternal)
			if ctx != nil || err.Error() != "internal error" || errors.Is(err, token.ErrInvalid) {
				t.Errorf("RPC-7: got %v beside %v", err, ctx)
			}
			entry := log.take(t)
			if cause, _ := entry["cause"].(string); entry["level"] != slog.LevelError || entry["status"] != int64(500) || !strings.HasPrefix(cause, "the verifier panicked: ") {
				t.Errorf("SEED-1: logged %v", entry)
			}
			if stack, _ := entry["stack"].(string); !strings.Contains(stack, "brittle") {
				t.Errorf("SEED-1: logged the stack %q", stack)
			}
			_, err = authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
			wantOutcome(t, err, letIn)
		})
	}
}

// picky is an error that knows our sentinels and panics on any other target.
type picky struct{}

func (picky) Error() string { return "picky" }

func (picky) Is(target error) bool {
	if target != token.ErrInvalid && target != token.ErrUnavailable {
		panic("boom")
	}
	return false
}

// TestVerifierErrorPanicsInLog: an error that panics only when it is logged denies
// the call, and the record says so (RPC-6).
func TestVerifierErrorPanicsInLog(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"RPC-6 As panics": &brittle{"As"}, "RPC-6 Is panics later": picky{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			a := newAuthorizer(t, func(cfg *drawbridge.Config) {
				cfg.Logger = slog.New(&log)
				cfg.Verifier = verify(func(context.Context, string, *token.Resource) (*token.Info, error) { return nil, failure })
			})
			_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("any")})
			denialOf(t, err, challenge.ReasonUnavailable)
			if cause, _ := log.take(t)["cause"].(string); !strings.Contains(cause, "whose methods panic") {
				t.Errorf("SEED-1: logged the cause %q", cause)
			}
		})
	}
}

// wrapping is an error that wraps another.
type wrapping struct{ error }

func (w *wrapping) Error() string { return "wrapping" }

func (w *wrapping) Unwrap() error { return w.error }

type callerKey struct{}

// TestVerifierContext: the verifier gets the context of the call, and a call that
// was canceled is denied as unavailable.
func TestVerifierContext(t *testing.T) {
	t.Parallel()
	tokens := people().tokens
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Verifier = verify(func(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
			if ctx.Value(callerKey{}) != "here" {
				t.Error("another context")
			}
			return tokens[raw], ctx.Err()
		})
	})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), callerKey{}, "here"))
	req := sent{Procedure: guarded, Authorization: bearer("t-writer")}
	_, err := authorize(ctx, a, req)
	wantOutcome(t, err, letIn)
	cancel()
	_, err = authorize(ctx, a, req)
	denialOf(t, err, challenge.ReasonUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}
