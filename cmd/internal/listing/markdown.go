package listing

import (
	"fmt"
	"io"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/markdown"
)

// WriteMarkdown writes the listing as a table in Markdown, with the counts before it and the
// warnings behind it.
func (l *Listing) WriteMarkdown(w io.Writer) error {
	heads := []string{"Service", "Method", "Kind", "Requires", "Resource", "Place"}
	var rows [][]string
	for _, row := range l.Rows {
		requires := markdown.Code(row.Requires())
		switch row.Access {
		case Public, Denied, NoRule:
			requires = "**" + markdown.Escape(row.Requires()) + "**"
		case AnyToken, Restricted:
		}
		if row.Rule.Reason != "" {
			requires += " " + markdown.Escape("("+row.Rule.Reason+")")
		}
		rows = append(rows, []string{
			markdown.Code(row.Service), markdown.Code(row.Method), string(row.Kind), requires,
			markdown.Escape(strings.Join(row.Resources, " ")), markdown.Code(row.Place),
		})
	}
	if _, err := fmt.Fprintf(w, "%s\n\n", l.Summary()); err != nil {
		return err
	}
	if err := markdown.Table(w, heads, rows); err != nil {
		return err
	}
	for i, warning := range l.Warnings {
		if i == 0 {
			fmt.Fprint(w, "\n**Warnings**\n\n")
		}
		fmt.Fprintf(w, "- %s\n", markdown.Escape(strings.Replace(warning.String(), "warning: ", "", 1)))
	}
	return nil
}
