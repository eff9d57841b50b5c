// Command echo compares servers over loopback: an echo service, bare and behind
// drawbridge and its peers, on Connect over HTTP/1.1 and h2c and on grpc-go.
//
// Each server is a process of its own. In every round each one gets the same
// number of calls, in an order that is shuffled anew, and its throughput is
// divided by that of the bare server of the round. A second bare server is the
// control: its ratio shows how much of a difference is noise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

func main() {
	serve := flag.String("serve", "", "serve one variant; used by the command itself")
	rounds := flag.Int("rounds", 100, "number of rounds")
	calls := flag.Int("calls", 1000, "calls of a server in a round")
	workers := flag.Int("workers", 8, "concurrent calls")
	only := flag.String("only", "", "measure the transports whose name begins like this")
	flag.Parse()
	ctx := context.Background()
	var err error
	if *serve != "" {
		err = serveVariant(ctx, *serve)
	} else {
		err = compare(ctx, *only, *rounds, *calls, *workers)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

// compare measures every transport and prints a table.
func compare(ctx context.Context, only string, rounds, calls, workers int) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "transport\tserver\tthroughput / bare\tquartiles\tCPU of the server / bare\n")
	for _, transport := range transports {
		if !strings.HasPrefix(transport.name, only) {
			continue
		}
		if err := compareTransport(ctx, table, transport, rounds, calls, workers); err != nil {
			return fmt.Errorf("%s: %w", transport.name, err)
		}
	}
	return table.Flush()
}

// sample is what one round says of a server.
type sample struct{ throughput, cpu float64 }

func compareTransport(ctx context.Context, table *tabwriter.Writer, transport transport, rounds, calls, workers int) error {
	servers, err := startAll(ctx, transport)
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	samples := make([][]sample, len(servers))
	for round := range rounds + 1 {
		measured := make([]sample, len(servers))
		for _, i := range rand.Perm(len(servers)) { //nolint:gosec // An order to measure in is no secret.
			var err error
			if measured[i], err = measure(ctx, servers[i], calls, workers); err != nil {
				return fmt.Errorf("%s: %w", transport.variants[i], err)
			}
		}
		if round == 0 {
			continue // Connections are made and keys fetched.
		}
		for i := range servers {
			samples[i] = append(samples[i], sample{
				throughput: measured[i].throughput / measured[0].throughput,
				cpu:        measured[i].cpu,
			})
		}
	}
	bare := totalCPU(samples[0])
	for i, variant := range transport.variants[1:] {
		low, median, high := quartiles(samples[i+1])
		fmt.Fprintf(table, "%s\t%s\t%.3f\t%.3f … %.3f\t%.3f\n", transport.name, variant, median, low, high, totalCPU(samples[i+1])/bare)
	}
	return nil
}

// startAll starts a server for each variant. It returns those that run also if
// one does not.
func startAll(ctx context.Context, transport transport) (servers []*server, err error) {
	for _, variant := range transport.variants {
		s, err := start(ctx, transport, variant)
		if err != nil {
			return servers, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// measure makes the calls of a round.
func measure(ctx context.Context, s *server, calls, workers int) (sample, error) {
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	var left atomic.Int64
	left.Store(int64(calls))
	faults := make([]error, workers, workers+1)
	var group sync.WaitGroup
	begin := time.Now()
	for i := range workers {
		group.Go(func() {
			for left.Add(-1) >= 0 && faults[i] == nil {
				faults[i] = s.call(ctx)
			}
		})
	}
	group.Wait()
	elapsed := time.Since(begin)
	after, err := s.cpu()
	return sample{throughput: float64(calls) / elapsed.Seconds(), cpu: after - before}, errors.Join(append(faults, err)...)
}

func quartiles(samples []sample) (low, median, high float64) {
	ratios := make([]float64, len(samples))
	for i, s := range samples {
		ratios[i] = s.throughput
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/4], ratios[len(ratios)/2], ratios[len(ratios)*3/4]
}

func totalCPU(samples []sample) (total float64) {
	for _, s := range samples {
		total += s.cpu
	}
	return total
}
