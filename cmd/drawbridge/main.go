// Command drawbridge reads, checks, explains and compares the access policies of Connect
// and gRPC servers. See drawbridge -h.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, cli.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Now: time.Now}, os.Args[1:]...)
	stop()
	os.Exit(code)
}
