package verifier_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/expiry"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestChecksExpiry proves that only the verifier itself vouches for the expiry of
// what it returns: a type that embeds it may cache.
func TestChecksExpiry(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	if !expiry.Checked(f.verifier) {
		t.Error("the verifier does not check the expiry")
	}
	if caching := (struct{ *verifier.Verifier }{f.verifier}); expiry.Checked(caching) {
		t.Error("a wrapper counts as the verifier")
	}
}
