// Command flood measures how long good tokens take while others are flooded.
//
// One goroutine verifies good tokens at a fixed rate, in turn one that the verifier
// knows and one that is new to it. In every round it does so twice: alone, and while
// bad tokens of one kind come as fast as they are refused. The kinds are tokens of an
// unknown key, tokens with a wrong signature, and opaque garbage, which the verifier
// asks an introspection endpoint about. The control makes tokens of an unknown key and
// discards them, which shows how much of the delay comes from sharing the machine.
//
// The goroutine spins between its calls, so it has a processor to itself on a machine
// with two. Issuer and endpoint are in the same process. There is no server, so the
// figures are those of Verifier.VerifyToken. A block of memory stands for the live heap
// of a server, without which the garbage collector would run all the time.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"text/tabwriter"
	"time"
)

// options are those of a run.
type options struct {
	bad         int           // bad tokens of each kind in a round
	rounds      int           // for each kind
	rate        int           // good tokens a second
	lasts       time.Duration // each half of a round, at least
	heap        int           // MiB
	concurrency int           // bad opaque tokens at one time
	latency     time.Duration // of the introspection endpoint
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := command(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

// command returns the exit code.
func command(ctx context.Context, args []string, out io.Writer) int {
	var o options
	flags := flag.NewFlagSet("flood", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&o.bad, "bad", 100_000, "bad tokens of each kind in a round, at least")
	flags.IntVar(&o.rounds, "rounds", 5, "number of rounds")
	flags.IntVar(&o.rate, "rate", 4000, "good tokens a second")
	flags.DurationVar(&o.lasts, "lasts", 2*time.Second, "how long each half of a round lasts, at least")
	flags.IntVar(&o.heap, "heap", 64, "the live heap besides, in MiB")
	flags.IntVar(&o.concurrency, "concurrency", 256, "bad opaque tokens at one time; those of other kinds come one after the other")
	flags.DurationVar(&o.latency, "latency", 5*time.Millisecond, "how long the introspection endpoint takes to answer")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if o.bad < 1 || o.rounds < 1 || o.rate < 1 || o.lasts <= 0 || o.heap < 0 || o.concurrency < 1 || o.latency < 0 || flags.NArg() > 0 {
		fmt.Fprintln(out, "flood: every number is one at least, and there are no arguments")
		return 2
	}
	if err := flood(ctx, o, out); err != nil {
		fmt.Fprintln(out, "flood:", err)
		return 1
	}
	return 0
}

// flood measures every kind and prints a table.
func flood(ctx context.Context, o options, out io.Writer) error {
	w, err := newWorld(o.latency)
	if err != nil {
		return err
	}
	defer w.close()
	heap := make([]byte, o.heap<<20)
	defer runtime.KeepAlive(heap)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "flood of\tgood tokens\tp50\tp99\tp99.9\tin the flood: p50\tp99\tp99.9\tp99 / alone\tp99 / control\tbad a second\trequests to the issuer")
	control := make(map[string]time.Duration)
	for i, k := range w.kinds(o) {
		r, err := measure(ctx, o, k)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		r.print(table, control)
		for _, c := range r.good {
			if i == 0 { // the control itself
				control[c.name] = c.flooded.quantile(0.99)
			}
		}
	}
	return table.Flush()
}
