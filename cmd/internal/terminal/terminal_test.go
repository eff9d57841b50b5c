package terminal_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"orders:read, ä €", "orders:read, ä €"},
		{"a\x1b[31mb\n\t\x00\x7f", `a\x1b[31mb\x0a\x09\x00\x7f`},
		{"\u202e\u200b\u00a0\u2028", `\u202e\u200b\u00a0\u2028`},
		{"\u009b31m", `\u009b31m`},
		{"\x9b31m", "\ufffd31m"},
	} {
		if got := terminal.Printable(tt.text); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := terminal.Table{
		Heads: []string{"NAME", "EMPTY", "LAST"},
		Rows: [][]terminal.Cell{
			{{Text: "ä"}, {}, {Text: "x", Style: terminal.Bad}},
			{{Text: "a\nlong name"}, {}, {}},
		},
	}
	for paint, want := range map[terminal.Painter]string{
		false: "NAME            LAST\nä               x\na\\x0along name\n",
		true:  "\x1b[1mNAME\x1b[0m            \x1b[1mLAST\x1b[0m\nä               \x1b[31mx\x1b[0m\na\\x0along name\n",
	} {
		var out bytes.Buffer
		if err := table.Write(&out, paint); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("the table is\n%q, want\n%q", out.String(), want)
		}
	}
	if err := table.Write(broken{}, false); err == nil {
		t.Error("a failure is not reported")
	}
}

// TestPainter: only a terminal shows colors.
func TestPainter(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	if terminal.PainterFor(new(bytes.Buffer), none) {
		t.Error("a buffer is a terminal")
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if terminal.PainterFor(null, none) {
		t.Error("the null device is a terminal")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }
