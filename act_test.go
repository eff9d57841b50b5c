package drawbridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// otherIssuer issues the identities of some actors.
const otherIssuer = "https://other.example.com"

// delegated returns the token of ada for whom an actor acts.
func delegated(party token.Party, actor *token.Actor) *token.Info {
	return &token.Info{
		Issuer: issuer, Subject: "ada", ClientID: "client-of-ada", Party: party, Actor: actor,
		Audience: []string{base}, Scopes: []string{"pay"},
	}
}

// withActs has a rule for each way to say who acts for whom.
func withActs(cfg *drawbridge.Config) {
	cfg.Policy.Services["a.v1.A"] = policy.Service{NoDescriptor: true, Methods: map[string]policy.Rule{
		"Any":    {Authenticated: true},
		"User":   {Party: token.PartyUser},
		"Client": {Scopes: []string{"pay"}, Party: token.PartyClient},
		"Bot":    {Actors: []policy.Actor{{Subject: "bot"}}},
		"Alone":  {Authenticated: true, NoActor: true},
	}}
	cfg.Verifier = &known{tokens: map[string]*token.Info{
		"t-user":    delegated(token.PartyUser, nil),
		"t-client":  delegated(token.PartyClient, nil),
		"t-unknown": delegated(token.PartyUnknown, nil),
		"t-bot":     delegated(token.PartyUser, &token.Actor{Subject: "bot", Actor: &token.Actor{Subject: "eve"}}),
		"t-eve":     delegated(token.PartyUser, &token.Actor{Subject: "eve", Actor: &token.Actor{Subject: "bot"}}),
		"t-away":    delegated(token.PartyUser, &token.Actor{Issuer: otherIssuer, Subject: "bot", ClientID: "app"}),
		"t-app":     delegated(token.PartyClient, &token.Actor{Issuer: issuer, ClientID: "app"}),
	}}
}

// TestActs: a rule says for whom a token speaks and who acts. A denial names no way
// out, because there is none, and holds nothing of the token (R8693-4.1, RPC-7).
func TestActs(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, withActs)
	const (
		noUser   = "the party of the token is client; the rule requires user"
		noClient = "the party of the token is user; the rule requires client"
		eve      = `the actor of the token is {issuer "https://login.example.com", subject "eve", client ""}`
		bot      = `the actor of the token is {issuer "https://login.example.com", subject "bot", client ""}`
		away     = `the actor of the token is {issuer "https://other.example.com", subject "bot", client "app"}`
		app      = `the actor of the token is {issuer "https://login.example.com", subject "", client "app"}`
		wantsBot = `; the rule allows {issuer "https://login.example.com", subject "bot", client ""}`
		wantsOne = "; the rule allows none"
	)
	for method, causes := range map[string]map[string]string{ // by token
		"Any": {"t-user": "", "t-client": "", "t-unknown": "", "t-bot": "", "t-eve": "", "t-away": "", "t-app": ""},
		"User": {
			"t-user": "", "t-bot": "", "t-eve": "", "t-client": noUser, "t-app": noUser,
			"t-unknown": "the party of the token is unknown; the rule requires user",
		},
		"Client": {
			"t-client": "", "t-app": "", "t-user": noClient, "t-bot": noClient,
			"t-unknown": "the party of the token is unknown; the rule requires client",
		},
		"Bot":   {"t-user": "", "t-client": "", "t-bot": "", "t-eve": eve + wantsBot, "t-away": away + wantsBot, "t-app": app + wantsBot},
		"Alone": {"t-user": "", "t-client": "", "t-bot": bot + wantsOne, "t-eve": eve + wantsOne, "t-app": app + wantsOne},
	} {
		for raw, cause := range causes {
			t.Run("R8693-4.1 "+method+" with "+raw, func(t *testing.T) {
				t.Parallel()
				procedure := "/a.v1.A/" + method
				_, err := authorize(t.Context(), a, sent{Procedure: procedure, Authorization: bearer(raw)})
				wantForbidden(t, err, cause)
				// A nested call has the same rule.
				ctx := enter(t.Context(), t, a, sent{Procedure: "/a.v1.A/Any", Authorization: bearer(raw)})
				wantForbidden(t, a.Check(ctx, procedure), cause)
			})
		}
	}
}

// wantForbidden wants a denial that no token mends, or none without a cause.
func wantForbidden(t *testing.T, err error, cause string) {
	t.Helper()
	if cause == "" {
		wantOutcome(t, err, letIn)
		return
	}
	denial := denialOf(t, err, challenge.ReasonForbidden)
	const body = `{"error":"forbidden","error_description":"the caller is not allowed to do this","server":"a.v1.A"}`
	response := denial.Response()
	if response.Status() != 403 || response.Body() != body || response.Header().Get("Www-Authenticate") != "" {
		t.Errorf("RPC-7: got %d %v %s", response.Status(), response.Header(), response.Body())
	}
	if detail := denial.Challenge.Proto(); detail.GetError() != "" || detail.GetScopes() != nil || detail.GetErrorDescription() != "" {
		t.Errorf("RPC-7: the detail is %v", detail)
	}
	if denial.Cause == nil || denial.Cause.Error() != cause {
		t.Errorf("the cause is\n%v, want\n%v", denial.Cause, cause)
	}
}

// TestActsAreLogged: the record of a denial names who acts, and for whom
// (R8693-4.1).
func TestActsAreLogged(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, withActs, func(cfg *drawbridge.Config) { cfg.Logger = slog.New(&log) })
	for raw, want := range map[string]record{
		"t-user":    {"party": "user"},
		"t-unknown": {},
		"t-bot":     {"party": "user", "actor": "bot"},
		"t-away":    {"party": "user", "actor": "bot", "actor_issuer": otherIssuer},
		"t-app":     {"party": "client", "actor": "app"},
	} {
		_, err := authorize(t.Context(), a, sent{Procedure: nowhere, Authorization: bearer(raw)})
		denialOf(t, err, challenge.ReasonNotFound)
		entry, got := log.take(t), record{}
		for _, key := range []string{"party", "actor", "actor_issuer"} {
			if value, ok := entry[key]; ok {
				got[key] = value
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || entry["subject"] != "ada" {
			t.Errorf("R8693-4.1 SEED-1: %s: logged %v, want %v", raw, entry, want)
		}
	}
}

// TestActsAreBounded: an actor cannot write much into a log.
func TestActsAreBounded(t *testing.T) {
	t.Parallel()
	var log journal
	long := strings.Repeat("\xff", 1<<20)
	a := newAuthorizer(t, withActs, func(cfg *drawbridge.Config) {
		cfg.Logger = slog.New(&log)
		cfg.Verifier = fixed{delegated(token.PartyUser, &token.Actor{Issuer: long, Subject: long, ClientID: long})}
	})
	for _, method := range []string{"Bot", "Alone"} {
		_, err := authorize(t.Context(), a, sent{Procedure: "/a.v1.A/" + method, Authorization: bearer("t")})
		denialOf(t, err, challenge.ReasonForbidden)
		if size := len(fmt.Sprint(log.take(t))); size > 4096 {
			t.Errorf("R8693-4.1: logged %d bytes", size)
		}
	}
}

// TestActsAreObserved: an audit trail gets the party and every actor, as a copy
// (R8693-4.1).
func TestActsAreObserved(t *testing.T) {
	t.Parallel()
	var seen watcher
	meddler := observe(func(_ context.Context, d drawbridge.Decision) {
		if d.Actor != nil {
			d.Actor.Subject = "mallory"
			d.Actor.Actor = nil
		}
	})
	a := newAuthorizer(t, withActs, func(cfg *drawbridge.Config) { cfg.Observers = []drawbridge.Observer{meddler, &seen, meddler} })
	for range 2 {
		for method, want := range map[string]challenge.Reason{"User": letIn, "Alone": challenge.ReasonForbidden} {
			_, err := authorize(t.Context(), a, sent{Procedure: "/a.v1.A/" + method, Authorization: bearer("t-bot")})
			wantOutcome(t, err, want)
			got := seen.take(t)
			if got.Party != token.PartyUser || got.Actor == nil || got.Actor.Subject != "bot" || got.Actor.Actor == nil || got.Actor.Actor.Subject != "eve" {
				t.Errorf("R8693-4.1: observed %+v of %+v", got.Actor, got)
			}
		}
	}
	for raw, want := range map[string]token.Party{"t-client": token.PartyClient, "t-unknown": token.PartyUnknown} {
		_, err := authorize(t.Context(), a, sent{Procedure: "/a.v1.A/Any", Authorization: bearer(raw)})
		wantOutcome(t, err, letIn)
		if got := seen.take(t); got.Party != want || got.Actor != nil {
			t.Errorf("R8693-4.1: %s: observed %+v", raw, got)
		}
	}
}
