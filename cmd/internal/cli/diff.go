package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/change"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

// diffFlags are the flags of diff.
type diffFlags struct {
	shared source.Spec // what both sides read, beneath their own
	failOn string
	output *choice
}

func newDiff(env Env) *cobra.Command {
	f := &diffFlags{failOn: "looser,different,new-open"}
	cmd := &cobra.Command{
		Use:     "diff OLD NEW",
		Short:   "Compare two policies, and say what became looser",
		Long:    diffHelp,
		Example: diffExamples,
		Args: cobra.MatchAll(func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("diff compares two policies, OLD and NEW, and %d %s given", len(args), map[bool]string{true: "is", false: "are"}[len(args) == 1])
			}
			return nil
		}),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.shared.Protos, "proto", nil, "compile the protobuf files in `DIR` for both sides")
	addImports(cmd, &f.shared)
	flags.StringArrayVar(&f.shared.Images, "image", nil, "read an image from `FILE` for both sides")
	flags.StringVar(&f.failOn, "fail-on", f.failOn, "exit with 1 if there are changes of these `KINDS`, separated by commas: "+
		"looser, different, new-open, new, tighter, gone, or none")
	_ = cmd.MarkFlagDirname("proto")
	_ = cmd.MarkFlagDirname("import")
	f.output = addOutput(cmd, "text", "json", "markdown")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd, env, args[0], args[1]) }
	return cmd
}

func (f *diffFlags) run(cmd *cobra.Command, env Env, before, after string) error {
	classes, err := change.ParseClasses(f.failOn)
	if err != nil {
		return fmt.Errorf("--fail-on: %w", err)
	}
	older, newer, err := f.read(cmd, before, after)
	if err != nil {
		return err
	}
	policies := make([]change.Policy, 2)
	for i, s := range []*source.Source{older, newer} {
		s = s.DenyUncovered()
		table, _, err := compile(env, s)
		if err != nil {
			return err
		}
		policies[i] = change.Policy{Source: s, Table: table}
	}
	report := change.Compare(policies[0], policies[1])
	switch f.output.value {
	case "json":
		err = report.WriteJSON(env.Out)
	case "markdown":
		err = report.WriteMarkdown(env.Out)
	default:
		err = report.WriteText(env.Out, terminal.PainterFor(env.Out, env.Getenv))
	}
	if err == nil && report.Has(classes) {
		err = exitError{ExitNo}
	}
	return err
}

// read reads both sides. The one that has descriptors is read first, because it may have to
// lend them.
func (f *diffFlags) read(cmd *cobra.Command, before, after string) (older, newer *source.Source, err error) {
	specs := make([]source.Spec, 2)
	for i, operand := range []string{before, after} {
		spec, err := source.Detect(operand)
		if err != nil {
			return nil, nil, err
		}
		spec.Protos = slices.Concat(f.shared.Protos, spec.Protos)
		spec.Images = slices.Concat(f.shared.Images, spec.Images)
		spec.Imports = f.shared.Imports
		specs[i] = spec
	}
	hasDescriptors := func(spec source.Spec) bool { return len(spec.Protos) > 0 || len(spec.Images) > 0 }
	if hasDescriptors(specs[0]) || !hasDescriptors(specs[1]) {
		if older, err = source.Read(cmd.Context(), specs[0]); err != nil {
			return nil, nil, err
		}
		newer, err = source.ReadBeside(cmd.Context(), specs[1], older)
		return older, newer, err
	}
	if newer, err = source.Read(cmd.Context(), specs[1]); err != nil {
		return nil, nil, err
	}
	older, err = source.ReadBeside(cmd.Context(), specs[0], newer)
	return older, newer, err
}
