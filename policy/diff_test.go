package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// differenceOf compares two rules of a service.
func differenceOf(tb testing.TB, implies map[string][]string, before, after policy.Rule) policy.Difference {
	tb.Helper()
	of := func(rule policy.Rule) *policy.Table {
		p := rules(rule, map[string]policy.Rule{"Kept": {Public: true}})
		p.Implies = implies
		table, err := (policy.Compiler{Conditions: anything{}, Questions: anything{}}).Compile(p)
		if err != nil {
			tb.Fatal(err)
		}
		return table
	}
	changes := policy.Diff(of(before), of(after))
	if len(changes) == 0 {
		return policy.Same
	}
	if len(changes) != 1 || changes[0].Procedure != "/a.v1.A/*" {
		tb.Errorf("got %+v", changes)
	}
	return changes[0].Difference
}

// TestDifference: the first rule is the earlier one. Each row also holds the other way
// round.
func TestDifference(t *testing.T) {
	t.Parallel()
	type rule = policy.Rule
	scopes := func(scopes ...string) rule { return rule{Scopes: scopes} }
	claim := func(name string, values ...string) policy.ClaimCondition {
		return policy.ClaimCondition{Path: []string{name}, AnyOf: values}
	}
	question := func(id string) *policy.Question { return &policy.Question{Resource: policy.Entity{Type: "t", ID: id}} }
	bot, man := policy.Actor{Subject: "bot"}, policy.Actor{Subject: "man"}
	opposite := map[policy.Difference]policy.Difference{policy.Looser: policy.Tighter, policy.Tighter: policy.Looser}
	for _, tt := range []struct {
		name          string
		before, after rule
		want          policy.Difference
	}{
		{"the same", scopes("a", "b"), scopes("b", "a"), policy.Same},
		{"what has no effect", rule{Public: true, Reason: "x", Source: "y"}, rule{Public: true}, policy.Same},
		{"denied in two ways", rule{Denied: true}, rule{}, policy.Same},
		{"written in two ways", rule{AnyScopes: []string{"a"}}, scopes("a"), policy.Same},
		{"sets written in two ways", rule{AnyScopeSets: [][]string{{"a", "b"}}}, scopes("a", "b"), policy.Same},
		{"opened", scopes("a"), rule{Public: true}, policy.Looser},
		{"let in", rule{}, scopes("a"), policy.Looser},
		{"any token", scopes("a"), rule{Authenticated: true}, policy.Looser},
		{"a scope less", scopes("a", "b"), scopes("a"), policy.Looser},
		{"another scope", scopes("a"), scopes("b"), policy.Different},
		{"an implied scope", scopes("write"), scopes("read"), policy.Looser},
		{"one of several", scopes("a"), rule{AnyScopes: []string{"a", "b"}}, policy.Looser},
		{"one of others", rule{AnyScopes: []string{"a", "b"}}, rule{AnyScopes: []string{"b", "c"}}, policy.Different},
		{"a set more", rule{AnyScopeSets: [][]string{{"a", "b"}}}, rule{AnyScopeSets: [][]string{{"a", "b"}, {"c"}}}, policy.Looser},
		{"a set is part of another", rule{AnyScopeSets: [][]string{{"a", "b"}, {"c"}}}, rule{AnyScopeSets: [][]string{{"a"}, {"c"}}}, policy.Looser},
		{"no claim", rule{Claims: []policy.ClaimCondition{claim("a", "1")}}, rule{Authenticated: true}, policy.Looser},
		{"a value more", rule{Claims: []policy.ClaimCondition{claim("a", "1")}}, rule{Claims: []policy.ClaimCondition{claim("a", "2", "1")}}, policy.Looser},
		{"another claim", rule{Claims: []policy.ClaimCondition{claim("a", "1")}}, rule{Claims: []policy.ClaimCondition{claim("b", "1")}}, policy.Different},
		{"no party", rule{Party: token.PartyUser}, rule{Authenticated: true}, policy.Looser},
		{"another party", rule{Party: token.PartyUser}, rule{Party: token.PartyClient}, policy.Different},
		{"any actor", rule{NoActor: true}, rule{Authenticated: true}, policy.Looser},
		{"an actor", rule{NoActor: true}, rule{Actors: []policy.Actor{bot}}, policy.Looser},
		{"an actor more", rule{Actors: []policy.Actor{bot}}, rule{Actors: []policy.Actor{man, bot}}, policy.Looser},
		{"another actor", rule{Actors: []policy.Actor{bot}}, rule{Actors: []policy.Actor{man}}, policy.Different},
		{"actors of a user", rule{Actors: []policy.Actor{bot}, Party: token.PartyUser}, rule{Party: token.PartyUser}, policy.Looser},
		{"no acr", rule{ACRValues: []string{"gold"}}, rule{Authenticated: true}, policy.Looser},
		{"an acr more", rule{ACRValues: []string{"gold"}}, rule{ACRValues: []string{"silver", "gold"}}, policy.Looser},
		{"another acr", rule{ACRValues: []string{"gold"}}, rule{ACRValues: []string{"silver"}}, policy.Different},
		{"older", rule{MaxAge: time.Hour}, rule{MaxAge: 2 * time.Hour}, policy.Looser},
		{"of any age", rule{MaxAge: time.Hour, ACRValues: []string{"gold"}}, rule{ACRValues: []string{"gold"}}, policy.Looser},
		{"no proof", rule{Proof: policy.ProofRequired}, rule{Authenticated: true}, policy.Looser},
		{"the opposite proof", rule{Proof: policy.ProofRequired}, rule{Proof: policy.ProofRefused}, policy.Different},
		{"no condition", rule{Condition: "a"}, rule{Authenticated: true}, policy.Looser},
		{"another condition", rule{Condition: "a"}, rule{Condition: "b"}, policy.Different},
		{"no question", rule{Question: question("'1'")}, rule{Authenticated: true}, policy.Looser},
		{"the same question", rule{Question: question("'1'")}, rule{Question: question("'1'")}, policy.Same},
		{"another question", rule{Question: question("'1'")}, rule{Question: question("'2'")}, policy.Different},
		{"less of one and more of the other", rule{Scopes: []string{"a"}}, rule{Party: token.PartyUser}, policy.Different},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			implies := map[string][]string{"write": {"read"}}
			if got := differenceOf(t, implies, tt.before, tt.after); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got, err := policy.CompareRules(tt.before, tt.after, implies); got != tt.want || err != nil {
				t.Errorf("CompareRules: got %v and %v, want %v", got, err, tt.want)
			}
			want, ok := opposite[tt.want]
			if !ok {
				want = tt.want
			}
			if got := differenceOf(t, implies, tt.after, tt.before); got != want {
				t.Errorf("the other way round: got %v, want %v", got, want)
			}
		})
	}
}

// TestDiff: procedures come and go.
func TestDiff(t *testing.T) {
	t.Parallel()
	before := compile(t, rules(policy.Rule{Scopes: []string{"a"}}, map[string]policy.Rule{"Old": {Public: true}, "Kept": {Public: true}}))
	after := compile(t, policy.Policy{Services: map[string]policy.Service{
		elsewhere: {Rule: policy.Rule{Authenticated: true}, NoDescriptor: true, Methods: map[string]policy.Rule{"New": {Public: true}, "Kept": {Public: true}}},
		"b.v1.B":  {Rule: policy.Rule{Public: true}, NoDescriptor: true},
	}})
	var got []string
	for _, change := range policy.Diff(before, after) {
		got = append(got, change.Procedure+" "+change.Difference.String())
	}
	want := []string{"/a.v1.A/* looser", "/a.v1.A/New looser", "/a.v1.A/Old tighter", "/b.v1.B/* new"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	described := func(methods map[string]policy.Rule) *policy.Table {
		return compile(t, describedRules(policy.Rule{}, methods))
	}
	changes := policy.Diff(described(map[string]policy.Rule{"Get": {Public: true}}), compile(t, policy.Policy{}))
	if len(changes) != 4 || changes[1].Difference != policy.Gone || changes[1].Old == nil || changes[1].New != nil {
		t.Errorf("a service that is gone: got %+v", changes)
	}
	if policy.Difference(9).String() != "invalid" || policy.Same.String() != "same" || policy.Different.String() != "different" || policy.Tighter.String() != "tighter" {
		t.Error("String")
	}
}

// TestDiffAgreesWithCheck: no rule that is called tighter lets anybody in whom the earlier
// one refused.
func TestDiffAgreesWithCheck(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	found := make(map[policy.Difference]int)
	for range 3000 {
		before, after := randomRule(random), randomRule(random)
		implies := map[string][]string{"s0": {"s1"}, "s1": {"s2"}}
		kept := map[string]policy.Rule{"Kept": {Public: true}}
		p, q := rules(before, kept), rules(after, kept)
		p.Implies, q.Implies = implies, implies
		earlier, later := compile(t, p).Lookup("/a.v1.A/Get"), compile(t, q).Lookup("/a.v1.A/Get")
		difference := differenceOf(t, implies, before, after)
		found[difference]++
		for range 60 {
			info := randomInfo(random)
			was := earlier != nil && earlier.Check(t.Context(), policy.Input{Info: info}) == nil
			is := later != nil && later.Check(t.Context(), policy.Input{Info: info}) == nil
			if was && !is && (difference == policy.Looser || difference == policy.Same) || is && !was && (difference == policy.Tighter || difference == policy.Same) {
				t.Fatalf("%s is said to be %v than %s, and %+v met the earlier: %v, the later: %v", after, difference, before, info, was, is)
			}
		}
	}
	for _, difference := range []policy.Difference{policy.Same, policy.Looser, policy.Tighter, policy.Different} {
		if found[difference] == 0 {
			t.Errorf("no two rules are %v", difference)
		}
	}
}

func randomScopes(random *rand.Rand, most int) (scopes []string) {
	for _, i := range random.Perm(5)[:random.IntN(most+1)] {
		scopes = append(scopes, fmt.Sprint("s", i))
	}
	return scopes
}

func randomRule(random *rand.Rand) policy.Rule {
	rule := policy.Rule{Scopes: randomScopes(random, 2)}
	one := func(of int) bool { return random.IntN(of) == 0 }
	if one(3) {
		rule.AnyScopes = randomScopes(random, 3)
	}
	if one(3) {
		rule.AnyScopeSets = [][]string{append(randomScopes(random, 1), "x"), append(randomScopes(random, 2), "y")}
	}
	if one(4) {
		rule.Claims = []policy.ClaimCondition{{Path: []string{"c"}, AnyOf: []string{"v0", "v1", "v2"}[:1+random.IntN(3)]}}
	}
	if one(4) {
		rule.Party = token.Party(1 + random.IntN(2))
	}
	switch random.IntN(6) {
	case 0:
		rule.NoActor = true
	case 1:
		rule.Actors = []policy.Actor{{Subject: "a0"}, {Subject: "a1"}}[:1+random.IntN(2)]
	}
	if one(4) && rule.Party != token.PartyClient {
		rule.ACRValues = []string{"gold", "silver"}[:1+random.IntN(2)]
	}
	if rule.IsZero() && one(2) {
		rule.Authenticated = true
	}
	return rule
}

func randomInfo(random *rand.Rand) *token.Info {
	info := &token.Info{
		Scopes: append(randomScopes(random, 4), []string{"x", "y"}[:random.IntN(3)]...), Party: token.Party(random.IntN(3)),
		Claims: map[string]any{"c": fmt.Sprint("v", random.IntN(4))}, ACR: []string{"", "gold", "silver"}[random.IntN(3)],
	}
	if random.IntN(2) == 0 {
		info.Actor = &token.Actor{Subject: fmt.Sprint("a", random.IntN(3))}
	}
	return info
}

// TestCompareRulesFaults: rules that are none are not compared.
func TestCompareRulesFaults(t *testing.T) {
	t.Parallel()
	_, err := policy.CompareRules(policy.Rule{Scopes: []string{"a b"}}, policy.Rule{Public: true, Authenticated: true}, nil)
	if len(slices.Collect(fault.All(err))) != 2 {
		t.Errorf("got %v", err)
	}
	for _, rule := range []policy.Rule{{Public: true, Condition: "x"}, {Denied: true, Condition: "x"}} {
		if _, err := policy.CompareRules(rule, rule, nil); err == nil {
			t.Errorf("%s with a condition is compared", rule)
		}
	}
}
