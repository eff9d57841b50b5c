// Quickstart shows drawbridge at work, in one process on loopback with nothing
// to configure: an authorization server, a Connect server, a grpc-go server and
// an MCP endpoint whose tools call the same services.
//
//	go run ./quickstart
//
// acts as a client: it prints every step, checks what it prints, and exits with 0
// if every step had the expected outcome.
//
//	go run ./quickstart -serve -listen 127.0.0.1:8080
//
// serves until SIGINT or SIGTERM. Its first and only line on stdout is a JSON object
// with the addresses of the servers and the clients that may request tokens. Logs
// go to stderr. A policy file is followed while it changes, and read again on SIGHUP:
//
//	go run ./quickstart -serve -policy policy.yaml
//
// Behind a reverse proxy, -origin is the URL of the proxy:
//
//	go run ./quickstart -serve -listen 127.0.0.1:8080 -origin https://api.example.com
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is main with its environment as arguments. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	serving := flags.Bool("serve", false, "keep serving until SIGINT or SIGTERM instead of walking through")
	listen := flags.String("listen", "127.0.0.1:0", "loopback `address` of the Connect server and the MCP endpoint; port 0 picks a free one")
	policyFile := flags.String("policy", "", "`file` with a policy that overrides the rules in the protobuf files, followed while it changes; empty means a copy of the one of the example")
	origin := flags.String("origin", "", "`URL` that clients use, without a path, where it is that of a reverse proxy in front of -listen")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "quickstart: unexpected argument %q\n", flags.Arg(0))
		return 2
	}

	// The walk-through prints the denials itself; a server logs them.
	level := slog.LevelError
	if *serving {
		level = slog.LevelInfo
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(logger) // op logs there

	s, err := open(ctx, *listen, *origin, *policyFile, logger)
	if err != nil {
		fmt.Fprintf(stderr, "quickstart: %v\n", err)
		return 1
	}
	if *serving {
		err = serve(ctx, s, stdout)
	} else {
		err = walk(ctx, s.announcement(), s.policyFile, newNarrator(stdout))
	}
	if err = errors.Join(err, s.close()); err != nil {
		fmt.Fprintf(stderr, "quickstart: %v\n", err)
		return 1
	}
	return 0
}
