// Command providers calls servers that drawbridge guards with tokens of an
// authorization server that others wrote. The script run starts that.
//
//	go run ./clients/providers -new > site.json
//	go run ./clients/providers -site site.json oidc-provider
//
// The first picks the addresses, and the second makes the checks. It prints a line for
// each, and exits with 1 if one fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// limit bounds a run. One takes a few seconds.
const limit = 2 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	isNew := flag.Bool("new", false, "print a new site file")
	name := flag.String("site", "", "the site `file`")
	flag.Parse()
	err := run(ctx, os.Stdout, *isNew, *name, flag.Arg(0))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, isNew bool, name, provider string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if isNew {
		s, err := newSite(ctx)
		if err != nil {
			return err
		}
		return s.write(out)
	}
	place, err := readSite(name)
	if err != nil {
		return err
	}
	s := &suite{site: place, out: out}
	switch provider {
	case "oidc-provider":
		err = s.test(ctx, s.Issuer+"/.well-known/openid-configuration", s.testOIDCProvider, func() (*resources, error) {
			return s.serve(ctx, s.oidcProvider(), "person", "session")
		})
	case "hydra":
		err = s.test(ctx, s.Admin+"/health/ready", s.testHydra, func() (*resources, error) {
			return s.serve(ctx, s.hydra(), "person-jwt")
		})
	case "hydra-config":
		return s.writeHydraConfig(out)
	default:
		return fmt.Errorf("the provider is %q, expected oidc-provider or hydra", provider)
	}
	if err == nil && s.failed > 0 {
		err = fmt.Errorf("%s: %d checks failed", provider, s.failed)
	}
	return err
}

// test waits for a provider, starts the servers, and runs the checks.
func (s *suite) test(ctx context.Context, health string, checks func(context.Context), serve func() (*resources, error)) error {
	if err := s.await(ctx, health); err != nil {
		return err
	}
	started, err := serve()
	if err != nil {
		return err
	}
	defer started.close()
	s.resources = started
	checks(ctx)
	return ctx.Err()
}

// await waits until an address answers with 200.
func (s site) await(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err == nil {
			_, err = exchange(s.client(nil), req, nil)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("no answer from %s", address), err)
		case <-time.After(interval):
		}
	}
}
