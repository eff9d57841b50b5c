package drawbridge_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// TestRevokedStream: an open stream ends with the first message after its token was
// revoked, over Connect and gRPC, with an option and with a guard.
func TestRevokedStream(t *testing.T) {
	t.Parallel()
	var tokens *verifier.Verifier
	w := newDPoPWorld(t, proof.DPoPConfig{}, func(cfg *drawbridge.Config) { tokens = cfg.Verifier.(*verifier.Verifier) })
	var handlers rpctest.Handlers
	servers := map[string]string{
		"option": rpctest.ServeHTTP(t, handlers.ConnectMux(connectauth.WithAuthorizer(w.authorizer))),
		"guard":  rpctest.ServeHTTP(t, connectauth.Guard(w.authorizer, handlers.ConnectMux())),
	}
	for name, address := range servers {
		for protocol, options := range map[string][]connect.ClientOption{"Connect": nil, "gRPC": {connect.WithGRPC()}} {
			client := connect.NewClient[rpctest.Message, rpctest.Message](rpctest.H2C(t), address+rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi), options...)
			stream := client.CallBidiStream(t.Context())
			stream.RequestHeader().Set("Authorization", "Bearer "+w.issuer.Mint(authtest.Token{Subject: name + protocol, Audience: []string{base}, Scope: rpctest.ScopeWrite}))
			if err := stream.Send(&rpctest.Message{Value: "a"}); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Receive(); err != nil {
				t.Fatalf("%s, %s: got %v", name, protocol, err)
			}
			if err := tokens.CutOff(verifier.Cutoff{Issuer: w.issuer.URL, Subject: name + protocol}); err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(&rpctest.Message{Value: "b"}); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			_, err := stream.Receive()
			denial, ok := connectauth.FromError(err)
			if !ok || denial.Reason != challenge.ReasonInvalidToken {
				t.Errorf("%s, %s: got %v", name, protocol, err)
			}
			_ = stream.CloseRequest()
			_ = stream.CloseResponse()
		}
	}
}

// revoking is a verifier that says of every token that it was revoked, or panics.
type revoking struct {
	*known

	panics bool
}

func (r revoking) Revoked(*token.Info) bool {
	if r.panics {
		panic("broken")
	}
	return true
}

// TestRevokedCaller: a further call of a caller whose token was revoked is denied, also
// if the verifier cannot tell.
func TestRevokedCaller(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		var log journal
		a := newAuthorizer(t, logTo(&log), func(cfg *drawbridge.Config) { cfg.Verifier = revoking{people(), panics} })
		ctx, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
		wantOutcome(t, err, letIn)
		caller := a.Adapter().Caller(ctx)
		if !caller.MayEnd() || !caller.IsRevoked() {
			t.Errorf("may end: %t, is revoked: %t", caller.MayEnd(), caller.IsRevoked())
		}
		wantOutcome(t, a.Check(ctx, guarded), challenge.ReasonInvalidToken)
		log.take(t)
		if denial := caller.Expire(ctx, guarded); !errors.Is(denial, token.ErrInvalid) || denial.Reason != challenge.ReasonInvalidToken {
			t.Errorf("got %v", denial)
		}
		if cause, _ := log.take(t)["cause"].(string); cause != "invalid token: revoked since the call was authorized" {
			t.Errorf("logged %q", cause)
		}
	}
	var nobody *drawbridge.Caller
	if nobody.MayEnd() || nobody.IsRevoked() {
		t.Error("a call without a token ends")
	}
}

// TestEndsWith: a stream that ends with one caller may go unwatched for another only if
// that one does not end before.
func TestEndsWith(t *testing.T) {
	t.Parallel()
	soon, late := time.Now().Add(time.Minute), time.Now().Add(time.Hour)
	callerOf := func(expiry time.Time, revocable bool) *drawbridge.Caller {
		verifier := people()
		verifier.tokens["t-writer"].Expiry = expiry
		a := newAuthorizer(t, func(cfg *drawbridge.Config) {
			if cfg.Verifier = verifier; revocable {
				cfg.Verifier = never{verifier}
			}
		})
		ctx, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
		wantOutcome(t, err, letIn)
		return a.Adapter().Caller(ctx)
	}
	for _, tt := range []struct {
		name         string
		outer, inner *drawbridge.Caller
		want         bool
	}{
		{"sooner", callerOf(soon, false), callerOf(late, false), true},
		{"at the same time", callerOf(soon, false), callerOf(soon, false), true},
		{"later", callerOf(late, false), callerOf(soon, false), false},
		{"an inner one that never ends", callerOf(late, false), callerOf(time.Time{}, false), true},
		{"an outer one that never ends", callerOf(time.Time{}, false), callerOf(soon, false), false},
		{"an outer one that only a revocation ends", callerOf(time.Time{}, true), callerOf(soon, false), false},
		{"an inner one that another verifier may revoke", callerOf(soon, true), callerOf(soon, true), false},
		{"nobody inside", callerOf(soon, true), nil, true},
		{"nobody outside", nil, callerOf(soon, false), false},
	} {
		if got := tt.outer.EndsWith(tt.inner); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
	if itself := callerOf(soon, true); !itself.EndsWith(itself) {
		t.Error("a caller does not end with itself")
	}
}

// never is a verifier that never says of a token that it was revoked.
type never struct{ *known }

func (never) Revoked(*token.Info) bool { return false }

// TestRevokedAfterReconfigure: a call that goes on hears of a revocation also by the
// verifier that has replaced its own.
func TestRevokedAfterReconfigure(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Verifier = never{people()} })
	ctx, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
	wantOutcome(t, err, letIn)
	caller := a.Adapter().Caller(ctx)
	if caller.IsRevoked() {
		t.Error("revoked from the beginning")
	}
	cfg := config()
	cfg.Verifier = revoking{people(), false}
	if err := a.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	if !caller.IsRevoked() {
		t.Error("the new verifier is not heard")
	}
}
