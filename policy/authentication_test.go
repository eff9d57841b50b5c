package policy_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// noon is the time of every check in these tests.
var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// shortfallOf returns what a token lacks, nil if it meets a rule.
func shortfallOf(t *testing.T, rule policy.Rule, info *token.Info, now time.Time) *policy.ShortfallError {
	t.Helper()
	requirement := compile(t, rules(rule, nil)).LookupService(elsewhere)
	err := requirement.Check(t.Context(), policy.Input{Info: info, Procedure: "/a.v1.A/Get", Now: now})
	if err == nil {
		return nil
	}
	shortfall, ok := errors.AsType[*policy.ShortfallError](err)
	if !ok {
		t.Fatalf("got %v (%T), want a *ShortfallError", err, err)
	}
	return shortfall
}

// describe returns everything that a shortfall holds.
func describe(s *policy.ShortfallError) string {
	if s == nil {
		return "none"
	}
	maxAge := "none"
	if s.MaxAge != nil {
		maxAge = s.MaxAge.String()
	}
	return fmt.Sprintf("%v %q %q %s %v", s.Reason, s.Scopes, s.ACRValues, maxAge, s.Cause)
}

// TestAuthentication: acr is one of those listed, and auth_time is not older than
// max_age. The shortfall states both, whichever of the two is lacking, and the
// scopes (R9470-3).
func TestAuthentication(t *testing.T) {
	t.Parallel()
	const minutes = time.Minute
	class, age := []string{"gold", "urn:silver"}, 10*minutes
	acr := policy.Rule{ACRValues: class}
	maxAge := policy.Rule{MaxAge: age}
	both := policy.Rule{Authenticated: true, ACRValues: class, MaxAge: age}
	scoped := policy.Rule{ACRValues: class, MaxAge: age, Scopes: []string{"b", "a"}, AnyScopes: []string{"y", "x"}}
	recent := noon.Add(-minutes)
	at := func(ago time.Duration) *token.Info { return &token.Info{AuthTime: noon.Add(-ago)} }
	for _, tt := range []struct {
		name string
		rule policy.Rule
		info *token.Info
		want challenge.Reason
	}{
		{"R9470-3 acr, the first", acr, &token.Info{ACR: "gold"}, met},
		{"R9470-3 acr, another", acr, &token.Info{ACR: "urn:silver"}, met},
		{"R9470-3 acr, none of them", acr, &token.Info{ACR: "bronze"}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 acr, in another case", acr, &token.Info{ACR: "Gold"}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 acr, several in one", acr, &token.Info{ACR: "gold urn:silver"}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 acr, no claim", acr, &token.Info{AuthTime: recent}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 acr, no token", acr, nil, challenge.ReasonNoCredentials},
		{"R9470-3 acr, auth_time is not asked for", acr, &token.Info{ACR: "gold", AuthTime: noon.Add(1000 * time.Hour)}, met},
		{"R9470-3 max_age, younger", maxAge, at(minutes), met},
		{"R9470-3 max_age, exactly", maxAge, at(age), met},
		{"R9470-3 max_age, older by a nanosecond", maxAge, at(age + 1), challenge.ReasonInsufficientAuthentication},
		{"R9470-3 max_age, just now", maxAge, at(0), met},
		{"R9470-3 max_age, no claim", maxAge, &token.Info{ACR: "gold"}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 max_age, no token", maxAge, nil, challenge.ReasonNoCredentials},
		{"R9470-3 max_age, a clock that is fast", maxAge, at(-5 * minutes), met},
		{"R9470-3 max_age, in the future", maxAge, at(-5*minutes - 1), challenge.ReasonInsufficientAuthentication},
		{"R9470-3 max_age, in milliseconds", maxAge, &token.Info{AuthTime: time.Unix(noon.UnixMilli(), 0)}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 max_age, before all time", maxAge, &token.Info{AuthTime: time.Unix(math.MinInt64>>1, 0)}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 max_age, after all time", maxAge, &token.Info{AuthTime: time.Unix(math.MaxInt64>>1, 0)}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 max_age, the longest", policy.Rule{MaxAge: time.Duration(math.MaxInt64).Truncate(time.Second)}, at(1 << 60), met},
		{"R9470-3 both", both, &token.Info{ACR: "gold", AuthTime: recent}, met},
		{"R9470-3 both, acr is lacking", both, &token.Info{ACR: "bronze", AuthTime: recent}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 both, auth_time is lacking", both, &token.Info{ACR: "gold", AuthTime: noon.Add(-time.Hour)}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 both, a token of a user", both, &token.Info{ACR: "gold", AuthTime: recent, Party: token.PartyUser}, met},
		{"R9470-3 acr of a client", acr, &token.Info{ACR: "gold", Party: token.PartyClient}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 auth_time of a client", maxAge, &token.Info{AuthTime: recent, Party: token.PartyClient}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 MCP-4 scopes are lacking, too", scoped, &token.Info{ACR: "gold"}, challenge.ReasonInsufficientAuthentication},
		{"R9470-3 MCP-4 authentication alone is lacking", scoped, &token.Info{ACR: "gold", Scopes: []string{"a", "b", "x"}}, challenge.ReasonInsufficientAuthentication},
		{"R6750-3.1.b scopes alone are lacking", scoped, &token.Info{ACR: "gold", AuthTime: recent, Scopes: []string{"a"}}, challenge.ReasonInsufficientScope},
		{"R9470-3 nothing is lacking", scoped, &token.Info{ACR: "gold", AuthTime: recent, Scopes: []string{"a", "b", "x"}}, met},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := shortfallOf(t, tt.rule, tt.info, noon)
			if tt.want == met {
				if got != nil {
					t.Errorf("got %+v", got)
				}
				return
			}
			want := &policy.ShortfallError{Reason: tt.want}
			if tt.rule.Scopes != nil {
				want.Scopes = []string{"b", "a", "y"}
			}
			if tt.want == challenge.ReasonInsufficientAuthentication {
				want.ACRValues = tt.rule.ACRValues
				if tt.rule.MaxAge != 0 {
					want.MaxAge = &tt.rule.MaxAge
				}
			}
			if got, want := describe(got), describe(want); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestAuthenticationClock: without a time, that of the clock counts.
func TestAuthenticationClock(t *testing.T) {
	t.Parallel()
	rule := policy.Rule{MaxAge: time.Hour}
	for ago, want := range map[time.Duration]bool{time.Minute: true, 2 * time.Hour: false, -time.Hour: false} {
		if got := shortfallOf(t, rule, &token.Info{AuthTime: time.Now().Add(-ago)}, time.Time{}); (got == nil) != want {
			t.Errorf("R9470-3: %v ago: got %+v", ago, got)
		}
	}
}

// TestAuthenticationFaults has a rule for each fault.
func TestAuthenticationFaults(t *testing.T) {
	t.Parallel()
	const at = `policy: Services["a.v1.A"].Rule`
	acr := func(values ...string) policy.Rule { return policy.Rule{ACRValues: values} }
	const syntax = " cannot stand in a challenge: RFC 9470 §3 and RFC 6750 §3 allow visible ASCII without space, quote and backslash"
	for _, tt := range []struct {
		name string
		rule policy.Rule
		want []string
	}{
		{"legal", policy.Rule{Authenticated: true, ACRValues: []string{"0", "urn:mace:incommon:iap:gold"}, MaxAge: time.Second, Party: token.PartyUser}, nil},
		{"legal with scopes", policy.Rule{Scopes: []string{"a"}, AnyScopes: []string{"b"}, MaxAge: time.Hour}, nil},
		{"R9470-3 empty", acr(""), []string{at + ".ACRValues: contains an empty value"}},
		{"R9470-3 with a space", acr("a b"), []string{at + `.ACRValues: "a b"` + syntax}},
		{"R9470-3 with a quote", acr(`a"`), []string{at + `.ACRValues: "a\""` + syntax}},
		{"R9470-3 beyond ASCII", acr("é"), []string{at + `.ACRValues: "é"` + syntax}},
		{"R9470-3 would end a header", acr("a\r\n"), []string{at + `.ACRValues: "a\r\n"` + syntax}},
		{"R9470-3 twice", acr("a", "b", "a"), []string{at + `.ACRValues: "a" is listed twice`}},
		{"R9470-3 negative", policy.Rule{MaxAge: -time.Second}, []string{at + `.MaxAge: "-1s" is negative`}},
		{"R9470-3 less than a second", policy.Rule{MaxAge: time.Millisecond}, []string{at + `.MaxAge: "1ms" is not in whole seconds, which RFC 9470 §3 asks for`}},
		{"R9470-3 a fraction", policy.Rule{MaxAge: 1500 * time.Millisecond}, []string{at + `.MaxAge: "1.5s" is not in whole seconds, which RFC 9470 §3 asks for`}},
		{"R9470-3 public with acr", policy.Rule{Public: true, ACRValues: []string{"a"}}, []string{at + ": is public and requires a token; remove Public, or everything else"}},
		{"R9470-3 public with max_age", policy.Rule{Public: true, MaxAge: time.Second}, []string{at + ": is public and requires a token; remove Public, or everything else"}},
		{"R9470-3 of a client", policy.Rule{Party: token.PartyClient, MaxAge: time.Second}, []string{
			at + ": asks for a token of a client and for the authentication of a user, so every call would be denied; remove ACRValues and MaxAge, or Party",
		}},
		{"R9470-3 several", policy.Rule{ACRValues: []string{"", "a b"}, MaxAge: -1}, []string{
			at + ".ACRValues: contains an empty value", at + `.ACRValues: "a b"` + syntax, at + `.MaxAge: "-1ns" is negative`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := faultsOf(t, rules(tt.rule, nil)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestJoinAuthentication: one authentication for two rules at once, where there is
// one (R9470-3).
func TestJoinAuthentication(t *testing.T) {
	t.Parallel()
	minute, hour := time.Minute, time.Hour
	for _, tt := range []struct {
		name       string
		rule       policy.Rule
		values     []string
		age        *time.Duration
		wantValues []string
		wantAge    *time.Duration
	}{
		{"nothing", policy.Rule{Authenticated: true}, nil, nil, nil, nil},
		{"nothing to add", policy.Rule{Public: true}, []string{"b", "a"}, &hour, []string{"b", "a"}, &hour},
		{"all of it", policy.Rule{ACRValues: []string{"a"}, MaxAge: hour}, nil, nil, []string{"a"}, &hour},
		{"the smaller age is there", policy.Rule{MaxAge: hour}, []string{"a"}, &minute, []string{"a"}, &minute},
		{"the smaller age is added", policy.Rule{MaxAge: minute}, []string{"a"}, &hour, []string{"a"}, &minute},
		{"the classes that both accept", policy.Rule{ACRValues: []string{"a", "b", "c"}}, []string{"x", "c", "b"}, nil, []string{"c", "b"}, nil},
		{"no class that both accept", policy.Rule{ACRValues: []string{"a"}}, []string{"x", "y"}, nil, []string{"x", "y"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requirement := compile(t, rules(tt.rule, nil)).LookupService(elsewhere)
			given, own := slices.Clone(tt.values), slices.Clone(tt.rule.ACRValues)
			values, age := requirement.JoinAuthentication(given, tt.age)
			if !slices.Equal(values, tt.wantValues) || !reflect.DeepEqual(age, tt.wantAge) {
				t.Errorf("R9470-3: got %q and %v, want %q and %v", values, age, tt.wantValues, tt.wantAge)
			}
			if kept, _ := requirement.ChallengeAuthentication(); !slices.Equal(given, tt.values) || !slices.Equal(kept, own) {
				t.Errorf("%q and %q were changed to %q and %q", tt.values, own, given, kept)
			}
		})
	}
}
