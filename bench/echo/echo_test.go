package main

import (
	"net"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

// TestVariants: every server lets the token in.
func TestVariants(t *testing.T) {
	t.Parallel()
	d, err := peers.NewDrawbridge(authtest.NewIssuer(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, transport := range transports {
		for _, variant := range transport.variants {
			t.Run(transport.name+" "+variant, func(t *testing.T) {
				t.Parallel()
				call, err := transport.dial(announcement{listen(t, d, transport.name, variant), d.Token})
				if err != nil {
					t.Fatal(err)
				}
				if err := call(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestQuartiles(t *testing.T) {
	t.Parallel()
	var samples []sample
	for i := range 100 {
		samples = append(samples, sample{throughput: float64(99 - i), cpu: time.Millisecond.Seconds()})
	}
	if low, median, high := quartiles(samples); low != 25 || median != 50 || high != 75 {
		t.Errorf("got %v, %v, %v", low, median, high)
	}
	if total := totalCPU(samples); total < 0.0999 || total > 0.1001 {
		t.Errorf("CPU: got %v", total)
	}
}

// listen serves a variant for the length of the test.
func listen(t *testing.T, d *peers.Drawbridge, transport, variant string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server interface {
		Serve(listener net.Listener) error
	}
	if transport == "grpc" {
		running := grpcServer(d, variant)
		t.Cleanup(running.Stop)
		server = running
	} else {
		running := connectServer(d, variant)
		t.Cleanup(func() { _ = running.Close() })
		server = running
	}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String()
}
