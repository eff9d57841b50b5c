package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/sarif"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

func newCheck(env Env) *cobra.Command {
	var (
		spec         source.Spec
		strict       bool
		requireRules bool
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a policy, and report every fault with its place",
		Long: `Check a policy as a server does when it starts, and report everything that is wrong
at once, each with its place: names that do not exist, scopes that are none, cycles,
rules that contradict themselves, protobuf and policy files that cannot be read.

Warnings are about what does no harm by itself: a method without a rule, which is denied;
a rule in a file that asks for less than the one in the options which it replaces; and what
only the server can check. --require-rules makes a fault of a method without a rule, and
--strict one of every warning.

-o sarif writes SARIF 2.1.0, which code hosts show beside the lines. Run the command in
the root of the repository then, because the paths in it are relative to the current
directory. The IDs of its rules do not change.

Exit codes:
  0  there is no fault; there may be warnings
  1  there are faults
  2  the command is wrong, or what it names cannot be read at all`,
		Example: `  drawbridge policy check --proto proto
  drawbridge policy check --proto proto -I third_party --file policy.yaml --strict
  drawbridge policy check --proto proto --file policy.yaml --require-rules
  drawbridge policy check --image image.binpb -o json
  drawbridge policy check --proto proto -o sarif > policy.sarif`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addSources(cmd, &spec)
	cmd.Flags().BoolVar(&strict, "strict", false, "take every warning for a fault")
	cmd.Flags().BoolVar(&requireRules, "require-rules", false, "take a method without a rule for a fault")
	output := addOutput(cmd, "text", "json", "sarif")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		findings, err := find(cmd, env, spec, requireRules)
		if err != nil {
			return err
		}
		for i := range findings {
			findings[i].IsWarning = findings[i].IsWarning && !strict
		}
		if err := writeFindings(env, findings, output.value); err != nil {
			return err
		}
		if finding.Has(findings) {
			return exitError{ExitNo}
		}
		return nil
	}
	return cmd
}

// find returns what is wrong with a policy. The error is about the command.
func find(cmd *cobra.Command, env Env, spec source.Spec, requireRules bool) ([]finding.Finding, error) {
	s, err := read(cmd, env, spec)
	if err != nil {
		findings := finding.OfError(err)
		if len(findings) == 0 || withoutFaults(err) != "" {
			return nil, err
		}
		return findings, nil
	}
	_, findings := finding.Compile(s, requireRules)
	return findings, nil
}

func writeFindings(env Env, findings []finding.Finding, format string) error {
	switch format {
	case "json":
		return finding.WriteJSON(env.Out, findings)
	case "sarif":
		directory, err := os.Getwd()
		if err != nil {
			return err
		}
		return sarif.Write(env.Out, findings, directory, moduleVersion())
	}
	paint := terminal.PainterFor(env.Out, env.Getenv)
	faults := 0
	for _, f := range findings {
		style := terminal.Notable
		if !f.IsWarning {
			style = terminal.Bad
			faults++
		}
		if _, err := fmt.Fprintln(env.Out, paint.Paint(style, terminal.Printable(f.String()))); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(env.Err, "%d %s, %d %s\n", faults, plural("fault", faults), len(findings)-faults, plural("warning", len(findings)-faults))
	return err
}

func plural(noun string, count int) string {
	if count == 1 {
		return noun
	}
	return noun + "s"
}
