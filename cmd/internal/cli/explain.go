package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/explain"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	spec      source.Spec
	claims    string
	request   string
	scopes    string
	hasScopes bool
	at        string
	all       bool
	output    *choice
}

func newExplain(env Env) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:     "explain {/pkg.Service/Method | --all}",
		Short:   "Explain whether a caller may invoke a procedure, and why",
		Long:    explainHelp,
		Example: explainExamples,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return errors.New("explain takes one procedure")
			case f.all && len(args) == 1:
				return errors.New("--all explains every procedure: leave out either of them")
			case !f.all && len(args) == 0:
				return errors.New("name a procedure, such as /orders.v1.OrderService/GetOrder, or give --all")
			default:
				return nil
			}
		},
	}
	addSources(cmd, &f.spec)
	flags := cmd.Flags()
	flags.StringVar(&f.claims, "claims", "", "the caller has the access token whose decoded claims are in `FILE`; - is the standard input")
	flags.StringVar(&f.scopes, "scopes", "", "the caller has an access token with these `SCOPES`, separated by spaces")
	flags.StringVar(&f.at, "at", "", "judge the age of an authentication at `TIME`, such as 2026-01-31T12:00:00Z, in place of now")
	flags.StringVar(&f.request, "request", "", "the message of the call is in `FILE`, as JSON; - is the standard input")
	flags.BoolVar(&f.all, "all", false, "explain every procedure, one a line")
	cmd.MarkFlagsMutuallyExclusive("claims", "scopes")
	cmd.MarkFlagsMutuallyExclusive("request", "all")
	for _, name := range []string{"claims", "request"} {
		_ = cmd.MarkFlagFilename(name, "json")
	}
	f.output = addOutput(cmd, "text", "json")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return procedures(cmd, env, f.spec), cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.hasScopes = cmd.Flags().Changed("scopes")
		return f.run(cmd, env, args)
	}
	return cmd
}

// procedures are those that can be completed.
func procedures(cmd *cobra.Command, env Env, spec source.Spec) []cobra.Completion {
	s, err := read(cmd, env, spec)
	if err != nil {
		return nil
	}
	_, warnings := finding.Compile(s, false)
	var names []cobra.Completion
	for _, row := range listing.New(s, warnings).Rows {
		names = append(names, cobra.CompletionWithDesc(row.Procedure(), row.Requires()))
	}
	return names
}

func (f *explainFlags) run(cmd *cobra.Command, env Env, args []string) error {
	now := env.Now()
	if f.at != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, f.at); err != nil {
			return fmt.Errorf("--at %s: is not a time such as 2026-01-31T12:00:00Z", f.at)
		}
	}
	caller, err := f.caller(env, now)
	if err != nil {
		return err
	}
	s, err := read(cmd, env, f.spec)
	if err != nil {
		return err
	}
	table, findings := finding.Compile(s, false)
	if finding.Has(findings) {
		_, _, err := compile(env, s)
		return err
	}
	for _, note := range caller.Notes {
		fmt.Fprintf(env.Err, "note: %s\n", terminal.Printable(note))
	}
	judge := explain.Judge{Source: s, Table: table, Now: now}
	rows := listing.New(s, findings).Rows
	if f.all {
		verdicts, err := judge.All(cmd.Context(), rows, caller)
		if err != nil {
			return err
		}
		if f.output.value == "json" {
			return explain.WriteAllJSON(env.Out, verdicts)
		}
		return explain.WriteTable(env.Out, verdicts, terminal.PainterFor(env.Out, env.Getenv))
	}
	return f.explain(cmd, env, judge, rows, caller, args[0])
}

// explain explains one procedure.
func (f *explainFlags) explain(cmd *cobra.Command, env Env, judge explain.Judge, rows []listing.Row, caller explain.Caller, procedure string) error {
	row, err := explain.Find(rows, procedure)
	if err != nil {
		return err
	}
	if f.request != "" {
		data, err := readOperand(env, "--request", f.request)
		if err != nil {
			return err
		}
		if judge.Message, err = judge.Source.Request(row.Service, row.Method, data); err != nil {
			return fmt.Errorf("--request %s: %w", f.request, err)
		}
	}
	verdict, err := judge.Explain(cmd.Context(), row, caller)
	if err != nil {
		return err
	}
	return f.write(env, verdict)
}

// write writes a verdict and returns its exit code.
func (f *explainFlags) write(env Env, verdict explain.Verdict) error {
	write := func(w io.Writer) error { return verdict.WriteText(w, terminal.PainterFor(w, env.Getenv)) }
	if f.output.value == "json" {
		write = verdict.WriteJSON
	}
	if err := write(env.Out); err != nil {
		return err
	}
	switch verdict.Answer {
	case explain.Yes:
		return nil
	case explain.Unjudged:
		return exitError{ExitUnjudged}
	default:
		return exitError{ExitNo}
	}
}

// caller returns whom the flags describe.
func (f *explainFlags) caller(env Env, now time.Time) (explain.Caller, error) {
	switch {
	case f.hasScopes:
		caller, err := explain.FromScopes(f.scopes)
		if err != nil {
			return caller, fmt.Errorf("--scopes: %w", err)
		}
		return caller, nil
	case f.claims == "":
		return explain.Caller{}, nil
	}
	data, err := readOperand(env, "--claims", f.claims)
	if err != nil {
		return explain.Caller{}, err
	}
	caller, err := explain.FromClaims(data, now)
	if err != nil {
		return caller, fmt.Errorf("--claims %s: %w", f.claims, err)
	}
	return caller, nil
}

// maxOperand bounds the size of claims and messages.
const maxOperand = 16 << 20

// readOperand reads a file, or the standard input if its name is "-".
func readOperand(env Env, flag, path string) ([]byte, error) {
	in := env.In
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // The user names what is read.
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s %s: there is no such file", flag, path)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		defer file.Close() //nolint:errcheck // It was read.
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxOperand+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", flag, err)
	case len(data) > maxOperand:
		return nil, fmt.Errorf("%s %s: is larger than %d MiB", flag, path, maxOperand>>20)
	default:
		return data, nil
	}
}
