package expiry_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/expiry"
)

type checker struct{ name string }

func (c *checker) ChecksExpiry() any { return c }

// embedding has the method of another.
type embedding struct{ *checker }

// uncomparable cannot be compared.
type uncomparable struct {
	*checker

	_ []int
}

// TestChecked: a verifier that embeds a Checker is none (R9068-4.b).
func TestChecked(t *testing.T) {
	t.Parallel()
	itself := &checker{"a"}
	for name, tt := range map[string]struct {
		verifier any
		want     bool
	}{
		"itself":                        {itself, true},
		"nothing":                       {nil, false},
		"another type":                  {new(int), false},
		"R9068-4.b an embedding":        {embedding{itself}, false},
		"R9068-4.b a pointer to one":    {&embedding{itself}, false},
		"R9068-4.b an uncomparable one": {uncomparable{checker: itself}, false},
	} {
		if got := expiry.Checked(tt.verifier); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
