package drawbridge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestEverythingFollows: whatever policy, token and procedure, what is listed can be called
// or stepped up to, what is advertised is what is enforced, and the decision is the one that a
// plain reading of the rule gives.
func TestEverythingFollows(t *testing.T) {
	t.Parallel()
	const policies, tokens, procedures = 250, 10, 4
	random := rand.New(rand.NewPCG(8, 1))
	outcomes := make(map[string]int)
	for range policies {
		p := somePolicy(random)
		bearer := new(someToken)
		a, err := drawbridge.New(drawbridge.Config{
			Resources: []drawbridge.Resource{{Identifier: rpctest.Resource, AuthorizationServers: []string{rpctest.Issuer}}},
			Policy:    p, Verifier: bearer, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		checkAdvertised(t, a, p)
		for range tokens {
			bearer.info = someInfo(random)
			for i := range procedures {
				outcomes[checkDecision(t, a, p, bearer, fmt.Sprintf("M%d", i))]++
			}
		}
	}
	for _, outcome := range []string{"allowed", "stepped up", "forbidden", "not found"} {
		if outcomes[outcome] < 100 {
			t.Errorf("of %v, few are %s", outcomes, outcome)
		}
	}
}

// checkDecision compares a decision with the rule and with what a list shows, and returns
// its outcome.
func checkDecision(t *testing.T, a *drawbridge.Authorizer, p policy.Policy, bearer *someToken, method string) string {
	t.Helper()
	rule, ok := p.Services["a.v1.A"].Methods[method]
	if !ok {
		rule = p.Services["a.v1.A"].Rule
	}
	procedure := "/a.v1.A/" + method
	call := sent{Procedure: procedure, Authorization: []string{"Bearer x"}}.Request()
	_, err := a.Authorize(t.Context(), call)
	if want := plainly(p, rule, bearer.info); (err == nil) != want {
		t.Fatalf("%s is said to be met: %v, by %+v under %v", rule, err == nil, bearer.info, p.Implies)
	}
	// A list is made for a caller whom a rule of the endpoint let in.
	ctx, entered := a.Authorize(t.Context(), sent{Procedure: "/list.v1.List/Tools", Authorization: []string{"Bearer x"}}.Request())
	if entered != nil {
		t.Fatal(entered)
	}
	listed := a.Adapter().Caller(ctx).Assess(ctx, procedure)
	if (listed == nil) != (err == nil) || listed != nil && listed.Reason != reasonOf(err) {
		t.Fatalf("%s: called: %v, listed: %v", rule, err, listed)
	}
	switch {
	case err == nil:
		return "allowed"
	case listed.Reason == challenge.ReasonNotFound:
		return "not found"
	case listed.Reason == challenge.ReasonForbidden:
		return "forbidden"
	}
	// The client does what the challenge says.
	before := bearer.info
	stepped := before.Clone()
	stepped.Scopes = slices.Concat(stepped.Scopes, listed.Challenge.Scopes)
	if len(listed.Challenge.ACRValues) > 0 {
		stepped.ACR = listed.Challenge.ACRValues[0]
	}
	bearer.info = stepped
	_, err = a.Authorize(t.Context(), call)
	bearer.info = before
	// A client that acts for itself has no user who could authenticate.
	if err != nil && (len(listed.Challenge.ACRValues) == 0 || before.Party != token.PartyClient) {
		t.Fatalf("%s with %+v: after %+v the client got %v", rule, before, listed.Challenge, err)
	}
	return "stepped up"
}

// checkAdvertised compares the metadata document with the rules.
func checkAdvertised(t *testing.T, a *drawbridge.Authorizer, p policy.Policy) {
	t.Helper()
	document, ok := a.Metadata(t.Context(), sent{Path: "/.well-known/oauth-protected-resource", Host: "api.example.com"}.Request())
	if !ok {
		t.Fatal("no document")
	}
	var named []string
	for _, service := range p.Services {
		for _, rule := range append([]policy.Rule{service.Rule}, slices.Collect(values(service.Methods))...) {
			named = slices.Concat(named, rule.Scopes, rule.AnyScopes, slices.Concat(rule.AnyScopeSets...))
		}
	}
	slices.Sort(named)
	if named = slices.Compact(named); !slices.Equal(named, document.ScopesSupported) {
		t.Fatalf("advertised %q, enforced %q", document.ScopesSupported, named)
	}
}

func values(methods map[string]policy.Rule) func(func(policy.Rule) bool) {
	return func(yield func(policy.Rule) bool) {
		for _, rule := range methods {
			if !yield(rule) {
				return
			}
		}
	}
}

func reasonOf(err error) challenge.Reason {
	denial, ok := errors.AsType[*challenge.DenialError](err)
	if !ok {
		return challenge.ReasonInternal
	}
	return denial.Reason
}

// plainly reads a rule as its doc says, without compiling anything.
func plainly(p policy.Policy, rule policy.Rule, info *token.Info) bool {
	if rule.Denied || rule.IsZero() {
		return false
	}
	if rule.Public {
		return true
	}
	var has func(scope string) bool
	has = func(scope string) bool {
		if slices.Contains(info.Scopes, scope) {
			return true
		}
		for broader, implied := range p.Implies {
			if slices.Contains(implied, scope) && has(broader) {
				return true
			}
		}
		return false
	}
	all := func(scopes []string) bool {
		return !slices.ContainsFunc(scopes, func(s string) bool { return !has(s) })
	}
	switch {
	case !all(rule.Scopes),
		len(rule.AnyScopes) > 0 && !slices.ContainsFunc(rule.AnyScopes, has),
		len(rule.AnyScopeSets) > 0 && !slices.ContainsFunc(rule.AnyScopeSets, all),
		rule.Party != token.PartyUnknown && rule.Party != info.Party,
		rule.NoActor && info.Actor != nil,
		len(rule.Actors) > 0 && info.Actor != nil && !slices.Contains(rule.Actors, policy.Actor{Subject: info.Actor.Subject}),
		len(rule.ACRValues) > 0 && (info.Party == token.PartyClient || !slices.Contains(rule.ACRValues, info.ACR)):
		return false
	}
	for _, condition := range rule.Claims {
		value, _ := info.Claims[condition.Path[0]].(string)
		if !slices.Contains(condition.AnyOf, value) {
			return false
		}
	}
	return true
}

// someToken is a verifier of one token, whose facts change.
type someToken struct{ info *token.Info }

func (s *someToken) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return s.info, nil
}

func somePolicy(random *rand.Rand) policy.Policy {
	methods := make(map[string]policy.Rule)
	for i := range 4 {
		if random.IntN(4) > 0 {
			methods[fmt.Sprintf("M%d", i)] = someRule(random)
		}
	}
	methods["Kept"] = policy.Rule{Public: true}
	return policy.Policy{
		Services: map[string]policy.Service{
			"a.v1.A":       {Rule: someRule(random), Methods: methods, NoDescriptor: true},
			"list.v1.List": {Rule: policy.Rule{Authenticated: true}, NoDescriptor: true},
		},
		Implies: []map[string][]string{nil, {"s0": {"s1", "s2"}}, {"s0": {"s1"}, "s1": {"s2"}, "s3": {"s2"}}}[random.IntN(3)],
	}
}

func someScopes(random *rand.Rand, most int) (scopes []string) {
	for _, i := range random.Perm(5)[:random.IntN(most+1)] {
		scopes = append(scopes, fmt.Sprint("s", i))
	}
	return scopes
}

func someRule(random *rand.Rand) policy.Rule {
	one := func(of int) bool { return random.IntN(of) == 0 }
	switch random.IntN(10) {
	case 0:
		return policy.Rule{Public: true}
	case 1:
		return policy.Rule{Denied: true}
	}
	rule := policy.Rule{Scopes: someScopes(random, 2)}
	if one(3) {
		rule.AnyScopes = someScopes(random, 3)
	}
	if one(4) {
		rule.AnyScopeSets = [][]string{append(someScopes(random, 1), "x"), append(someScopes(random, 2), "y")}
	}
	if one(5) {
		rule.Claims = []policy.ClaimCondition{{Path: []string{"c"}, AnyOf: []string{"v0", "v1"}[:1+random.IntN(2)]}}
	}
	if one(5) {
		rule.Party = token.PartyUser
	}
	switch random.IntN(8) {
	case 0:
		rule.NoActor = true
	case 1:
		rule.Actors = []policy.Actor{{Subject: "a0"}}
	}
	if one(4) {
		rule.ACRValues = []string{"gold", "silver"}[:1+random.IntN(2)]
	}
	if rule.IsZero() && one(2) {
		rule.Authenticated = true
	}
	return rule
}

func someInfo(random *rand.Rand) *token.Info {
	info := &token.Info{
		Issuer: rpctest.Issuer, Subject: "ada", Audience: []string{rpctest.Resource},
		Scopes: append(someScopes(random, 5), []string{"x", "y"}[:random.IntN(3)]...), Party: token.Party(random.IntN(3)),
		Claims: map[string]any{"c": fmt.Sprint("v", random.IntN(3))}, ACR: []string{"", "gold", "silver"}[random.IntN(3)],
	}
	if random.IntN(3) == 0 {
		info.Actor = &token.Actor{Subject: fmt.Sprint("a", random.IntN(2))}
	}
	return info
}
