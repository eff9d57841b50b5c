// Command soak checks the decisions of drawbridge against an oracle, under load.
//
// One process holds an issuer, the servers and their clients: Connect, gRPC and
// gRPC-Web behind the guard of connectauth, grpc-go, plain HTTP handlers and MCP
// endpoints, all on loopback. Meanwhile the policy is reloaded, the verifier is
// replaced, keys are rotated and withdrawn, the issuer fails in several ways, and
// tokens expire, also those of streams that are open.
//
// The oracle knows the facts of each token, the policies that were in force during
// the call, and the key sets that the verifier had received. It asks drawbridge
// nothing. A call that meets a change may have the outcome before or after it, and
// no third one. The outcome includes the subject that the handler saw, the scopes
// that a challenge named, and whether a handler ran.
//
// The command fails if a decision is wrong, if the heap or the number of goroutines
// grows above a bound between a tenth of the run and its end, or if goroutines are
// left when everything is closed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	o := options{every: 10 * time.Second, pace: defaultPace, patience: 30 * time.Second, streams: 8}
	code := command(ctx, o, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

// command returns the exit code. An interrupted soak reports what it has seen.
func command(ctx context.Context, o options, args []string, out io.Writer) int {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.DurationVar(&o.duration, "duration", 2*time.Minute, "how long the soak runs at most")
	flags.Int64Var(&o.calls, "calls", 0, "how many calls end the soak; 0 means no limit")
	flags.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "what calls and events are drawn from; by default the time")
	flags.IntVar(&o.workers, "workers", 2*runtime.NumCPU(), "concurrent calls, besides the streams that outlive their tokens")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if o.duration < time.Second || o.workers < 1 || o.calls < 0 || flags.NArg() > 0 {
		fmt.Fprintln(out, "soak: the duration is a second at least, there is one worker at least, and there are no arguments")
		return 2
	}
	if err := soak(ctx, o, out); err != nil {
		fmt.Fprintln(out, "soak:", err)
		return 1
	}
	return 0
}
