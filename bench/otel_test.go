package bench_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/otelconnect"
	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/otel"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

// A service with a descriptor, and a caller's trace.
const (
	healthService = "grpc.health.v1.Health"
	healthCheck   = "/" + healthService + "/Check"
	traceID       = "0af7651916cd43dd8448eb211c80319c"
	traceparent   = "00-" + traceID + "-b7ad6b7169203331-01"
)

// watched is a server's side with OpenTelemetry.
type watched struct {
	authorizer *drawbridge.Authorizer
	bridge     *httpbridge.Bridge
	raw        string // a good token
	spans      *tracetest.SpanRecorder
	traces     *sdktrace.TracerProvider
	reader     *sdkmetric.ManualReader
	meters     *sdkmetric.MeterProvider
	log        journal
}

// journal holds what was logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(text []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(text)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	issuer := authtest.NewIssuer(t)
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	w.traces = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans))
	w.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.reader))
	observer, err := otel.New(otel.Config{
		TracerProvider: w.traces, MeterProvider: w.meters,
		Verifiers: []func() token.Stats{jwt.Stats},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.raw = issuer.Mint(authtest.Token{Audience: []string{peers.Resource}, Scope: peers.Scope})
	w.authorizer, err = drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: peers.Resource, AuthorizationServers: []string{issuer.URL}}},
		Policy:    policy.Policy{Services: map[string]policy.Service{healthService: {Rule: policy.Rule{Scopes: []string{peers.Scope}}}}},
		Verifier:  jwt,
		Observers: []drawbridge.Observer{observer},
		Logger:    slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.bridge, err = httpbridge.New(httpbridge.Config{Authorizer: w.authorizer})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// handler is that of the service, on connect-go.
func (w *watched) handler(options ...connect.HandlerOption) http.Handler {
	check := func(context.Context, *connect.Request[healthpb.HealthCheckRequest]) (*connect.Response[healthpb.HealthCheckResponse], error) {
		return connect.NewResponse(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}), nil
	}
	mux := http.NewServeMux()
	mux.Handle(healthCheck, connect.NewUnaryHandler(healthCheck, check, options...))
	return mux
}

// connect returns the interceptor of otelconnect.
func (w *watched) connect(t *testing.T) connect.Interceptor {
	t.Helper()
	interceptor, err := otelconnect.NewInterceptor(otelconnect.WithTracerProvider(w.traces), otelconnect.WithMeterProvider(w.meters),
		otelconnect.WithPropagator(propagation.TraceContext{}), otelconnect.WithTrustRemote())
	if err != nil {
		t.Fatal(err)
	}
	return interceptor
}

// http returns otelhttp around a handler.
func (w *watched) http(handler http.Handler) http.Handler {
	return otelhttp.NewHandler(handler, "server", otelhttp.WithTracerProvider(w.traces), otelhttp.WithMeterProvider(w.meters),
		otelhttp.WithPropagators(propagation.TraceContext{}))
}

// recorded returns the instrumentation of each span, with what is special about the
// span, and how many calls each metric of a duration has.
func (w *watched) recorded(t *testing.T) (spans []string, calls map[string]uint64) {
	t.Helper()
	for _, span := range w.spans.Ended() {
		scope := span.InstrumentationScope().Name
		text := scope[strings.LastIndexByte(scope, '/')+1:]
		if span.SpanContext().TraceID().String() != traceID {
			text += " in another trace"
		}
		if slices.ContainsFunc(span.Events(), func(e sdktrace.Event) bool { return e.Name == "drawbridge.decision" }) {
			text += " with a decision"
		}
		spans = append(spans, text)
	}
	slices.Sort(spans)
	var collected metricdata.ResourceMetrics
	if err := w.reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	calls = make(map[string]uint64)
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if data, ok := m.Data.(metricdata.Histogram[float64]); ok && strings.HasSuffix(m.Name, ".duration") {
				for _, point := range data.DataPoints {
					calls[m.Name] += point.Count
				}
			}
		}
	}
	return spans, calls
}

// TestOpenTelemetry: SEED-1: every decision is counted and has a place in the
// caller's trace, and the record of a refusal has the trace id, with the
// instrumentations that servers use: some see a call that is refused, and some do
// not.
func TestOpenTelemetry(t *testing.T) {
	t.Parallel()
	const decision, overHTTP, overRPC = "drawbridge.decision.duration", "http.server.request.duration", "rpc.server.call.duration"
	for _, tt := range []struct {
		name                       string
		handler                    func(*testing.T, *watched) http.Handler
		refused, allowed           []string // spans
		refusedCalls, allowedCalls map[string]uint64
	}{
		{
			"otelconnect behind WithAuthorizer",
			func(t *testing.T, w *watched) http.Handler {
				return w.handler(connectauth.WithAuthorizer(w.authorizer), connect.WithInterceptors(w.connect(t)))
			},
			[]string{"otel"},
			[]string{"otel", "otelconnect"},
			map[string]uint64{decision: 1},
			map[string]uint64{decision: 1, overRPC: 1},
		},
		{
			"otelconnect behind the guard",
			func(t *testing.T, w *watched) http.Handler {
				return w.bridge.Handler(connectauth.Guard(w.authorizer, w.handler(connect.WithInterceptors(w.connect(t)))))
			},
			[]string{"otel"},
			[]string{"otel", "otelconnect"},
			map[string]uint64{decision: 1},
			map[string]uint64{decision: 1, overRPC: 1},
		},
		{
			"otelconnect before NewInterceptor",
			func(t *testing.T, w *watched) http.Handler {
				return w.handler(connect.WithInterceptors(w.connect(t), connectauth.NewInterceptor(w.authorizer)))
			},
			[]string{"otelconnect with a decision"},
			[]string{"otelconnect with a decision"},
			map[string]uint64{decision: 1, overRPC: 1},
			map[string]uint64{decision: 1, overRPC: 1},
		},
		{
			"otelhttp around the guard",
			func(_ *testing.T, w *watched) http.Handler {
				return w.http(w.bridge.Handler(connectauth.Guard(w.authorizer, w.handler())))
			},
			[]string{"otelhttp with a decision"},
			[]string{"otelhttp with a decision"},
			map[string]uint64{decision: 1, overHTTP: 1},
			map[string]uint64{decision: 1, overHTTP: 1},
		},
		{
			"otelhttp around the guard, and otelconnect behind it",
			func(t *testing.T, w *watched) http.Handler {
				return w.http(connectauth.Guard(w.authorizer, w.handler(connect.WithInterceptors(w.connect(t)))))
			},
			[]string{"otelhttp with a decision"},
			[]string{"otelconnect", "otelhttp with a decision"},
			map[string]uint64{decision: 1, overHTTP: 1},
			map[string]uint64{decision: 1, overHTTP: 1, overRPC: 1},
		},
		{
			"otelhttp around Protect",
			func(_ *testing.T, w *watched) http.Handler {
				return w.http(w.bridge.Protect(healthService, w.handler()))
			},
			[]string{"otelhttp with a decision"},
			[]string{"otelhttp with a decision"},
			map[string]uint64{decision: 1, overHTTP: 1},
			map[string]uint64{decision: 1, overHTTP: 1},
		},
		{
			"nothing around Protect",
			func(_ *testing.T, w *watched) http.Handler { return w.bridge.Protect(healthService, w.handler()) },
			[]string{"otel"},
			[]string{"otel"},
			map[string]uint64{decision: 1},
			map[string]uint64{decision: 1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, isAllowed := range []bool{false, true} {
				w := newWatched(t)
				spans, calls := tt.refused, tt.refusedCalls
				req := connect.NewRequest(&healthpb.HealthCheckRequest{})
				req.Header().Set("Traceparent", traceparent)
				if isAllowed {
					spans, calls = tt.allowed, tt.allowedCalls
					req.Header().Set("Authorization", "Bearer "+w.raw)
				}
				server := httptest.NewServer(tt.handler(t, w))
				client := connect.NewClient[healthpb.HealthCheckRequest, healthpb.HealthCheckResponse](server.Client(), server.URL+healthCheck)
				_, err := client.CallUnary(t.Context(), req)
				if (err == nil) != isAllowed || err != nil && connect.CodeOf(err) != connect.CodeUnauthenticated {
					t.Errorf("got %v", err)
				}
				// Middleware records after the response is out.
				server.Close()
				w.want(t, isAllowed, spans, calls)
			}
		})
	}
}

// want checks spans, metrics and the log.
func (w *watched) want(t *testing.T, isAllowed bool, spans []string, calls map[string]uint64) {
	t.Helper()
	gotSpans, gotCalls := w.recorded(t)
	if !slices.Equal(gotSpans, spans) {
		t.Errorf("spans %q, want %q", gotSpans, spans)
	}
	if !maps.Equal(gotCalls, calls) {
		t.Errorf("metrics %v, want %v", gotCalls, calls)
	}
	records, found := 1, w.log.String()
	if isAllowed {
		records = 0
	}
	if strings.Count(found, "\n") != records || strings.Count(found, "trace_id="+traceID) != records {
		t.Errorf("logged %q", found)
	}
}

// TestOpenTelemetryGRPC is TestOpenTelemetry for grpc-go, whose stats handler sees
// every call.
func TestOpenTelemetryGRPC(t *testing.T) {
	t.Parallel()
	const decision, overRPC = "drawbridge.decision.duration", "rpc.server.call.duration"
	for _, tt := range []struct {
		name      string
		isWatched bool
		procedure string
		isAllowed bool
		code      codes.Code
		spans     []string
		calls     map[string]uint64
	}{
		{"otelgrpc, refused", true, healthCheck, false, codes.Unauthenticated, []string{"otelgrpc with a decision"}, map[string]uint64{decision: 1, overRPC: 1}},
		{"otelgrpc, allowed", true, healthCheck, true, codes.OK, []string{"otelgrpc with a decision"}, map[string]uint64{decision: 1, overRPC: 1}},
		{"otelgrpc, no such service", true, "/made.up/Name", false, codes.Unauthenticated, []string{"otelgrpc with a decision"}, map[string]uint64{decision: 1, overRPC: 1}},
		{"nothing, refused", false, healthCheck, false, codes.Unauthenticated, []string{"otel"}, map[string]uint64{decision: 1}},
		{"nothing, allowed", false, healthCheck, true, codes.OK, []string{"otel"}, map[string]uint64{decision: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWatched(t)
			options := grpcauth.ServerOptions(w.authorizer)
			if tt.isWatched {
				options = append(options, grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(w.traces),
					otelgrpc.WithMeterProvider(w.meters), otelgrpc.WithPropagators(propagation.TraceContext{}))))
			}
			server := grpc.NewServer(options...)
			healthpb.RegisterHealthServer(server, health.NewServer())
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- server.Serve(listener) }()
			conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", traceparent)
			if tt.isAllowed {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+w.raw)
			}
			err = conn.Invoke(ctx, tt.procedure, &healthpb.HealthCheckRequest{}, new(healthpb.HealthCheckResponse))
			if status.Code(err) != tt.code {
				t.Errorf("got %v", err)
			}
			conn.Close()
			server.GracefulStop()
			if err := <-served; err != nil {
				t.Error(err)
			}
			w.want(t, tt.isAllowed, tt.spans, tt.calls)
		})
	}
}
