package otel_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/otel"
)

// A server has exporters to a collector in place of these, which keep spans and
// metrics in memory.
func ExampleNew() {
	spans, metrics := tracetest.NewInMemoryExporter(), metric.NewManualReader()
	observer, err := otel.New(otel.Config{
		TracerProvider: trace.NewTracerProvider(trace.WithSyncer(spans)),
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(metrics)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: rpctest.Resource, AuthorizationServers: []string{rpctest.Issuer}}},
		Policy:    rpctest.Policy(),
		Verifier:  new(rpctest.Verifier),
		Observers: []drawbridge.Observer{observer},
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(connectauth.Guard(authorizer, http.NotFoundHandler()))
	defer server.Close()

	// A caller with a trace and without a token.
	req, _ := http.NewRequest(http.MethodPost, server.URL+"/drawbridge.test.v1.GuardedService/Unary", http.NoBody)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	res, err := server.Client().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	res.Body.Close()

	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name, "in trace", span.SpanContext.TraceID())
		for _, attribute := range span.Attributes {
			fmt.Println(" ", attribute.Key, attribute.Value)
		}
	}
	var collected metricdata.ResourceMetrics
	_ = metrics.Collect(context.Background(), &collected)
	for _, m := range collected.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name, m.Unit)
	}
	// Output:
	// drawbridge.decision in trace 0af7651916cd43dd8448eb211c80319c
	//   drawbridge.outcome denied
	//   drawbridge.service drawbridge.test.v1.GuardedService
	//   error.type no_credentials
	//   rpc.method drawbridge.test.v1.GuardedService/Unary
	//   drawbridge.resource https://api.example.com
	// drawbridge.decisions {decision}
	// drawbridge.decision.duration s
}
