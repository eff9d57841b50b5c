package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

func newDrawbridge(b *testing.B, methods int) *peers.Drawbridge {
	b.Helper()
	d, err := peers.NewDrawbridge(authtest.NewIssuer(b), methods)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := d.Authorizer.Authorize(b.Context(), known(d.Token)); err != nil {
		b.Fatal(err)
	}
	return d
}

func known(raw string) drawbridge.Request {
	r := &http.Request{Host: "api.example.com", URL: &url.URL{Path: peers.Method}, Header: http.Header{"Authorization": {"Bearer " + raw}}}
	req := drawbridge.HTTPRequest(r)
	req.Procedure = peers.Method
	return req
}

// BenchmarkDecision is a decision alone. No peer has one.
func BenchmarkDecision(b *testing.B) {
	for _, methods := range []int{1, 100, 10_000} {
		d := newDrawbridge(b, methods)
		r := &http.Request{Host: "api.example.com", Header: http.Header{"Authorization": {"Bearer " + d.Token}}}
		b.Run(fmt.Sprintf("known/%d-methods/drawbridge", methods), func(b *testing.B) { decide(b, d.Authorizer, r, true) })
		if methods == 1 {
			b.Run("denied/drawbridge", func(b *testing.B) { decide(b, d.Authorizer, &http.Request{Host: "api.example.com"}, false) })
		}
	}
}

func decide(b *testing.B, a *drawbridge.Authorizer, r *http.Request, allowed bool) {
	b.Helper()
	r.URL = &url.URL{Path: peers.Method}
	req := drawbridge.HTTPRequest(r)
	req.Procedure = peers.Method
	adapter := a.Adapter()
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		var caller drawbridge.Caller
		if denial := adapter.Decide(ctx, &req, &caller); (denial == nil) != allowed {
			b.Fatal(denial)
		}
	}
}

// BenchmarkReload is the tail of the latency of a decision, with and without a
// reload of 100 methods every millisecond. Reading the clock twice is a part of it.
func BenchmarkReload(b *testing.B) {
	d := newDrawbridge(b, 100)
	for _, name := range []string{"quiet", "reloading"} {
		b.Run(name+"/drawbridge", func(b *testing.B) {
			stop := make(chan struct{})
			var reloading sync.WaitGroup
			if name == "reloading" {
				reloading.Go(func() { reload(b, d, stop) })
			}
			measureTail(b, d)
			close(stop)
			reloading.Wait()
		})
	}
}

func reload(b *testing.B, d *peers.Drawbridge, stop <-chan struct{}) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if err := d.Authorizer.Reconfigure(d.Config); err != nil {
				b.Error(err)
			}
		}
	}
}

func measureTail(b *testing.B, d *peers.Drawbridge) {
	b.Helper()
	req := known(d.Token)
	adapter := d.Authorizer.Adapter()
	took := make([]time.Duration, 0, 1<<20)
	for b.Loop() {
		begin := time.Now()
		var caller drawbridge.Caller
		if denial := adapter.Decide(b.Context(), &req, &caller); denial != nil {
			b.Error(denial)
		}
		if len(took) < cap(took) {
			took = append(took, time.Since(begin))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*999/1000]), "p99.9-ns")
}
