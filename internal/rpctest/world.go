package rpctest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// The resource of a [World], its metadata document, and the issuer of its tokens.
const (
	Resource    = "https://api.example.com"
	Issuer      = "https://login.example.com"
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

// Verifier verifies tokens by their name.
type Verifier struct {
	// Asked counts how often it was.
	Asked atomic.Int64
	// Lifetime is how long a token is good for, counted from when it is
	// verified. Zero means that it never ends.
	Lifetime time.Duration
}

// ChecksExpiry lets an Authorizer believe v, so that a test can let a call in
// whose token expires right afterwards.
func (v *Verifier) ChecksExpiry() any { return v }

// VerifyToken implements [token.Verifier].
func (v *Verifier) VerifyToken(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
	v.Asked.Add(1)
	info := &token.Info{Issuer: Issuer, Subject: "ada", Audience: []string{Resource}, Scopes: []string{ScopeWrite}}
	if v.Lifetime != 0 {
		info.Expiry = time.Now().Add(v.Lifetime)
	}
	switch raw {
	case TokenGood:
		return info, nil
	case TokenRead:
		info.Scopes = []string{ScopeRead}
		return info, nil
	case TokenDown:
		return nil, fmt.Errorf("%w: %s", token.ErrUnavailable, Secret)
	case TokenOdd:
		return nil, errors.New(Secret)
	case TokenPanic:
		panic(Secret)
	case TokenNobody:
		return nil, nil //nolint:nilnil // The bug that is meant.
	default:
		return nil, fmt.Errorf("%w: %s", token.ErrInvalid, Secret)
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
	*drawbridge.Authorizer

	Verifier Verifier
	Log      Records
	Handlers Handlers
}

// NewWorld makes a World whose configuration may be changed.
func NewWorld(tb testing.TB, change ...func(*drawbridge.Config)) *World {
	tb.Helper()
	w := new(World)
	cfg := drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: Resource, AuthorizationServers: []string{Issuer}}},
		Policy:    Policy(),
		Verifier:  &w.Verifier,
		Logger:    slog.New(&w.Log),
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if w.Authorizer, err = drawbridge.New(cfg); err != nil {
		tb.Fatal(err)
	}
	return w
}
