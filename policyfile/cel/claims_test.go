package cel_test

import (
	"slices"
	"testing"
)

// TestClaimsRead: a condition says which claims it reads, so that one that no verifier keeps is a
// fault.
func TestClaimsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`token.sub == "ada"`:            nil,
		`token.claims.tenant == "acme"`: {"tenant"},
		`has(token.claims.a.b) && token.claims["https://acme.com/org"] == "x"`:                     {"a", "https://acme.com/org"},
		`token.claims.realm_access.roles.exists(r, r == "x") || token.claims.tenant == rpc.method`: {"realm_access", "tenant"},
		`token.claims.a == token.claims["a"]`:                                                      {"a"},
	} {
		requirement, err := compile(newConditions(t), "", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := requirement.Claims(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
