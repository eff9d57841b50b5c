package explain_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/explain"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

const (
	issuer   = "https://login.example.com"
	resource = "https://api.example.com"
)

// TestExplainedIsDecided: whatever policy, token and procedure, the explanation is what an
// Authorizer decides, with its reason and its challenge, and the caller is let in if every
// part is met.
func TestExplainedIsDecided(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(8, 3))
	answers := make(map[explain.Answer]int)
	reasons := make(map[challenge.Reason]int)
	for range 100 {
		s, err := source.Read(t.Context(), source.Spec{Files: []string{writePolicy(t, random)}})
		if err != nil {
			t.Fatal(err)
		}
		table, err := s.Compiler().Compile(s.Policy)
		if err != nil {
			t.Fatal(err)
		}
		verifier := new(stub)
		a, err := drawbridge.New(drawbridge.Config{
			Resources: []drawbridge.Resource{{Identifier: resource, AuthorizationServers: []string{issuer}}},
			Policy:    s.Policy, Verifier: verifier, Logger: slog.New(slog.DiscardHandler),
			Bindings: map[string]token.Binding{"jkt": proven{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		judge := explain.Judge{Source: s, Table: table, Now: time.Now()}
		rows := listing.New(s, nil).Rows
		for range 10 {
			verifier.info = someInfo(random)
			for i := range 5 {
				row, err := explain.Find(rows, fmt.Sprintf("/a.v1.A/M%d", i))
				if err != nil {
					t.Fatal(err)
				}
				verdict, err := judge.Explain(t.Context(), row, explain.Caller{Info: verifier.info})
				if err != nil {
					t.Fatal(err)
				}
				answers[verdict.Answer]++
				reasons[compare(t, a, verdict)]++
			}
		}
	}
	if answers[explain.Yes] < 200 || answers[explain.No] < 200 || len(reasons) < 6 {
		t.Errorf("the tests are one-sided: %v, %v", answers, reasons)
	}
}

// compare compares a verdict with a decision, and returns the reason of it.
func compare(t *testing.T, a *drawbridge.Authorizer, verdict explain.Verdict) challenge.Reason {
	t.Helper()
	_, err := a.Authorize(t.Context(), drawbridge.Request{Procedure: verdict.Row.Procedure(), Transport: transport{}})
	if (err == nil) != (verdict.Answer == explain.Yes) {
		t.Fatalf("%s: explained %s (%s: %s), decided %v", verdict.Row.Rule, verdict.Answer, verdict.Decided, verdict.Detail, err)
	}
	allMet := true
	for _, part := range verdict.Parts {
		allMet = allMet && part.State == explain.Met
	}
	if len(verdict.Parts) > 0 && allMet != (err == nil) {
		t.Fatalf("%s: the parts are %+v, decided %v", verdict.Row.Rule, verdict.Parts, err)
	}
	if err == nil {
		return challenge.ReasonInternal
	}
	denial, ok := errors.AsType[*challenge.DenialError](err)
	if !ok || denial.Reason != verdict.Reason {
		t.Fatalf("%s: explained %v, decided %v: %v", verdict.Row.Rule, verdict.Reason, denial.Reason, denial.Cause)
	}
	got, want := verdict.Challenge, denial.Challenge
	if verdict.Reason != challenge.ReasonInvalidToken && (fmt.Sprint(got.Scopes) != fmt.Sprint(want.Scopes) ||
		fmt.Sprint(got.ACRValues) != fmt.Sprint(want.ACRValues) || (got.MaxAge == nil) != (want.MaxAge == nil)) {
		t.Fatalf("%s: explained %+v, decided %+v", verdict.Row.Rule, got, want)
	}
	if verdict.Decided == "" {
		t.Fatalf("%s: nothing decided that it is %v", verdict.Row.Rule, verdict.Reason)
	}
	return denial.Reason
}

func writePolicy(t *testing.T, random *rand.Rand) string {
	t.Helper()
	service := &drawbridgev1.Service{Rule: someRule(random), Methods: make(map[string]*drawbridgev1.Rule), NoDescriptor: true}
	for i := range 4 {
		service.Methods[fmt.Sprintf("M%d", i)] = someRule(random)
	}
	p := &drawbridgev1.Policy{Services: map[string]*drawbridgev1.Service{"a.v1.A": service}}
	if random.IntN(2) == 0 {
		p.Implies = []*drawbridgev1.Implication{{Scope: "d", Implies: []string{"a", "b"}}}
	}
	encoded, err := protojson.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func someRule(random *rand.Rand) *drawbridgev1.Rule {
	sometimes := func() bool { return random.IntN(4) == 0 }
	r := new(drawbridgev1.Rule)
	switch random.IntN(12) {
	case 0:
		r.Public = true
		return r
	case 1:
		r.Denied = true
		return r
	case 2:
		r.Authenticated = true
		return r
	}
	if sometimes() {
		r.Scopes = []string{"a"}
	}
	if sometimes() {
		r.AnyScopes = []string{"b", "c"}
	}
	if sometimes() {
		r.AnyScopeSets = []*drawbridgev1.ScopeSet{{Scopes: []string{"a", "c"}}, {Scopes: []string{"d"}}}
	}
	if sometimes() {
		r.Claims = []*drawbridgev1.ClaimCondition{{Path: []string{"tenant"}, AnyOf: []string{"acme"}}}
	}
	if sometimes() {
		r.Party = drawbridgev1.Party_PARTY_USER
	}
	switch random.IntN(6) {
	case 0:
		r.NoActor = true
	case 1:
		r.Actors = []*drawbridgev1.Actor{{Subject: "robot"}}
	}
	if sometimes() {
		r.AcrValues = []string{"gold", "silver"}
	}
	if sometimes() {
		r.MaxAge = durationpb.New(time.Minute)
	}
	r.Proof = drawbridgev1.Proof(random.IntN(8) % 3 * random.IntN(2))
	if r.String() == "" {
		r.Scopes = []string{"a"}
	}
	return r
}

func someInfo(random *rand.Rand) *token.Info {
	often := func() bool { return random.IntN(3) > 0 }
	info := &token.Info{Issuer: issuer, Subject: "alice", ClientID: "web", Audience: []string{resource}, Party: token.PartyUser}
	for _, scope := range []string{"a", "b", "c", "d"} {
		if often() {
			info.Scopes = append(info.Scopes, scope)
		}
	}
	if often() {
		info.Claims = map[string]any{"tenant": "acme"}
	}
	if !often() {
		info.Party = token.PartyClient
	}
	switch random.IntN(6) {
	case 0:
		info.Actor = &token.Actor{Subject: "robot"}
	case 1:
		info.Actor = &token.Actor{Subject: "crook"}
	}
	if often() {
		info.ACR, info.AuthTime = "gold", time.Now().Add(-30*time.Second)
	} else {
		info.AuthTime = time.Now().Add(-time.Hour)
	}
	if random.IntN(4) == 0 {
		info.Confirmation = map[string]any{"jkt": "key"}
	}
	return info
}

// stub is a verifier that accepts every token as one of info.
type stub struct{ info *token.Info }

func (s *stub) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return s.info, nil
}

type proven struct{}

func (proven) CheckBinding(context.Context, *token.Info, token.Request) error { return nil }

// transport is that of a request with a token.
type transport struct{}

func (transport) Values(_ context.Context, name string) []string {
	if name == "Authorization" {
		return []string{"Bearer x"}
	}
	return nil
}

func (transport) Host(context.Context) string { return "api.example.com" }

func (transport) Connection(context.Context) (string, *tls.ConnectionState) { return "", nil }
