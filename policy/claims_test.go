package policy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestClaims: a claim meets a condition if it is one of the values, or has one of them as
// an element, and nothing that merely looks like it does.
func TestClaims(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path, anyOf, claims string
		want                      bool
	}{
		{"a string", "tenant", "acme", `{"tenant": "acme"}`, true},
		{"one of several", "tenant", "acme initech", `{"tenant": "initech"}`, true},
		{"another string", "tenant", "acme", `{"tenant": "acme2"}`, false},
		{"another case", "tenant", "acme", `{"tenant": "ACME"}`, false},
		{"values in one string", "roles", "admin", `{"roles": "user admin"}`, false},
		{"absent", "tenant", "acme", `{}`, false},
		{"another case of the name", "tenant", "acme", `{"Tenant": "acme"}`, false},
		{"null", "tenant", "null", `{"tenant": null}`, false},
		{"empty", "tenant", "acme", `{"tenant": ""}`, false},
		{"an element", "roles", "admin", `{"roles": ["user", "admin"]}`, true},
		{"no element", "roles", "admin", `{"roles": ["user"]}`, false},
		{"no elements", "roles", "admin", `{"roles": []}`, false},
		{"an element of an element", "roles", "admin", `{"roles": [["admin"]]}`, false},
		{"nested", "realm_access.roles", "admin", `{"realm_access": {"roles": ["admin"]}}`, true},
		{"nested, absent", "realm_access.roles", "admin", `{"realm_access": {}}`, false},
		{"nested, no object", "realm_access.roles", "admin", `{"realm_access": "roles"}`, false},
		{"an object", "realm_access", "roles", `{"realm_access": {"roles": true}}`, false},
		{"true", "verified", "true", `{"verified": true}`, true},
		{"true as a string", "verified", "true", `{"verified": "true"}`, true},
		{"false for true", "verified", "true", `{"verified": false}`, false},
		{"false", "verified", "false", `{"verified": false}`, true},
		{"1 for true", "verified", "true", `{"verified": 1}`, false},
		{"an integer", "project", "42", `{"project": 42}`, true},
		{"an integer as a string", "project", "42", `{"project": "42"}`, true},
		{"an integer as an element", "project", "42", `{"project": [7, 42]}`, true},
		{"a negative integer", "project", "-42", `{"project": -42}`, true},
		{"another integer", "project", "42", `{"project": 43}`, false},
		{"a fraction", "project", "42", `{"project": 42.5}`, false},
		{"a fraction as a value", "project", "42.5", `{"project": 42.5}`, false},
		{"a sign that JSON does not write", "project", "+42", `{"project": 42}`, false},
		{"a zero that JSON does not write", "project", "042", `{"project": 42}`, false},
		{"an integer that no float64 tells from its neighbor", "project", "9007199254740992", `{"project": 9007199254740993}`, false},
		{"the greatest exact integer", "project", "9007199254740991", `{"project": 9007199254740991}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			condition := policy.ClaimCondition{Path: strings.Split(tt.path, "."), AnyOf: strings.Fields(tt.anyOf)}
			requirement := compile(t, rules(policy.Rule{Claims: []policy.ClaimCondition{condition}}, nil)).Lookup("/a.v1.A/Get")
			var claims map[string]any
			if err := json.Unmarshal([]byte(tt.claims), &claims); err != nil {
				t.Fatal(err)
			}
			err := requirement.Check(t.Context(), policy.Input{Info: &token.Info{Claims: claims}})
			if (err == nil) != tt.want {
				t.Errorf("got %v, want met: %v", err, tt.want)
			}
			short, ok := errors.AsType[*policy.ShortfallError](err)
			if !tt.want && (!ok || short.Reason != challenge.ReasonForbidden || short.Scopes != nil || !strings.Contains(short.Cause.Error(), tt.path)) {
				t.Errorf("got %#v", short)
			}
			if !tt.want && strings.Contains(short.Cause.Error(), "ACME") {
				t.Error("the cause has a value of the token")
			}
		})
	}
}

// TestClaimsOfOtherVerifiers: a Verifier may keep claims in other types than those of
// encoding/json into an any.
func TestClaimsOfOtherVerifiers(t *testing.T) {
	t.Parallel()
	requirement := compile(t, rules(policy.Rule{Claims: []policy.ClaimCondition{{Path: []string{"c"}, AnyOf: []string{"a", "7"}}}}, nil)).Lookup("/a.v1.A/Get")
	for _, tt := range []struct {
		value any
		want  bool
	}{
		{[]string{"b", "a"}, true},
		{[]string{"b"}, false},
		{json.Number("7"), true},
		{json.Number("7.0"), false},
		{7, false},
		{map[string]string{"a": "a"}, false},
		{nil, false},
	} {
		if err := requirement.Check(t.Context(), policy.Input{Info: &token.Info{Claims: map[string]any{"c": tt.value}}}); (err == nil) != tt.want {
			t.Errorf("%#v: got %v", tt.value, err)
		}
	}
}

// TestClaimsAreAll: every condition has to be met, before scopes and beside them.
func TestClaimsAreAll(t *testing.T) {
	t.Parallel()
	requirement := compile(t, rules(policy.Rule{Scopes: []string{"s"}, Claims: []policy.ClaimCondition{
		{Path: []string{"a"}, AnyOf: []string{"1"}}, {Path: []string{"b"}, AnyOf: []string{"2"}},
	}}, nil)).Lookup("/a.v1.A/Get")
	both := map[string]any{"a": "1", "b": "2"}
	for _, tt := range []struct {
		name string
		info *token.Info
		want challenge.Reason
	}{
		{"all", &token.Info{Scopes: []string{"s"}, Claims: both}, 255},
		{"one", &token.Info{Scopes: []string{"s"}, Claims: map[string]any{"a": "1"}}, challenge.ReasonForbidden},
		{"no scope", &token.Info{Claims: both}, challenge.ReasonInsufficientScope},
		{"neither", &token.Info{}, challenge.ReasonForbidden},
		{"no token", nil, challenge.ReasonNoCredentials},
	} {
		got := challenge.Reason(255)
		if short, ok := errors.AsType[*policy.ShortfallError](requirement.Check(t.Context(), policy.Input{Info: tt.info})); ok {
			got = short.Reason
		}
		if got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
