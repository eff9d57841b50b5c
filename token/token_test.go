package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// decode returns JSON as encoding/json decodes it into an any.
func decode(text string) map[string]any {
	var value map[string]any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		panic(err)
	}
	return value
}

// full is an Info with every field.
func full() *token.Info {
	return &token.Info{
		Issuer: "https://login.example.com", Subject: "ada", ClientID: "editor",
		Audience: []string{"https://api.example.com", "other"}, Scopes: []string{"a", "b"},
		SessionID: "s-1", Party: token.PartyUser, ACR: "gold",
		Actor:    &token.Actor{Subject: "agent", Actor: &token.Actor{Subject: "tool"}},
		IssuedAt: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), AuthTime: time.Date(2026, 1, 2, 2, 0, 0, 0, time.UTC),
		Expiry:       time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Confirmation: decode(`{"jkt": "thumb", "x5t#S256": "print", "jwk": {"kty": "EC"}}`),
		Claims:       decode(`{"org": {"id": 7, "roles": ["x", {"deep": ["y"]}]}, "amr": ["pwd", "otp"], "name": "Ada", "on": true, "none": null}`),
	}
}

func TestProofError(t *testing.T) {
	t.Parallel()
	cause := errors.New("htu")
	err := error(&token.ProofError{Code: "invalid_dpop_proof", Cause: cause})
	if !errors.Is(err, token.ErrInvalid) || !errors.Is(err, cause) || errors.Is(err, token.ErrUnavailable) || err.Error() != "proof: invalid_dpop_proof: htu" {
		t.Errorf("got %v", err)
	}
	err = &token.ProofError{Code: "use_dpop_nonce"}
	if !errors.Is(err, token.ErrInvalid) || err.Error() != "proof: use_dpop_nonce" {
		t.Errorf("got %v", err)
	}
}

func TestParty(t *testing.T) {
	t.Parallel()
	for party, want := range map[token.Party]string{0: "unknown", token.PartyUser: "user", token.PartyClient: "client", 9: "unknown"} {
		if got := party.String(); got != want {
			t.Errorf("%d: got %q, want %q", party, got, want)
		}
	}
}

// TestCloneIsDeep: a change to a copy, at any depth, does not reach the original.
func TestCloneIsDeep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*token.Info)
	}{
		{"a string", func(i *token.Info) { i.Subject = "eve" }},
		{"an audience", func(i *token.Info) { i.Audience[0] = "x" }},
		{"an audience more", func(i *token.Info) { i.Audience = append(i.Audience[:1], "x") }},
		{"a scope", func(i *token.Info) { i.Scopes[1] = "admin" }},
		{"a claim", func(i *token.Info) { i.Claims["name"] = "Eve" }},
		{"a claim less", func(i *token.Info) { delete(i.Claims, "name") }},
		{"a claim more", func(i *token.Info) { i.Claims["admin"] = true }},
		{"an element of a claim", func(i *token.Info) { i.Claims["amr"].([]any)[0] = "none" }},
		{"a member of a claim", func(i *token.Info) { i.Claims["org"].(map[string]any)["id"] = 8 }},
		{"a map in a slice in a map", func(i *token.Info) {
			i.Claims["org"].(map[string]any)["roles"].([]any)[1].(map[string]any)["deep"].([]any)[0] = "z"
		}},
		{"an actor", func(i *token.Info) { i.Actor.Subject = "eve" }},
		{"an actor before that", func(i *token.Info) { i.Actor.Actor.Subject = "eve" }},
		{"an actor less", func(i *token.Info) { i.Actor.Actor = nil }},
		{"a confirmation method less", func(i *token.Info) { delete(i.Confirmation, "jkt") }},
		{"a confirmation method", func(i *token.Info) { i.Confirmation["jkt"] = "another" }},
		{"a member of a confirmation method", func(i *token.Info) { i.Confirmation["jwk"].(map[string]any)["kty"] = "oct" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			original := full()
			clone := original.Clone()
			if !reflect.DeepEqual(clone, full()) {
				t.Fatalf("the copy is %+v", clone)
			}
			tt.change(clone)
			if reflect.DeepEqual(clone, full()) {
				t.Fatal("nothing was changed")
			}
			if !reflect.DeepEqual(original, full()) {
				t.Errorf("the original is %+v", original)
			}
		})
	}
}

func TestCloneKeepsNil(t *testing.T) {
	t.Parallel()
	if got := (*token.Info)(nil).Clone(); got != nil {
		t.Errorf("of nil: got %+v", got)
	}
	if got := new(token.Info).Clone(); !reflect.DeepEqual(got, new(token.Info)) {
		t.Errorf("of the zero Info: got %#v", got)
	}
	empty := &token.Info{Audience: []string{}, Scopes: []string{}, Claims: map[string]any{"a": []any(nil), "b": map[string]any(nil)}}
	if got := empty.Clone(); !reflect.DeepEqual(got, empty) {
		t.Errorf("got %#v, want %#v", got, empty)
	}
}

// TestCloneOfStrings: some verifiers keep lists of strings as such.
func TestCloneOfStrings(t *testing.T) {
	t.Parallel()
	roles := []string{"a", "b"}
	info := &token.Info{Claims: map[string]any{"roles": roles}}
	info.Clone().Claims["roles"].([]string)[0] = "x"
	if roles[0] != "a" {
		t.Errorf("the original is %q", roles)
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	expiry := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		expiry time.Time
		now    time.Time
		want   bool
	}{
		{"before", expiry, expiry.Add(-1), false},
		{"at the instant", expiry, expiry, true},
		{"after", expiry, expiry.Add(1), true},
		{"in another zone", expiry, expiry.In(time.FixedZone("", 3600)), true},
		{"never", time.Time{}, expiry, false},
	} {
		info := &token.Info{Expiry: tt.expiry}
		if got := info.Expired(tt.now); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

// TestFromContext: each call returns a copy of its own, and what was stored
// cannot be changed from outside.
func TestFromContext(t *testing.T) {
	t.Parallel()
	stored := full()
	ctx := token.NewContext(t.Context(), stored)
	stored.Scopes[0], stored.Claims["name"] = "admin", "Eve"

	first, ok := token.FromContext(ctx)
	if !ok || !reflect.DeepEqual(first, full()) {
		t.Fatalf("got %+v, %t", first, ok)
	}
	first.Scopes[0], first.Claims["amr"].([]any)[0] = "admin", "none"
	second, ok := token.FromContext(ctx)
	if !ok || first == second || !reflect.DeepEqual(second, full()) {
		t.Errorf("got %+v, %t", second, ok)
	}
}

func TestFromContextWithoutToken(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"nothing stored":  t.Context(),
		"nil":             token.NewContext(t.Context(), nil),
		"nil over a full": token.NewContext(token.NewContext(t.Context(), full()), nil),
	} {
		if info, ok := token.FromContext(ctx); ok || info != nil {
			t.Errorf("%s: got %+v, %t", name, info, ok)
		}
	}
	inner := token.NewContext(token.NewContext(t.Context(), full()), &token.Info{Subject: "inner"})
	if info, ok := token.FromContext(inner); !ok || info.Subject != "inner" {
		t.Errorf("the inner one: got %+v, %t", info, ok)
	}
}

func TestSentinels(t *testing.T) {
	t.Parallel()
	if errors.Is(token.ErrInvalid, token.ErrUnavailable) || errors.Is(token.ErrUnavailable, token.ErrInvalid) {
		t.Error("the sentinels are one")
	}
}
