package policy_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// met is not the reason of any shortfall.
const met = challenge.Reason(255)

// TestCheck: what a caller lacks, as a typed error (R6750-3.1.b, MCP-4).
func TestCheck(t *testing.T) {
	t.Parallel()
	table := compile(t, rules(policy.Rule{}, map[string]policy.Rule{
		"Public":        {Public: true},
		"Authenticated": {Authenticated: true},
		"Scoped":        {Scopes: []string{"b", "a"}, AnyScopes: []string{"y", "x"}},
	}))
	for _, tt := range []struct {
		name, method string
		info         *token.Info
		want         challenge.Reason
	}{
		{"R6750-3.1.a public, no token", "Public", nil, met},
		{"public, any token", "Public", &token.Info{}, met},
		{"R6750-3.1.a authenticated, no token", "Authenticated", nil, challenge.ReasonNoCredentials},
		{"authenticated, a token without scopes", "Authenticated", &token.Info{}, met},
		{"R6750-3.1.a scopes, no token", "Scoped", nil, challenge.ReasonNoCredentials},
		{"R6750-3.1.b scopes, a token without scopes", "Scoped", &token.Info{}, challenge.ReasonInsufficientScope},
		{"R6750-3.1.b scopes, one is missing", "Scoped", &token.Info{Scopes: []string{"a", "b"}}, challenge.ReasonInsufficientScope},
		{"scopes, a token with all of them", "Scoped", &token.Info{Scopes: []string{"a", "b", "x"}}, met},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requirement := table.Lookup("/a.v1.A/" + tt.method)
			err := requirement.Check(t.Context(), policy.Input{Info: tt.info, Procedure: "/a.v1.A/" + tt.method})
			if tt.want == met {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var shortfall *policy.ShortfallError
			if !errors.As(fmt.Errorf("call: %w", err), &shortfall) {
				t.Fatalf("got %v (%T), want a *ShortfallError", err, err)
			}
			var scopes []string
			if tt.want == challenge.ReasonInsufficientScope {
				scopes = []string{"b", "a", "y"}
			}
			if shortfall.Reason != tt.want || !slices.Equal(shortfall.Scopes, scopes) || shortfall.ACRValues != nil || shortfall.MaxAge != nil || shortfall.Cause != nil {
				t.Errorf("got %+v, want %v and the scopes %q", shortfall, tt.want, scopes)
			}
			if got, want := err.Error(), "policy: "+tt.want.String(); got != want {
				t.Errorf("the text is %q, want %q", got, want)
			}
		})
	}
}

// TestCheckLeavesInfo: the facts are shared, and Check does not change them.
func TestCheckLeavesInfo(t *testing.T) {
	t.Parallel()
	requirement := compile(t, rules(policy.Rule{Scopes: []string{"a", "b"}}, nil)).LookupService(elsewhere)
	info := &token.Info{Scopes: []string{"b", "a", "b"}}
	if err := requirement.Check(t.Context(), policy.Input{Info: info}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(info.Scopes, []string{"b", "a", "b"}) {
		t.Errorf("the scopes became %q", info.Scopes)
	}
}

func TestShortfallErrorUnwraps(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("call: %w", &policy.ShortfallError{Reason: challenge.ReasonUnavailable, Cause: io.ErrUnexpectedEOF})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("errors.Is does not find the cause")
	}
	// RPC-7: the cause is not in the text.
	if got, want := err.Error(), "call: policy: unavailable"; got != want {
		t.Errorf("RPC-7: got %q, want %q", got, want)
	}
	if got := (&policy.ShortfallError{}).Unwrap(); got != nil {
		t.Errorf("without a cause: got %v", got)
	}
}

// TestJoinScopes: the scopes for two rules at once, each scope once, and no more
// than that where those of one rule are enough for both (MCP-4, MCP-5).
func TestJoin(t *testing.T) {
	t.Parallel()
	table := compile(t, policy.Policy{
		Services: map[string]policy.Service{"a.v1.A": {NoDescriptor: true, Methods: map[string]policy.Rule{
			"Public":        {Public: true},
			"Authenticated": {Authenticated: true},
			"Read":          {Scopes: []string{"read"}},
			"Both":          {Scopes: []string{"read", "write"}},
			"Any":           {AnyScopes: []string{"narrow", "wide"}},
			"BothAndAny":    {Scopes: []string{"read"}, AnyScopes: []string{"narrow", "wide"}},
		}}},
		Implies: map[string][]string{"admin": {"write"}, "write": {"read"}},
	})
	for _, tt := range []struct {
		name, method string
		scopes, want []string
	}{
		{"MCP-4 nothing to add", "Public", []string{"x"}, []string{"x"}},
		{"MCP-4 any token will do", "Authenticated", nil, nil},
		{"MCP-4 another scope", "Read", []string{"x"}, []string{"x", "read"}},
		{"MCP-4 no scope yet", "Read", nil, []string{"read"}},
		{"MCP-4 the same scope", "Read", []string{"read"}, []string{"read"}},
		{"MCP-4 one of two is there", "Both", []string{"x", "read"}, []string{"x", "read", "write"}},
		{"MCP-5 a broader one is there", "Read", []string{"admin"}, []string{"admin"}},
		{"MCP-5 a broader one for both", "Both", []string{"write"}, []string{"write"}},
		{"MCP-4 of those of which one suffices, the first", "Any", []string{"x"}, []string{"x", "narrow"}},
		{"MCP-4 one that suffices is there", "Any", []string{"wide"}, []string{"wide"}},
		{"MCP-4 both kinds", "BothAndAny", []string{"x"}, []string{"x", "read", "narrow"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requirement := table.Lookup("/a.v1.A/" + tt.method)
			before, ask := slices.Clone(tt.scopes), slices.Clone(requirement.ChallengeScopes())
			given := append(slices.Clip(tt.scopes), make([]string, 2)...)[:len(tt.scopes)]
			got := requirement.JoinScopes(given)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if !satisfied(requirement, got) {
				t.Errorf("%q does not meet the rule", got)
			}
			// Neither side is written to, not even where it has room.
			if spare := given[:len(given)+2]; spare[len(given)] != "" || !slices.Equal(given, before) || !slices.Equal(requirement.ChallengeScopes(), ask) {
				t.Errorf("%q and %q were changed to %q and %q", before, ask, spare, requirement.ChallengeScopes())
			}
		})
	}
}
