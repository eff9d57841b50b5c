// Command proxies serves resources as they are behind reverse proxies: with a path
// that the proxy keeps or strips, and with several names. It is the backend of the
// script run, which starts nginx and haproxy in front of it.
//
//	go run ./clients/proxies -origins http://127.0.0.1:8001,http://127.0.0.1:8002
//
// serves until SIGINT or SIGTERM. Its only line on stdout is a JSON object with the
// addresses of the servers, and a token endpoint that knows the client "proxies"
// with the secret "secret".
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"google.golang.org/grpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	origins := flag.String("origins", "", "comma-separated `URLs` of the proxies, without a path")
	flag.Parse()
	err := run(ctx, os.Stdout, strings.Split(*origins, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A server is an [http.Server] or a [grpc.Server].
type server interface {
	Serve(listener net.Listener) error
}

// run serves every site until ctx is done or a server fails.
func run(ctx context.Context, stdout io.Writer, origins []string) error {
	issuer := authtest.Start()
	defer issuer.Close()
	issuer.AddClient(authtest.Client{ID: "proxies", Secret: "secret"})
	servers, err := newServers(origins, issuer.URL)
	if err != nil {
		return err
	}

	ctx, fail := context.WithCancelCause(ctx)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer fail(nil)
	announcement := map[string]string{"token_endpoint": issuer.URL + "/token"}
	for name, server := range servers {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		announcement[name] = listener.Addr().String()
		serving.Go(func() {
			defer context.AfterFunc(ctx, func() { stop(server) })()
			if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
				fail(err)
			}
		})
	}
	if err := json.NewEncoder(stdout).Encode(announcement); err != nil {
		return err
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func stop(s server) {
	switch s := s.(type) {
	case *http.Server:
		_ = s.Close()
	case *grpc.Server:
		s.Stop()
	}
}
