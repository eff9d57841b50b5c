package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"

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
