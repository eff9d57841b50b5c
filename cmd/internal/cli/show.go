package cli

import (
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/spf13/cobra"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/page"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

func newShow(env Env) *cobra.Command {
	var spec source.Spec
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show what each procedure requires, as a table",
		Long: `Show what each procedure requires of its caller: the service, the method, the kind
of stream, the requirement, the resource where the policy says it, and the place of the
rule. A procedure without a rule is denied, and is shown as that.

The method * stands for the rule of a service that has no descriptor. It applies to
every method of the service that has no line of its own.

-o html writes one page that needs no network. It can be searched and filtered, and it
can be read without a script.

Warnings go to the standard error; with json, yaml, markdown and html they are part of
the output, too.

Exit codes:
  0  the table was written
  2  the policy cannot be read or has faults, or the command is wrong`,
		Example: `  drawbridge policy show --proto proto
  drawbridge policy show --proto proto --file policy.yaml
  drawbridge policy show --image image.binpb -o json
  drawbridge policy show --proto proto -o html > policy.html
  drawbridge policy show --proto proto -o markdown >> "$GITHUB_STEP_SUMMARY"
  drawbridge policy show --reflect localhost:8080 --plaintext`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addSources(cmd, &spec)
	output := addOutput(cmd, "text", "json", "yaml", "markdown", "html")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := read(cmd, env, spec)
		if err != nil {
			return err
		}
		_, warnings, err := compile(env, s)
		if err != nil {
			return err
		}
		l := listing.New(s, warnings)
		switch output.value {
		case "json":
			return l.WriteJSON(env.Out)
		case "yaml":
			return l.WriteYAML(env.Out)
		case "markdown":
			return l.WriteMarkdown(env.Out)
		case "html":
			return page.Write(env.Out, l)
		default:
			return l.WriteText(env.Out, terminal.PainterFor(env.Out, env.Getenv))
		}
	}
	return cmd
}

// compile compiles a policy that has to be without faults, and writes its warnings.
func compile(env Env, s *source.Source) (*policy.Table, []finding.Finding, error) {
	table, findings := finding.Compile(s, false)
	for _, f := range findings {
		fmt.Fprintln(env.Err, terminal.Printable(f.String()))
	}
	if finding.Has(findings) {
		fmt.Fprintln(env.Err, "drawbridge: the policy has faults")
		return nil, nil, exitError{ExitUsage}
	}
	return table, findings, nil
}
