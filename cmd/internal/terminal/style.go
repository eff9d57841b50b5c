package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// A Style is how text is emphasized.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Bold
	Faint
	Good
	Notable
	Bad
)

// sequences are the SGR sequences of ECMA-48 §8.3.117.
var sequences = [...]string{Plain: "", Bold: "\x1b[1m", Faint: "\x1b[2m", Good: "\x1b[32m", Notable: "\x1b[33m", Bad: "\x1b[31m"}

// A Painter emphasizes text if it is true.
type Painter bool

// Paint returns text in a style.
func (p Painter) Paint(style Style, text string) string {
	if !bool(p) || style == Plain || text == "" {
		return text
	}
	return sequences[style] + text + "\x1b[0m"
}

// PainterFor returns a Painter that emphasizes if w is a terminal which can show that, and
// the environment does not forbid it (https://no-color.org).
func PainterFor(w io.Writer, getenv func(string) string) Painter {
	file, ok := w.(*os.File)
	return Painter(ok && term.IsTerminal(int(file.Fd())) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb")
}
