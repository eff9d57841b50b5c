package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestProof: a rule that asks for a bound token asks for a token.
func TestProof(t *testing.T) {
	t.Parallel()
	for mode, want := range map[policy.Proof]string{policy.ProofAllowed: "allowed", policy.ProofRequired: "required", policy.ProofRefused: "refused", 9: "invalid"} {
		if got := mode.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		rule := policy.Rule{Proof: mode}
		if rule.IsZero() != (mode == policy.ProofAllowed) {
			t.Errorf("%v: is zero: %t", mode, rule.IsZero())
		}
		table, err := policy.Compile(policy.Policy{Services: map[string]policy.Service{"a.v1.A": {Rule: policy.Rule{Authenticated: true, Proof: mode}, NoDescriptor: true}}})
		if mode > policy.ProofRefused {
			faults := slices.Collect(fault.All(err))
			if len(faults) != 1 || !strings.HasSuffix(faults[0].Place, ".Proof") {
				t.Errorf("got %v", err)
			}
			continue
		}
		if err != nil || table.LookupService("a.v1.A").Proof() != mode {
			t.Errorf("%v: got %v", mode, err)
		}
	}
	if _, err := policy.Compile(policy.Policy{Services: map[string]policy.Service{"a.v1.A": {Rule: policy.Rule{Public: true, Proof: policy.ProofRequired}, NoDescriptor: true}}}); err == nil {
		t.Error("a public rule asks for a proof")
	}
}
