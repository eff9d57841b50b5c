package verifier_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestDecisionsAreNotRemembered: a token that is remembered opens what its scopes open,
// and not what it, or another one, was let in to before (CVE-2021-32701).
func TestDecisionsAreNotRemembered(t *testing.T) {
	f, o := newFixture(t, verifier.Config{}), newOpaque(t, nil)
	for _, row := range []struct {
		name         string
		v            token.Verifier
		issuer       string
		read, writer string
	}{
		{"JWT", f.verifier, f.issuer.URL, f.mint(), f.mint(claim("scope", "orders:write"))},
		{
			"R7662-4 opaque", o.verifier, o.issuer.URL,
			o.mint(map[string]any{"scope": "inventory:read"}), o.mint(map[string]any{"scope": "orders:write"}),
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGuard(t, row.v, row.issuer)
			for range 3 {
				for _, call := range []struct {
					raw, service string
					lets         bool
				}{
					{row.read, "inventory", true}, {row.read, "orders", false}, {row.writer, "orders", true}, {row.writer, "inventory", false},
				} {
					denial := g.decideFor(t, call.raw, call.service)
					if (denial == nil) != call.lets || denial != nil && denial.Reason != challenge.ReasonInsufficientScope {
						t.Errorf("%s: got %v", call.service, denial)
					}
				}
			}
		})
	}
}
