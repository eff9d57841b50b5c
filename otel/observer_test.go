package otel_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/otel"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// denied returns a change that denies.
func denied(reason challenge.Reason) func(*drawbridge.Decision) {
	return func(d *drawbridge.Decision) {
		d.Allowed, d.Reason, d.Sentence = false, reason, reason.Message()
	}
}

// TestMetrics: each decision is counted under what it was about, and none of the
// values is of the caller's making.
func TestMetrics(t *testing.T) {
	t.Parallel()
	const service = "drawbridge.service=" + rpctest.GuardedService
	for _, tt := range []struct {
		name            string
		decision        drawbridge.Decision
		count, duration string // "" means none
	}{
		{
			"let in", allowed(),
			"drawbridge.outcome=allowed " + service + " rpc.method=" + guarded[1:],
			"drawbridge.outcome=allowed " + service,
		},
		{
			"denied", allowed(denied(challenge.ReasonInsufficientScope)),
			"drawbridge.outcome=denied " + service + " error.type=insufficient_scope rpc.method=" + guarded[1:],
			"drawbridge.outcome=denied " + service + " error.type=insufficient_scope",
		},
		{
			"a made-up procedure", allowed(denied(challenge.ReasonNotFound), func(d *drawbridge.Decision) { d.Procedure, d.Service, d.HasMethod = "/made.up/Name", "", false }),
			"drawbridge.outcome=denied error.type=not_found rpc.method=_OTHER",
			"drawbridge.outcome=denied error.type=not_found",
		},
		{
			"a made-up method of a service", allowed(func(d *drawbridge.Decision) {
				d.Procedure, d.HasMethod = "/"+rpctest.GuardedService+"/MadeUp", false
			}),
			"drawbridge.outcome=allowed " + service + " rpc.method=_OTHER",
			"drawbridge.outcome=allowed " + service,
		},
		{
			"a service without a descriptor", allowed(func(d *drawbridge.Decision) { d.Procedure, d.HasMethod, d.Service = "/a.v1.A/MadeUp", false, "a.v1.A" }),
			"drawbridge.outcome=allowed drawbridge.service=a.v1.A rpc.method=_OTHER",
			"drawbridge.outcome=allowed drawbridge.service=a.v1.A",
		},
		{
			"plain HTTP", allowed(func(d *drawbridge.Decision) { d.Procedure, d.Method, d.Path = "", "GET", "/made/up" }),
			"drawbridge.outcome=allowed " + service + " http.request.method=GET",
			"drawbridge.outcome=allowed " + service,
		},
		{
			"plain HTTP without a method", allowed(func(d *drawbridge.Decision) { d.Procedure = "" }),
			"drawbridge.outcome=allowed " + service + " http.request.method=POST",
			"drawbridge.outcome=allowed " + service,
		},
		{
			"a made-up HTTP method", allowed(func(d *drawbridge.Decision) { d.Procedure, d.Method = "", "get" }),
			"drawbridge.outcome=allowed " + service + " http.request.method=_OTHER",
			"drawbridge.outcome=allowed " + service,
		},
		{
			"outside of a decision", allowed(denied(challenge.ReasonInvalidToken), func(d *drawbridge.Decision) { d.Start, d.Duration = time.Time{}, 0 }),
			"drawbridge.outcome=denied " + service + " error.type=invalid_token rpc.method=" + guarded[1:],
			"",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSDK()
			o := s.observer(t, func(cfg *otel.Config) { cfg.Identity = true })
			for range 2 {
				o.ObserveDecision(t.Context(), tt.decision)
			}
			found := s.metrics(t)
			if got, want := found["drawbridge.decisions"], []string{"2 " + tt.count}; !slices.Equal(got, want) {
				t.Errorf("counted\n%q\nwant\n%q", got, want)
			}
			want := []string{"2 " + tt.duration}
			if tt.duration == "" {
				want = nil
			}
			if got := found["drawbridge.decision.duration"]; !slices.Equal(got, want) {
				t.Errorf("took\n%q\nwant\n%q", got, want)
			}
		})
	}
}

// TestInstruments: names, units and buckets.
func TestInstruments(t *testing.T) {
	t.Parallel()
	s := newSDK()
	s.observer(t).ObserveDecision(t.Context(), allowed())
	units := make(map[string]string)
	for _, m := range s.collect(t) {
		units[m.Name] = m.Unit
		if m.Description == "" {
			t.Errorf("%s has no description", m.Name)
		}
		if data, ok := m.Data.(metricdata.Histogram[float64]); ok {
			point := data.DataPoints[0]
			if !slices.IsSorted(point.Bounds) || point.Bounds[0] > 1e-6 || point.Bounds[len(point.Bounds)-1] < 10 {
				t.Errorf("%s has the bounds %v", m.Name, point.Bounds)
			}
			if point.Sum != 0.001 {
				t.Errorf("%s is %v s after a decision of 1 ms", m.Name, point.Sum)
			}
		}
	}
	if got, want := fmt.Sprint(units), "map[drawbridge.decision.duration:s drawbridge.decisions:{decision}]"; got != want {
		t.Errorf("units:\n got %s\nwant %s", got, want)
	}
}

// TestCardinality: however many names callers make up, the metrics do not grow,
// and no span shows one. A service without a descriptor has a rule for any method.
func TestCardinality(t *testing.T) {
	t.Parallel()
	const calls, open = 300, "a.v1.A"
	s := newSDK()
	world := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Policy.Services[open] = policy.Service{Rule: policy.Rule{Public: true}, NoDescriptor: true}
		cfg.Observers = []drawbridge.Observer{s.observer(t, func(cfg *otel.Config) { cfg.Identity = true })}
	})
	for i := range calls {
		for _, procedure := range []string{
			fmt.Sprintf("/%s/MadeUp%d", open, i), fmt.Sprintf("/%s/MadeUp%d", rpctest.GuardedService, i), fmt.Sprintf("/MadeUp%d.v1/X", i), fmt.Sprintf("MadeUp%d", i),
		} {
			_, _ = world.Authorize(t.Context(), drawbridge.Request{Procedure: procedure})
		}
		_, _ = world.Authorize(t.Context(), drawbridge.Request{
			Service: rpctest.GuardedService, Method: fmt.Sprintf("MadeUp%d", i), Path: fmt.Sprintf("/MadeUp%d", i),
		})
	}
	found := s.metrics(t)
	if points := found["drawbridge.decisions"]; len(points) != 3 {
		t.Errorf("%d data points:\n%s", len(points), strings.Join(points, "\n"))
	}
	texts := found["drawbridge.decisions"]
	for _, span := range s.spans.Ended() {
		texts = append(texts, span.Name(), write(span.Attributes()))
	}
	if len(texts) < calls {
		t.Fatalf("only %d texts", len(texts))
	}
	for _, text := range texts {
		if strings.Contains(text, "MadeUp") {
			t.Fatalf("recorded %s", text)
		}
	}
}

// TestGlobal: the zero Config uses the global providers, also those that are set
// later. No other test does.
func TestGlobal(t *testing.T) {
	o, err := otel.New(otel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	o.ObserveDecision(context.Background(), allowed(denied(challenge.ReasonNoCredentials)))
	s := newSDK()
	otelapi.SetTracerProvider(s.traces)
	otelapi.SetMeterProvider(s.meters)
	o.ObserveDecision(context.Background(), allowed(denied(challenge.ReasonNoCredentials)))
	if got := len(s.spans.Ended()); got != 1 {
		t.Errorf("%d spans", got)
	}
	if got := s.metrics(t)["drawbridge.decisions"]; len(got) != 1 || !strings.HasPrefix(got[0], "1 ") {
		t.Errorf("counted %q", got)
	}
}
