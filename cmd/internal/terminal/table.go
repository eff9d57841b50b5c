package terminal

import (
	"io"
	"strings"
	"unicode/utf8"
)

// A Cell is one field of a [Table].
type Cell struct {
	Text  string
	Style Style
}

// A Table is written in aligned columns. The zero Table is empty.
type Table struct {
	// Heads are the titles of the columns.
	Heads []string
	// Rows have as many cells as there are heads.
	Rows [][]Cell
}

// Write writes the table. A column that is empty in every row is left out.
func (t *Table) Write(w io.Writer, paint Painter) error {
	widths := make([]int, len(t.Heads))
	for _, row := range t.Rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(Printable(cell.Text)))
		}
	}
	var text strings.Builder
	heads := make([]Cell, len(t.Heads))
	for i, head := range t.Heads {
		heads[i] = Cell{head, Bold}
		if widths[i] > 0 {
			widths[i] = max(widths[i], utf8.RuneCountInString(head))
		}
	}
	writeRow(&text, heads, widths, paint)
	for _, row := range t.Rows {
		writeRow(&text, row, widths, paint)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func writeRow(text *strings.Builder, row []Cell, widths []int, paint Painter) {
	var line strings.Builder
	gap := 0
	for i, cell := range row {
		if widths[i] == 0 {
			continue
		}
		content := Printable(cell.Text)
		line.WriteString(strings.Repeat(" ", gap))
		line.WriteString(paint.Paint(cell.Style, content))
		gap = widths[i] - utf8.RuneCountInString(content) + 2
	}
	text.WriteString(strings.TrimRight(line.String(), " "))
	text.WriteByte('\n')
}
