package change

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/markdown"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

var styles = map[Class]terminal.Style{
	Looser: terminal.Bad, Different: terminal.Notable, NewOpen: terminal.Bad, New: terminal.Notable, Tighter: terminal.Good, Gone: terminal.Faint,
}

// WriteText writes the report for a terminal.
func (r Report) WriteText(w io.Writer, paint terminal.Painter) error {
	var text strings.Builder
	for _, change := range r.Changes {
		label := change.label()
		fmt.Fprintf(&text, "%s%s %s\n", paint.Paint(styles[change.Class()], label), strings.Repeat(" ", 9-len(label)), terminal.Printable(change.Subject))
		change.Old.write(&text, "old", paint)
		change.New.write(&text, "new", paint)
		if change.Note != "" {
			fmt.Fprintf(&text, "            %s\n", terminal.Printable(change.Note))
		}
	}
	for _, implication := range r.Implications {
		fmt.Fprintln(&text, terminal.Printable(implication.String()))
	}
	if len(r.Changes)+len(r.Implications) > 0 {
		text.WriteByte('\n')
	}
	fmt.Fprintln(&text, r.Summary())
	_, err := io.WriteString(w, text.String())
	return err
}

func (s Side) write(text *strings.Builder, name string, paint terminal.Painter) {
	if s.Text == "" {
		return
	}
	fmt.Fprintf(text, "      %s   %s", name, terminal.Printable(s.Text))
	if s.Place != "" {
		text.WriteString(paint.Paint(terminal.Faint, "   "+terminal.Printable(s.Place)))
	}
	text.WriteByte('\n')
}

// String returns the implication as a sentence.
func (i Implication) String() string {
	if i.IsNew {
		return fmt.Sprintf("%s now implies %s", i.Scope, i.Implied)
	}
	return fmt.Sprintf("%s no longer implies %s", i.Scope, i.Implied)
}

// WriteMarkdown writes the report for a comment on a code host.
func (r Report) WriteMarkdown(w io.Writer) error {
	fmt.Fprintf(w, "**Access policy:** %s\n", r.Summary())
	if len(r.Changes) > 0 {
		fmt.Fprintln(w)
		rows := make([][]string, 0, len(r.Changes))
		for _, change := range r.Changes {
			label := change.label()
			if change.Class() == Looser || change.IsOpen {
				label = "**" + label + "**"
			}
			rows = append(rows, []string{label, markdown.Code(change.Subject), change.Old.markdown(), change.New.markdown() + note(change.Note)})
		}
		if err := markdown.Table(w, []string{"Change", "Procedure", "Old", "New"}, rows); err != nil {
			return err
		}
	}
	for i, implication := range r.Implications {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "- %s\n", markdown.Escape(implication.String()))
	}
	return nil
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return " (" + markdown.Escape(text) + ")"
}

func (s Side) markdown() string {
	if s.Place == "" || s.Text == "" {
		return markdown.Code(s.Text)
	}
	return markdown.Code(s.Text) + " at " + markdown.Code(s.Place)
}

// A document is the form of a [Report] that programs read. Fields may be added to it.
type document struct {
	Summary      string                `json:"summary"`
	Changes      []changeDocument      `json:"changes"`
	Implications []implicationDocument `json:"implications,omitempty"`
}

type changeDocument struct {
	Class     Class         `json:"class"`
	Procedure string        `json:"procedure,omitempty"`
	Resource  string        `json:"resource,omitempty"`
	Old       *sideDocument `json:"old,omitempty"`
	New       *sideDocument `json:"new,omitempty"`
	Note      string        `json:"note,omitempty"`
}

type sideDocument struct {
	Requires string `json:"requires,omitempty"`
	Services string `json:"services,omitempty"`
	Place    string `json:"place,omitempty"`
}

type implicationDocument struct {
	Scope   string `json:"scope"`
	Implies string `json:"implies"`
	Change  string `json:"change"` // "new" or "gone"
}

// WriteJSON writes the report as JSON.
func (r Report) WriteJSON(w io.Writer) error {
	d := document{Summary: r.Summary(), Changes: []changeDocument{}}
	for _, change := range r.Changes {
		c := changeDocument{Class: change.Class(), Old: change.side(change.Old), New: change.side(change.New), Note: change.Note}
		if change.IsResource {
			c.Resource = change.Subject
		} else {
			c.Procedure = change.Subject
		}
		d.Changes = append(d.Changes, c)
	}
	for _, implication := range r.Implications {
		kind := map[bool]string{true: "new", false: "gone"}[implication.IsNew]
		d.Implications = append(d.Implications, implicationDocument{implication.Scope, implication.Implied, kind})
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(d)
}

func (c Change) side(s Side) *sideDocument {
	switch {
	case s == Side{}:
		return nil
	case c.IsResource:
		return &sideDocument{Services: s.Text}
	default:
		return &sideDocument{Requires: s.Text, Place: s.Place}
	}
}
