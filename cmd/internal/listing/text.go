package listing

import (
	"fmt"
	"io"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

// WriteText writes the listing for a terminal: the rows in aligned columns, and the counts.
func (l *Listing) WriteText(w io.Writer, paint terminal.Painter) error {
	table := terminal.Table{Heads: []string{"SERVICE", "METHOD", "KIND", "REQUIRES", "RESOURCE", "PLACE"}}
	for _, row := range l.Rows {
		table.Rows = append(table.Rows, []terminal.Cell{
			{Text: row.Service}, {Text: row.Method}, {Text: string(row.Kind), Style: terminal.Faint},
			{Text: row.explained(), Style: styles[row.Access]},
			{Text: strings.Join(row.Resources, " ")}, {Text: row.Place, Style: terminal.Faint},
		})
	}
	if err := table.Write(w, paint); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", l.Summary())
	return err
}

var styles = map[Access]terminal.Style{
	Public: terminal.Notable, AnyToken: terminal.Notable, Restricted: terminal.Plain, Denied: terminal.Bad, NoRule: terminal.Bad,
}

// explained returns Requires, followed by the reason if the rule is public or denied.
func (r Row) explained() string {
	if r.Rule.Reason != "" && (r.Access == Public || r.Access == Denied) {
		return fmt.Sprintf("%s (%s)", r.Requires(), r.Rule.Reason)
	}
	return r.Requires()
}

// Summary counts the rows: "5 procedures: 1 public, 0 any token, 3 restricted, 0 denied, 1 no rule".
func (l *Listing) Summary() string {
	noun := "procedures"
	if len(l.Rows) == 1 {
		noun = "procedure"
	}
	var parts []string
	for _, access := range Accesses() {
		count := l.Count(func(row Row) bool { return row.Access == access })
		parts = append(parts, fmt.Sprintf("%d %s", count, access.Label()))
	}
	return fmt.Sprintf("%d %s: %s", len(l.Rows), noun, strings.Join(parts, ", "))
}
