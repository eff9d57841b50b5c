package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestParty: whom a token speaks for, which an actor does not change (R8693-4.1).
func TestParty(t *testing.T) {
	t.Parallel()
	bot := &token.Actor{Subject: "bot"}
	for _, tt := range []struct {
		rule, of token.Party
		cause    string
	}{
		{token.PartyUnknown, token.PartyUnknown, ""},
		{token.PartyUnknown, token.PartyUser, ""},
		{token.PartyUnknown, token.PartyClient, ""},
		{token.PartyUser, token.PartyUnknown, "the party of the token is unknown; the rule requires user"},
		{token.PartyUser, token.PartyUser, ""},
		{token.PartyUser, token.PartyClient, "the party of the token is client; the rule requires user"},
		{token.PartyUser, token.Party(3), "the party of the token is unknown; the rule requires user"},
		{token.PartyClient, token.PartyUnknown, "the party of the token is unknown; the rule requires client"},
		{token.PartyClient, token.PartyUser, "the party of the token is user; the rule requires client"},
		{token.PartyClient, token.PartyClient, ""},
	} {
		for _, actor := range []*token.Actor{nil, bot} {
			got := shortfallOf(t, policy.Rule{Authenticated: true, Party: tt.rule}, &token.Info{Party: tt.of, Actor: actor}, noon)
			wantForbidden(t, got, tt.cause)
		}
	}
	if got := shortfallOf(t, policy.Rule{Party: token.PartyUser}, nil, noon); got == nil || got.Reason != challenge.ReasonNoCredentials {
		t.Errorf("R8693-4.1: no token: got %+v", got)
	}
}

// wantForbidden wants a shortfall that nothing mends, with a cause; without a cause,
// it wants none.
func wantForbidden(t *testing.T, got *policy.ShortfallError, cause string) {
	t.Helper()
	switch {
	case cause == "" && got == nil:
	case cause == "" || got == nil:
		t.Errorf("R8693-4.1: got %+v, want the cause %q", got, cause)
	case got.Reason != challenge.ReasonForbidden || got.Scopes != nil || got.ACRValues != nil || got.MaxAge != nil || got.Cause.Error() != cause:
		t.Errorf("R8693-4.1: got %+v, want forbidden: %s", got, cause)
	}
}

// TestActors: who may act for the subject of a token (R8693-4.1).
func TestActors(t *testing.T) {
	t.Parallel()
	const home, away = "https://login.example.com", "https://other.example.com"
	allow := func(actors ...policy.Actor) policy.Rule { return policy.Rule{Actors: actors} }
	bot := allow(policy.Actor{Subject: "bot"})
	foreign := allow(policy.Actor{Issuer: away, Subject: "bot"})
	exact := allow(policy.Actor{Subject: "bot", ClientID: "app"})
	for _, tt := range []struct {
		name  string
		rule  policy.Rule
		actor *token.Actor
		want  bool
	}{
		{"no actor", bot, nil, true},
		{"the actor", bot, &token.Actor{Subject: "bot"}, true},
		{"the actor, of the token's issuer", bot, &token.Actor{Issuer: home, Subject: "bot"}, true},
		{"the actor, with a client", bot, &token.Actor{Subject: "bot", ClientID: "any"}, true},
		{"another actor", bot, &token.Actor{Subject: "eve"}, false},
		{"in another case", bot, &token.Actor{Subject: "Bot"}, false},
		{"the same name of another issuer", bot, &token.Actor{Issuer: away, Subject: "bot"}, false},
		{"a client of that name", bot, &token.Actor{ClientID: "bot"}, false},
		{"an actor without a name", bot, &token.Actor{Issuer: home}, false},
		{"the actor acted before", bot, &token.Actor{Subject: "eve", Actor: &token.Actor{Subject: "bot"}}, false},
		{"another acted before", bot, &token.Actor{Subject: "bot", Actor: &token.Actor{Subject: "eve"}}, true},
		{"the other issuer", foreign, &token.Actor{Issuer: away, Subject: "bot"}, true},
		{"the other issuer, with a slash", foreign, &token.Actor{Issuer: away + "/", Subject: "bot"}, false},
		{"the token's issuer for another", foreign, &token.Actor{Issuer: home, Subject: "bot"}, false},
		{"no issuer for another", foreign, &token.Actor{Subject: "bot"}, false},
		{"the token's issuer by its name", allow(policy.Actor{Issuer: home, Subject: "bot"}), &token.Actor{Subject: "bot"}, true},
		{"a client", allow(policy.Actor{ClientID: "app"}), &token.Actor{ClientID: "app"}, true},
		{"a client, whoever uses it", allow(policy.Actor{ClientID: "app"}), &token.Actor{ClientID: "app", Subject: "eve"}, true},
		{"a subject of that name", allow(policy.Actor{ClientID: "app"}), &token.Actor{Subject: "app"}, false},
		{"subject and client", exact, &token.Actor{Subject: "bot", ClientID: "app"}, true},
		{"the subject alone", exact, &token.Actor{Subject: "bot"}, false},
		{"the client alone", exact, &token.Actor{ClientID: "app"}, false},
		{"one of two", allow(policy.Actor{Subject: "a"}, policy.Actor{ClientID: "b"}), &token.Actor{ClientID: "b"}, true},
		{"none of two", allow(policy.Actor{Subject: "a"}, policy.Actor{ClientID: "b"}), &token.Actor{Subject: "b", ClientID: "a"}, false},
		{"any actor", policy.Rule{Authenticated: true}, &token.Actor{Subject: "eve"}, true},
		{"no actor is allowed, and there is none", policy.Rule{NoActor: true}, nil, true},
		{"no actor is allowed", policy.Rule{NoActor: true}, &token.Actor{Subject: "bot"}, false},
	} {
		t.Run("R8693-4.1 "+tt.name, func(t *testing.T) {
			t.Parallel()
			got := shortfallOf(t, tt.rule, &token.Info{Issuer: home, Subject: "ada", Actor: tt.actor}, noon)
			if (got == nil) != tt.want || got != nil && got.Reason != challenge.ReasonForbidden {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestActorCause: the cause says who came and who was expected, and is bounded,
// whatever the token holds.
func TestActorCause(t *testing.T) {
	t.Parallel()
	info := &token.Info{Issuer: "https://i", Actor: &token.Actor{Subject: "e\nve", ClientID: "app"}}
	wantForbidden(t, shortfallOf(t, policy.Rule{NoActor: true}, info, noon),
		`the actor of the token is {issuer "https://i", subject "e\nve", client "app"}; the rule allows none`)
	wantForbidden(t, shortfallOf(t, policy.Rule{Actors: []policy.Actor{{Subject: "bot"}, {Issuer: "https://j", ClientID: "c"}}}, info, noon),
		`the actor of the token is {issuer "https://i", subject "e\nve", client "app"}; the rule allows `+
			`{issuer "https://i", subject "bot", client ""}, {issuer "https://j", subject "", client "c"}`)
	var many []policy.Actor
	for i := range 1000 {
		many = append(many, policy.Actor{Subject: strings.Repeat("x", i+1)})
	}
	long := strings.Repeat("\xff", 1<<20)
	info = &token.Info{Issuer: long, Actor: &token.Actor{Subject: long, ClientID: long}}
	for _, rule := range []policy.Rule{{NoActor: true}, {Actors: many}} {
		if got := shortfallOf(t, rule, info, noon).Cause.Error(); len(got) > 4096 {
			t.Errorf("the cause has %d bytes", len(got))
		}
	}
}

// TestOrder: of several shortfalls, the caller gets the one that it can do least
// about.
func TestOrder(t *testing.T) {
	t.Parallel()
	rule := policy.Rule{Scopes: []string{"a"}, MaxAge: time.Minute, Party: token.PartyUser, NoActor: true}
	info := new(token.Info)
	for _, want := range []struct {
		reason challenge.Reason
		mend   func()
	}{
		{challenge.ReasonForbidden, func() { info.Party, info.Actor = token.PartyUser, &token.Actor{Subject: "bot"} }},
		{challenge.ReasonForbidden, func() { info.Actor = nil }},
		{challenge.ReasonInsufficientAuthentication, func() { info.AuthTime = noon }},
		{challenge.ReasonInsufficientScope, func() { info.Scopes = []string{"a"} }},
	} {
		if got := shortfallOf(t, rule, info, noon); got == nil || got.Reason != want.reason {
			t.Errorf("R9470-3 R8693-4.1: got %+v, want %v", got, want.reason)
		}
		want.mend()
	}
	if got := shortfallOf(t, rule, info, noon); got != nil {
		t.Errorf("got %+v", got)
	}
}

// TestIdentityFaults has a rule for each fault.
func TestIdentityFaults(t *testing.T) {
	t.Parallel()
	const at = `policy: Services["a.v1.A"].Rule`
	const isPublic = at + ": is public and requires a token; remove Public, or everything else"
	for _, tt := range []struct {
		name string
		rule policy.Rule
		want []string
	}{
		{"legal", policy.Rule{Party: token.PartyUser, Scopes: []string{"a"}, Actors: []policy.Actor{{Subject: "a"}, {ClientID: "a"}, {Issuer: "i", Subject: "a"}}}, nil},
		{"legal for clients", policy.Rule{Authenticated: true, Party: token.PartyClient, NoActor: true}, nil},
		{"party out of range", policy.Rule{Party: 3}, []string{at + `.Party: "3" is not a party; set token.PartyUser, token.PartyClient, or nothing`}},
		{"both", policy.Rule{NoActor: true, Actors: []policy.Actor{{Subject: "a"}}}, []string{at + ": sets both NoActor and Actors; set Actors to allow those alone, or NoActor to allow none"}},
		{"no name", policy.Rule{Actors: []policy.Actor{{Subject: "a"}, {Issuer: "i"}}}, []string{at + ".Actors[1]: names no actor; set Subject or ClientID"}},
		{"twice", policy.Rule{Actors: []policy.Actor{{ClientID: "a"}, {Subject: "a"}, {ClientID: "a"}}}, []string{at + `.Actors[2]: "a" is listed twice`}},
		{"public with a party", policy.Rule{Public: true, Party: token.PartyUser}, []string{isPublic}},
		{"public with actors", policy.Rule{Public: true, Actors: []policy.Actor{{Subject: "a"}}}, []string{isPublic}},
		{"public without an actor", policy.Rule{Public: true, NoActor: true}, []string{isPublic}},
		{"several", policy.Rule{Public: true, Party: 9, NoActor: true, Actors: []policy.Actor{{}}}, []string{
			isPublic, at + `.Party: "9" is not a party; set token.PartyUser, token.PartyClient, or nothing`,
			at + ": sets both NoActor and Actors; set Actors to allow those alone, or NoActor to allow none", at + ".Actors[0]: names no actor; set Subject or ClientID",
		}},
	} {
		t.Run("R8693-4.1 "+tt.name, func(t *testing.T) {
			t.Parallel()
			if got := faultsOf(t, rules(tt.rule, nil)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
