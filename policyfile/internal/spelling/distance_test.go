package spelling_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policyfile/internal/spelling"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"scopes", "scopes", 0},
		{"", "scopes", 6},
		{"scope", "scopes", 1},
		{"scopse", "scopes", 1}, // exchanged
		{"skopes", "scopes", 1},
		{"party", "proof", 4},
		{"delat", "delta", 1},
		{"dleta", "delta", 1},
		{"kitten", "sitting", 3},
		{strings.Repeat("a", 65), "scopes", 65}, // not computed
	} {
		if got := spelling.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := spelling.Distance(tt.b, tt.a); got != tt.want {
			t.Errorf("%q, %q: got %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
