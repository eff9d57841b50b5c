package otel_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/otel"
)

// sdk is the SDK of OpenTelemetry, which keeps what it gets in memory.
type sdk struct {
	spans  *tracetest.SpanRecorder
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	meters *sdkmetric.MeterProvider
}

func newSDK(options ...sdktrace.TracerProviderOption) *sdk {
	s := &sdk{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	s.traces = sdktrace.NewTracerProvider(append(options, sdktrace.WithSpanProcessor(s.spans))...)
	s.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader))
	return s
}

// observer returns an Observer that records with s.
func (s *sdk) observer(tb testing.TB, changes ...func(*otel.Config)) *otel.Observer {
	tb.Helper()
	cfg := otel.Config{TracerProvider: s.traces, MeterProvider: s.meters}
	for _, change := range changes {
		change(&cfg)
	}
	o, err := otel.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// metrics returns the data points by the name of the instrument, each as its
// attributes and how often it was recorded.
func (s *sdk) metrics(tb testing.TB) map[string][]string {
	tb.Helper()
	found := make(map[string][]string)
	for _, m := range s.collect(tb) {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				found[m.Name] = append(found[m.Name], fmt.Sprint(point.Value, " ", write(point.Attributes.ToSlice())))
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				found[m.Name] = append(found[m.Name], fmt.Sprint(point.Count, " ", write(point.Attributes.ToSlice())))
			}
		default:
			tb.Fatalf("%s is a %T", m.Name, m.Data)
		}
	}
	for name := range maps.Keys(found) {
		slices.Sort(found[name])
	}
	return found
}

func (s *sdk) collect(tb testing.TB) []metricdata.Metrics {
	tb.Helper()
	var collected metricdata.ResourceMetrics
	if err := s.reader.Collect(context.Background(), &collected); err != nil {
		tb.Fatal(err)
	}
	var found []metricdata.Metrics
	for _, scope := range collected.ScopeMetrics {
		found = append(found, scope.Metrics...)
	}
	return found
}

// write returns attributes as text, sorted.
func write(attributes []attribute.KeyValue) string {
	slices.SortFunc(attributes, func(a, b attribute.KeyValue) int { return cmp.Compare(a.Key, b.Key) })
	var words []string
	for _, a := range attributes {
		words = append(words, string(a.Key)+"="+a.Value.String())
	}
	return strings.Join(words, " ")
}

// The spans of callers.
var (
	sampled = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
	unsampled = sampled.WithTraceFlags(0)
)

// start is when the decisions of the tests begin.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const guarded = "/" + rpctest.GuardedService + "/" + rpctest.Unary

// allowed returns a decision that lets a call in, changed.
func allowed(changes ...func(*drawbridge.Decision)) drawbridge.Decision {
	d := drawbridge.Decision{
		Allowed: true, Procedure: guarded, HasMethod: true, Path: guarded, Service: rpctest.GuardedService, Resource: rpctest.Resource,
		Issuer: rpctest.Issuer, Subject: "ada", ClientID: "agent", Peer: "192.0.2.1:4711",
		RequiredScopes: []string{rpctest.ScopeWrite}, GrantedScopes: []string{rpctest.ScopeWrite},
		Start: start, Duration: time.Millisecond,
	}
	for _, change := range changes {
		change(&d)
	}
	return d
}

// exemplars returns the ids of the spans that the metrics lead to.
func (s *sdk) exemplars(tb testing.TB) [][]byte {
	tb.Helper()
	var found [][]byte
	for _, m := range s.collect(tb) {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				for _, exemplar := range point.Exemplars {
					found = append(found, exemplar.SpanID)
				}
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				for _, exemplar := range point.Exemplars {
					found = append(found, exemplar.SpanID)
				}
			}
		}
	}
	return found
}
