package otel_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc/metadata"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

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

// A caller's trace, as the traceparent field names it.
const (
	traceID     = "0af7651916cd43dd8448eb211c80319c"
	parentID    = "b7ad6b7169203331"
	traceparent = "00-" + traceID + "-" + parentID + "-01"
)

// TestRefusal: SEED-1: the refusal of a call, on every way and of every kind, has
// a span in the caller's trace and is counted, and its log record has the trace
// id, although nothing else in the server knows about traces.
func TestRefusal(t *testing.T) {
	t.Parallel()
	header := http.Header{"Traceparent": {traceparent}}
	overConnect := func(options ...connect.ClientOption) func(t *testing.T, handler http.Handler, method string) {
		return func(t *testing.T, handler http.Handler, method string) {
			_, err := rpctest.CallConnect(t.Context(), rpctest.H2C(t), rpctest.ServeHTTP(t, handler), rpctest.GuardedService, method, header, options...)
			if connect.CodeOf(err) != connect.CodeUnauthenticated {
				t.Errorf("got %v", err)
			}
		}
	}
	guard := func(w *rpctest.World) http.Handler { return connectauth.Guard(w.Authorizer, w.Handlers.ConnectMux()) }
	option := func(w *rpctest.World) http.Handler {
		return w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer))
	}
	interceptor := func(w *rpctest.World) http.Handler {
		return w.Handlers.ConnectMux(connect.WithInterceptors(connectauth.NewInterceptor(w.Authorizer)))
	}
	for _, tt := range []struct {
		name    string
		handler func(*rpctest.World) http.Handler
		call    func(t *testing.T, handler http.Handler, method string)
	}{
		{"Guard, Connect", guard, overConnect()},
		{"Guard, gRPC", guard, overConnect(connect.WithGRPC())},
		{"Guard, gRPC-Web", guard, overConnect(connect.WithGRPCWeb())},
		{"WithAuthorizer, Connect", option, overConnect()},
		{"WithAuthorizer, gRPC", option, overConnect(connect.WithGRPC())},
		{"NewInterceptor, Connect", interceptor, overConnect()},
	} {
		for _, method := range rpctest.Kinds {
			t.Run(tt.name+", "+method, func(t *testing.T) {
				t.Parallel()
				s, log, world := observed(t)
				tt.call(t, tt.handler(world), method)
				s.wantRefusal(t, log, "rpc.method="+rpctest.GuardedService+"/"+method)
			})
		}
	}
	for _, method := range rpctest.Kinds {
		t.Run("grpc-go, "+method, func(t *testing.T) {
			t.Parallel()
			s, log, world := observed(t)
			conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, world.Handlers.GRPCServer(grpcauth.ServerOptions(world.Authorizer)...)))
			ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", traceparent)
			if _, err := rpctest.CallGRPC(ctx, conn, rpctest.GuardedService, method); err == nil {
				t.Error("let in")
			}
			s.wantRefusal(t, log, "rpc.method="+rpctest.GuardedService+"/"+method)
		})
	}
	t.Run("Protect", func(t *testing.T) {
		t.Parallel()
		s, log, world := observed(t)
		bridge, err := httpbridge.New(httpbridge.Config{Authorizer: world.Authorizer})
		if err != nil {
			t.Fatal(err)
		}
		url := rpctest.ServeHTTP(t, bridge.Protect(rpctest.GuardedService, http.NotFoundHandler()))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/reports", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header.Clone()
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("got %s", res.Status)
		}
		s.wantRefusal(t, log, "http.request.method=GET")
	})
}

// observed returns a server's side whose decisions are recorded and logged.
func observed(t *testing.T) (*sdk, *journal, *rpctest.World) {
	t.Helper()
	s, log := newSDK(), new(journal)
	return s, log, rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Observers = []drawbridge.Observer{s.observer(t)}
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	})
}

// wantRefusal checks what one refusal leaves behind.
func (s *sdk) wantRefusal(t *testing.T, log *journal, method string) {
	t.Helper()
	spans := s.spans.Ended()
	if len(spans) != 1 {
		t.Fatalf("got %d spans", len(spans))
	}
	span := spans[0]
	if span.SpanContext().TraceID().String() != traceID || span.Parent().SpanID().String() != parentID || !span.Parent().IsRemote() {
		t.Errorf("trace %s, parent %+v", span.SpanContext().TraceID(), span.Parent())
	}
	if span.EndTime().Before(span.StartTime()) || span.StartTime().IsZero() {
		t.Errorf("from %v to %v", span.StartTime(), span.EndTime())
	}
	attributes := write(span.Attributes())
	if !strings.Contains(attributes, method) || !strings.Contains(attributes, "error.type=no_credentials") {
		t.Errorf("recorded %s", attributes)
	}
	counted := s.metrics(t)
	for _, name := range []string{"drawbridge.decisions", "drawbridge.decision.duration"} {
		if got := counted[name]; len(got) != 1 || !strings.HasPrefix(got[0], "1 ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := counted["drawbridge.decisions"][0]; !strings.Contains(got, method) {
		t.Errorf("counted %s", got)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "trace_id="+traceID) {
		t.Errorf("logged %s", got)
	}
}

// TestRefusalInsideOfASpan: a refusal in a server that has begun a span is an
// event of that.
func TestRefusalInsideOfASpan(t *testing.T) {
	t.Parallel()
	s, log, world := observed(t)
	ctx, span := s.traces.Tracer("server").Start(t.Context(), "request")
	if _, err := world.Authorize(ctx, drawbridge.Request{Procedure: guarded}); err == nil {
		t.Error("let in")
	}
	if err := world.Check(context.WithoutCancel(ctx), guarded); err == nil {
		t.Error("let in")
	}
	span.End()
	spans := s.spans.Ended()
	if len(spans) != 1 || len(spans[0].Events()) != 2 {
		t.Fatalf("got %v", spans)
	}
	if got := log.String(); strings.Count(got, "trace_id="+span.SpanContext().TraceID().String()) != 2 {
		t.Errorf("logged %s", got)
	}
}
