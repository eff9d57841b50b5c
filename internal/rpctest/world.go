package rpctest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// The resource of a [World], and its metadata document.
const (
	Resource    = "https://api.example.com"
	MetadataURL = Resource + "/.well-known/oauth-protected-resource"
)

// The tokens that a [Verifier] knows.
const (
	TokenGood   = "good"    // grants all that is asked for
	TokenRead   = "read"    // grants less
	TokenBad    = "bad"     // is the caller's fault
	TokenDown   = "down"    // cannot be judged
	TokenOdd    = "odd"     // fails with an error that keeps to no sentinel
	TokenPanic  = "panic"   // makes the verifier panic
	TokenNobody = "nothing" // makes the verifier return neither facts nor error
)

// Secret is in every error of a [Verifier]: it must not leave the process
// (RPC-7).
const Secret = "kid-4711"

// Verifier judges tokens by their name.
type Verifier struct {
	// Asked counts how often it was.
	Asked atomic.Int64
	// Lifetime is how long a token is good for, counted from when it is
	// verified. Zero is for ever.
	Lifetime time.Duration
}

// VerifyToken implements [interceptor.TokenVerifier].
func (v *Verifier) VerifyToken(_ context.Context, token string) (*interceptor.TokenInfo, error) {
	v.Asked.Add(1)
	info := &interceptor.TokenInfo{Subject: "ada", Audience: []string{Resource}, Scopes: []string{ScopeWrite}}
	if v.Lifetime != 0 {
		info.Expiry = time.Now().Add(v.Lifetime)
	}
	switch token {
	case TokenGood:
		return info, nil
	case TokenRead:
		info.Scopes = []string{ScopeRead}
		return info, nil
	case TokenDown:
		return nil, fmt.Errorf("%w: %s", interceptor.ErrUnavailable, Secret)
	case TokenOdd:
		return nil, errors.New(Secret)
	case TokenPanic:
		panic(Secret)
	case TokenNobody:
		return nil, nil //nolint:nilnil // The bug that is meant.
	default:
		return nil, fmt.Errorf("%w: %s", interceptor.ErrInvalidToken, Secret)
	}
}

// Records counts what is logged.
type Records struct{ Logged atomic.Int64 }

// Enabled implements [slog.Handler].
func (r *Records) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements [slog.Handler].
func (r *Records) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements [slog.Handler].
func (r *Records) WithGroup(string) slog.Handler { return r }

// Handle implements [slog.Handler].
func (r *Records) Handle(context.Context, slog.Record) error {
	r.Logged.Add(1)
	return nil
}

// World is an Authorizer for the services, and all that it uses.
type World struct {
	*interceptor.Authorizer

	Verifier Verifier
	Log      Records
	Handlers Handlers
}

// NewWorld makes a World whose configuration may be changed.
func NewWorld(tb testing.TB, change ...func(*interceptor.Config)) *World {
	tb.Helper()
	w := new(World)
	cfg := interceptor.Config{
		Resources: []interceptor.Resource{{Identifier: Resource, AuthorizationServers: []string{"https://login.example.com"}}},
		Policy:    Policy(),
		Verifier:  &w.Verifier,
		Logger:    slog.New(&w.Log),
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if w.Authorizer, err = interceptor.New(cfg); err != nil {
		tb.Fatal(err)
	}
	return w
}
