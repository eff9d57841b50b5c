package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// TestVerifierFailure: whose fault a failure is (RPC-2), and that the caller
// does not read what it was (RPC-7).
func TestVerifierFailure(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.0.0.7: refused")
	for _, tt := range []struct {
		name string
		info *interceptor.TokenInfo
		err  error
		want interceptor.Kind
		is   error // found by errors.Is
	}{
		{"RPC-2 invalid", nil, interceptor.ErrInvalidToken, interceptor.KindInvalidToken, interceptor.ErrInvalidToken},
		{"RPC-2 invalid, wrapped", nil, fmt.Errorf("%w: %w", interceptor.ErrInvalidToken, secret), interceptor.KindInvalidToken, secret},
		{"RPC-2 unavailable", nil, interceptor.ErrUnavailable, interceptor.KindUnavailable, interceptor.ErrUnavailable},
		{"RPC-2 unavailable, wrapped", nil, fmt.Errorf("%w: %w", interceptor.ErrUnavailable, secret), interceptor.KindUnavailable, secret},
		{"RPC-2 neither is never a 401", nil, secret, interceptor.KindUnavailable, secret},
		{"RPC-2 both is never a 401", nil, errors.Join(interceptor.ErrInvalidToken, interceptor.ErrUnavailable), interceptor.KindUnavailable, interceptor.ErrInvalidToken},
		{"RPC-2 cancelled", nil, context.Canceled, interceptor.KindUnavailable, context.Canceled},
		{"RPC-2 too late", nil, context.DeadlineExceeded, interceptor.KindUnavailable, context.DeadlineExceeded},
		{"RPC-6 nothing at all", nil, nil, interceptor.KindInternal, nil},
		{"RPC-6 a token beside an error", people().tokens["t-admin"], interceptor.ErrInvalidToken, interceptor.KindInvalidToken, interceptor.ErrInvalidToken},
		{"RPC-6 an empty token", new(interceptor.TokenInfo), nil, interceptor.KindInvalidToken, interceptor.ErrInvalidToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthorizer(t, func(cfg *interceptor.Config) {
				cfg.Verifier = verify(func(context.Context, string) (*interceptor.TokenInfo, error) { return tt.info, tt.err })
			})
			info, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("x")})
			denial := denialOf(t, err, tt.want)
			if info != nil {
				t.Errorf("got %+v beside a denial", info)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", denial.Cause, tt.is)
			}
			if (denial.RetryAfter > 0) != (tt.want == interceptor.KindUnavailable) {
				t.Errorf("RPC-2: RetryAfter is %v", denial.RetryAfter)
			}
			told := err.Error() + denial.Challenge.Header() + denial.Challenge.Proto().String()
			if strings.Contains(told, "10.0.0.7") || strings.Contains(told, "context") {
				t.Errorf("RPC-7: the caller is told %s", told)
			}
		})
	}
}

// TestVerifierPanic: one caller's panic is nobody else's.
func TestVerifierPanic(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"a string": "boom", "an error": errors.New("boom"), "nil": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			good := people()
			a := newAuthorizer(t, func(cfg *interceptor.Config) {
				cfg.Logger = slog.New(&log)
				cfg.Verifier = verify(func(ctx context.Context, token string) (*interceptor.TokenInfo, error) {
					if token == "t-panic" {
						panic(value)
					}
					return good.VerifyToken(ctx, token)
				})
			})
			_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-panic")})
			denial := denialOf(t, err, interceptor.KindInternal)
			if got := err.Error(); got != "internal error" || strings.Contains(denial.Challenge.Header(), "boom") {
				t.Errorf("RPC-7: the caller is told %q, %s", got, denial.Challenge.Header())
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
			_, err = a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")})
			wantOutcome(t, err, letIn)
			log.wantNothing(t)
		})
	}
}

// brittle is an error that panics when it is asked about itself, as pointers
// that are nil do.
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

// TestVerifierErrorPanics: an error that cannot be asked what it is denies one
// call as internal, and the server lives (RPC-6, RPC-7).
func TestVerifierErrorPanics(t *testing.T) {
	t.Parallel()
	var typedNil *brittle
	good := people()
	for name, failure := range map[string]error{
		"RPC-6 a typed nil":                   typedNil,
		"RPC-6 a typed nil, wrapped":          fmt.Errorf("%w: %w", interceptor.ErrInvalidToken, typedNil),
		"RPC-6 a typed nil, joined":           errors.Join(interceptor.ErrInvalidToken, typedNil),
		"RPC-6 Error panics":                  &brittle{"Error"},
		"RPC-6 Is panics":                     &brittle{"Is"},
		"RPC-6 Unwrap panics":                 &brittle{"Unwrap"},
		"RPC-6 Unwrap panics, behind another": &wrapping{&brittle{"Unwrap"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			a := newAuthorizer(t, func(cfg *interceptor.Config) {
				cfg.Logger = slog.New(&log)
				cfg.Verifier = verify(func(ctx context.Context, token string) (*interceptor.TokenInfo, error) {
					if token == "t-brittle" {
						return good.tokens["t-admin"], failure
					}
					return good.VerifyToken(ctx, token)
				})
			})
			info, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-brittle")})
			denialOf(t, err, interceptor.KindInternal)
			if info != nil || err.Error() != "internal error" || errors.Is(err, interceptor.ErrInvalidToken) {
				t.Errorf("RPC-7: got %v beside %+v", err, info)
			}
			entry := log.take(t)
			if cause, _ := entry["cause"].(string); entry["level"] != slog.LevelError || entry["status"] != int64(500) || !strings.HasPrefix(cause, "the verifier panicked: ") {
				t.Errorf("SEED-1: logged %v", entry)
			}
			if stack, _ := entry["stack"].(string); !strings.Contains(stack, "brittle") {
				t.Errorf("SEED-1: logged the stack %q", stack)
			}
			_, err = a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")})
			wantOutcome(t, err, letIn)
		})
	}
}

// picky is an error that knows our sentinels and panics when asked for another.
type picky struct{}

func (picky) Error() string { return "picky" }

func (picky) Is(target error) bool {
	if target != interceptor.ErrInvalidToken && target != interceptor.ErrUnavailable {
		panic("boom")
	}
	return false
}

// TestVerifierErrorPanicsInLog: an error that panics only when it is described
// denies the call, and is logged for what it is (RPC-6).
func TestVerifierErrorPanicsInLog(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"RPC-6 As panics": &brittle{"As"}, "RPC-6 Is panics later": picky{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			a := newAuthorizer(t, func(cfg *interceptor.Config) {
				cfg.Logger = slog.New(&log)
				cfg.Verifier = verify(func(context.Context, string) (*interceptor.TokenInfo, error) { return nil, failure })
			})
			_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: bearer("any")})
			denialOf(t, err, interceptor.KindUnavailable)
			if cause, _ := log.take(t)["cause"].(string); !strings.Contains(cause, "whose methods panic") {
				t.Errorf("SEED-1: logged the cause %q", cause)
			}
		})
	}
}

// wrapping is an error that keeps another.
type wrapping struct{ error }

func (w *wrapping) Error() string { return "wrapping" }

func (w *wrapping) Unwrap() error { return w.error }

type callerKey struct{}

// TestVerifierContext: the verifier gets the context of the call, and a call
// that was cancelled is denied as one that cannot be judged.
func TestVerifierContext(t *testing.T) {
	t.Parallel()
	tokens := people().tokens
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Verifier = verify(func(ctx context.Context, token string) (*interceptor.TokenInfo, error) {
			if ctx.Value(callerKey{}) != "here" {
				t.Error("the context is another")
			}
			return tokens[token], ctx.Err()
		})
	})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), callerKey{}, "here"))
	req := interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")}
	_, err := a.Authorize(ctx, req)
	wantOutcome(t, err, letIn)
	cancel()
	_, err = a.Authorize(ctx, req)
	denialOf(t, err, interceptor.KindUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not say that it was cancelled", err)
	}
}
