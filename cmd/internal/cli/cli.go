// Package cli is the command line of the drawbridge command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/spf13/cobra"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/terminal"
)

// The exit codes of every command. What no means is said in the help of each.
const (
	ExitYes      = 0
	ExitNo       = 1
	ExitUsage    = 2
	ExitUnjudged = 3
)

// An Env is what the commands have of the process.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	Now      func() time.Time
}

// Run runs a command and returns its exit code. It never panics.
func Run(ctx context.Context, env Env, args ...string) (code int) {
	defer func() {
		if cause := recover(); cause != nil {
			fmt.Fprintf(env.Err, "drawbridge: this is a bug of drawbridge, please report it: %s\n", terminal.Printable(fmt.Sprint(cause)))
			code = ExitUsage
		}
	}()
	root := newRoot(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit exitError
	switch {
	case err == nil:
		return ExitYes
	case errors.As(err, &exit):
		return exit.code
	case ctx.Err() != nil:
		fmt.Fprintln(env.Err, "drawbridge: interrupted")
		return ExitUsage
	default:
		report(env.Err, err)
		return ExitUsage
	}
}

// report writes an error, a line for each fault in it.
func report(w io.Writer, err error) {
	for _, f := range finding.OfError(err) {
		fmt.Fprintln(w, terminal.Printable(f.String()))
	}
	for line := range strings.SplitSeq(withoutFaults(err), "\n") {
		if line != "" {
			fmt.Fprintf(w, "drawbridge: %s\n", terminal.Printable(line))
		}
	}
}

// withoutFaults is the text of an error without the faults that it joins.
func withoutFaults(err error) string {
	if _, ok := errors.AsType[*fault.Fault](err); !ok {
		return err.Error()
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return ""
	}
	var texts []string
	for _, part := range joined.Unwrap() {
		if text := withoutFaults(part); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}

// An exitError ends the command with a code after all was said.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// newRoot returns the command and all below it.
func newRoot(env Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "drawbridge",
		Short: "Read, check, explain and compare the access policies of RPC servers",
		Long: `drawbridge reads the access policy of a Connect or gRPC server: what each RPC
requires of its caller, as options in protobuf files and in a policy file. It shows
the policy as a table, checks it, explains a decision, and compares two policies.

Results go to the standard output, and everything else to the standard error.

Exit codes:
  0  yes, or nothing was found
  1  no, or something was found
  2  the command cannot be carried out as it was given
Each command says more.`,
		Example: `  drawbridge policy show --proto proto
  drawbridge policy check --proto proto --file policy.yaml
  drawbridge policy explain /orders.v1.OrderService/GetOrder --proto proto --scopes orders:read
  drawbridge policy diff old/proto proto`,
		Args:          cobra.NoArgs,
		RunE:          help,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nsee %s -h", err, cmd.CommandPath())
	})
	root.AddCommand(newPolicy(env), newVersion(env))
	root.InitDefaultCompletionCmd()
	return root
}

// newPolicy returns the commands about policies.
func newPolicy(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show, check, explain and compare policies",
		Long: `The commands about policies: what each RPC requires of its caller.

A policy is read from the options (drawbridge.v1.service) and (drawbridge.v1.method)
in protobuf files, which are compiled here (--proto), in an image (--image) or in the
descriptors of a running server (--reflect), and from a policy file (--file). A rule in
a file overrides the one of the same service or method in the options.`,
		Example: `  drawbridge policy show --proto proto -o markdown
  drawbridge policy check --proto proto --file policy.yaml -o sarif`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.AddCommand(newShow(env), newCheck(env), newExplain(env), newDiff(env))
	return cmd
}

// help shows the help of a command that does nothing by itself.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }
