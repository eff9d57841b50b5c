package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type pflagFlag = pflag.Flag

// A choice is a flag that has one of several values.
type choice struct {
	value   string
	choices []string
}

// addOutput adds -o, whose default is the first choice.
func addOutput(cmd *cobra.Command, choices ...string) *choice {
	c := &choice{choices[0], choices}
	cmd.Flags().VarP(c, "output", "o", "write "+strings.Join(choices, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// String returns the value.
func (c *choice) String() string { return c.value }

// Type names the values in the help.
func (*choice) Type() string { return "FORMAT" }

// Set sets the value.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.choices, value) {
		return fmt.Errorf("it is one of %s", strings.Join(c.choices, ", "))
	}
	c.value = value
	return nil
}
