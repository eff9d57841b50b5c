// Command early shows that refusals reach their clients over HTTP/2 although the
// requests have bodies that the server does not want. It starts servers that refuse
// every call, nginx and haproxy in front of one, and calls them with curl and with
// the Go clients of each protocol. It counts the responses that are lost, and exits
// with 1 if there are any.
//
//	go run ./clients/early
//
// It needs curl, nginx and haproxy in the path.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

// timeout is that of one call. No client may hang.
const timeout = 5 * time.Second

func main() {
	calls := flag.Int("calls", 300, "calls of each row")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	lost, err := run(ctx, os.Stdout, *calls)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || lost > 0 {
		os.Exit(1)
	}
}

// A row is a way to the server, and what comes that way.
type row struct {
	name      string
	call      func(ctx context.Context, base string, p protocol, size int) error
	base      string
	protocols []protocol
	sizes     []int
}

// The last of the sizes is over what the server reads, so the status of gRPC, which
// comes last, may be lost there.
var (
	sizes      = []int{2, 60_000, 250_000}
	withLarge  = []int{2, 60_000, 250_000, 2_000_000}
	everything = []protocol{plain, connectUnary, grpcCall, grpcWeb}
	overHTTP   = []protocol{plain, connectUnary, grpcWeb}
)

func run(ctx context.Context, w io.Writer, calls int) (lost int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	direct, err := serve(ctx, guarded)
	if err != nil {
		return 0, err
	}
	handled, err := serve(ctx, bridged)
	if err != nil {
		return 0, err
	}
	front, wait, err := startProxies(ctx, strings.TrimPrefix(direct, "http://"))
	defer wait()
	defer cancel()
	if err != nil {
		return 0, err
	}
	for _, r := range []row{
		{"curl", callCurl, direct, []protocol{plain, connectUnary}, withLarge},
		{"curl", callCurl, direct, []protocol{grpcCall, grpcWeb}, sizes},
		{"curl, Handler", callCurl, handled, []protocol{plain, connectUnary}, withLarge},
		{"curl, Handler", callCurl, handled, []protocol{grpcCall, grpcWeb}, sizes},
		{"Go", callGo, direct, everything, withLarge},
		{"Go, Handler", callGo, handled, everything, withLarge},
		{"Go, nginx grpc_pass", callGo, front.nginxGRPC, []protocol{grpcCall}, sizes},
		{"Go, nginx proxy_pass", callGo, front.nginxHTTP, overHTTP, sizes},
		{"Go, haproxy", callGo, front.haproxy, everything, sizes},
	} {
		for _, p := range r.protocols {
			for _, size := range r.sizes {
				n := r.count(ctx, w, p, size, calls)
				lost += n
				if ctx.Err() != nil {
					return lost, ctx.Err()
				}
			}
		}
	}
	return lost, nil
}

// count makes calls one after the other, and prints and returns how many responses
// were lost.
func (r *row) count(ctx context.Context, w io.Writer, p protocol, size, calls int) (lost int) {
	var last error
	start := time.Now()
	for range calls {
		call, cancel := context.WithTimeout(ctx, timeout)
		if err := r.call(call, r.base, p, size); err != nil {
			lost, last = lost+1, err
		}
		cancel()
	}
	fmt.Fprintf(w, "%-21s %-8s %9d B %4d lost of %d, %v each", r.name, p, size, lost, calls, time.Since(start).Round(time.Microsecond)/time.Duration(calls))
	if last != nil {
		fmt.Fprintf(w, " (%.200v)", last)
	}
	fmt.Fprintln(w)
	return lost
}
