package authzen_test

import (
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestClaims: a question says which claims it reads, so that one that no verifier keeps is a
// fault.
func TestClaims(t *testing.T) {
	t.Parallel()
	point := newPoint(t, newPDP(t))
	q := about("token.claims.account")
	q.Subject = policy.Entity{Type: "user", ID: "token.sub", Properties: map[string]string{"of": "token.claims.tenant.id"}}
	q.Resource.Properties = map[string]string{"org": "token.claims['https://example.com/org']", "scopes": "token.scopes"}
	q.Context = map[string]string{"again": "token.claims.tenant.name"}
	for _, tt := range []struct {
		question policy.Question
		want     []string
	}{
		{q, []string{"account", "https://example.com/org", "tenant"}},
		{about("token.sub"), nil},
	} {
		reader, ok := condition(t, point, tt.question).(policy.ClaimReader)
		if !ok || !slices.Equal(reader.Claims(), tt.want) {
			t.Errorf("got %q, want %q", reader.Claims(), tt.want)
		}
	}
}
