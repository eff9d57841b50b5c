package explain

import (
	"fmt"
	"io"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

var styles = map[Answer]terminal.Style{Yes: terminal.Good, No: terminal.Bad, Unjudged: terminal.Notable}

// WriteText writes a verdict for a terminal.
func (v Verdict) WriteText(w io.Writer, paint terminal.Painter) error {
	var text strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-9s %s\n", name, terminal.Printable(value))
		}
	}
	fmt.Fprintf(&text, "%s %s\n", paint.Paint(styles[v.Answer], string(v.Answer)+":"), terminal.Printable(v.Row.Procedure()))
	line("rule", v.ruleText())
	line("requires", v.Row.Requires())
	line("reason", v.Row.Rule.Reason)
	line("decided", v.decidedText())
	line("needs", v.Needs())
	if v.Answer == No {
		line("answer", v.answerText())
	}
	if len(v.Parts) > 0 {
		text.WriteByte('\n')
		table := terminal.Table{Heads: []string{"PART", "REQUIRES", "RESULT", "WHY"}}
		for _, part := range v.Parts {
			table.Rows = append(table.Rows, []terminal.Cell{
				{Text: part.Name}, {Text: part.Requires}, {Text: string(part.State), Style: partStyles[part.State]}, {Text: part.Detail},
			})
		}
		if err := table.Write(&text, paint); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

var partStyles = map[State]terminal.Style{Met: terminal.Good, Unmet: terminal.Bad, Open: terminal.Notable}

func (v Verdict) ruleText() string {
	switch {
	case v.Row.Access == listing.NoRule:
		return "none; the method is at " + v.Row.Place
	case v.Row.IsInherited:
		return v.Row.Place + ", of the service"
	default:
		return v.Row.Place
	}
}

func (v Verdict) decidedText() string {
	switch {
	case v.Decided == "":
		return "every part of the rule is met"
	case v.Detail == "":
		return v.Decided
	default:
		return v.Decided + ": " + v.Detail
	}
}

// answerText is what a server answers.
func (v Verdict) answerText() string {
	text := fmt.Sprintf("%d, %s (%s)", v.Reason.HTTPStatus(), codeOf(v), v.Reason)
	var asked []string
	if scopes := v.Challenge.Scopes; len(scopes) > 0 {
		asked = append(asked, "scope="+strings.Join(scopes, " "))
	}
	if values := v.Challenge.ACRValues; len(values) > 0 {
		asked = append(asked, "acr_values="+strings.Join(values, " "))
	}
	if age := v.Challenge.MaxAge; age != nil {
		asked = append(asked, fmt.Sprintf("max_age=%d", int(age.Seconds())))
	}
	if len(asked) > 0 {
		text += "; it asks for " + strings.Join(asked, ", ")
	}
	return text
}

// codeOf is the code of an RPC, as in google.rpc.Code.
func codeOf(v Verdict) string {
	return strings.ToLower(code.Code(v.Reason.RPCCode()).String()) //nolint:gosec // There are 17 codes.
}

// WriteTable writes verdicts for a terminal, one a line, and the counts.
func WriteTable(w io.Writer, verdicts []Verdict, paint terminal.Painter) error {
	table := terminal.Table{Heads: []string{"ANSWER", "PROCEDURE", "REQUIRES", "WHY", "PLACE"}}
	counts := make(map[Answer]int)
	for _, v := range verdicts {
		counts[v.Answer]++
		why := ""
		if v.Answer != Yes && v.Row.Access != listing.Denied && v.Row.Access != listing.NoRule {
			why = v.decidedText()
		}
		table.Rows = append(table.Rows, []terminal.Cell{
			{Text: string(v.Answer), Style: styles[v.Answer]}, {Text: v.Row.Procedure()}, {Text: v.Row.Requires()},
			{Text: why}, {Text: v.Row.Place, Style: terminal.Faint},
		})
	}
	if err := table.Write(w, paint); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d yes, %d no, %d unjudged\n", counts[Yes], counts[No], counts[Unjudged])
	return err
}
