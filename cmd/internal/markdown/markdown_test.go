package markdown_test

import (
	"bytes"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/markdown"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"plain: text", "plain: text"},
		{"*a*|[b](c)<d>`e`", "\\*a\\*\\|\\[b\\](c)\\<d\\>\\`e\\`"},
		{"a\nb", `a\\x0ab`},
	} {
		if got := markdown.Escape(tt.text); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"orders:read", "`orders:read`"},
		{"a|b", "`a\\|b`"},
		{"a`b", "`` a`b ``"},
		{"``", "``` `` ```"},
		{" a", "`  a `"},
	} {
		if got := markdown.Code(tt.text); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := markdown.Table(&out, []string{"A", "B"}, [][]string{{"1", ""}}); err != nil {
		t.Fatal(err)
	}
	if want := "| A | B |\n| --- | --- |\n| 1 |  |\n"; out.String() != want {
		t.Errorf("the table is %q, want %q", out.String(), want)
	}
}
