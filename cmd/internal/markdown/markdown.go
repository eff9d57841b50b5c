// Package markdown writes tables in Markdown, as code hosts render it.
package markdown

import (
	"io"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

// Table writes a table.
func Table(w io.Writer, heads []string, rows [][]string) error {
	var text strings.Builder
	writeRow(&text, heads)
	text.WriteString(strings.Repeat("| --- ", len(heads)) + "|\n")
	for _, row := range rows {
		writeRow(&text, row)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func writeRow(text *strings.Builder, cells []string) {
	for _, cell := range cells {
		text.WriteString("| " + cell + " ")
	}
	text.WriteString("|\n")
}

// special are the characters that mean something in Markdown or HTML.
const special = "\\`*_{}[]<>#|~&!"

// Escape returns text that shows as itself.
func Escape(text string) string {
	var safe strings.Builder
	for _, r := range terminal.Printable(text) {
		if strings.ContainsRune(special, r) {
			safe.WriteByte('\\')
		}
		safe.WriteRune(r)
	}
	return safe.String()
}

// Code returns text as code. In a table, a bar ends the cell even there, so that it is
// escaped.
func Code(text string) string {
	text = terminal.Printable(text)
	if text == "" {
		return ""
	}
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 || strings.HasPrefix(text, " ") || strings.HasSuffix(text, " ") {
		text = " " + text + " "
	}
	return fence + strings.ReplaceAll(text, "|", `\|`) + fence
}
