package connectauth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// everything relays every denial.
var everything = connectauth.RelayConfig{DangerouslyEveryReason: true}

// TestRelayInterceptor: a client leaves the denial of a backend for the bridge,
// for every kind of stream, and returns the error as it is (RPC-1, RPC-3). What the
// backend says of a token of the server does not become a 401 for the caller
// (MCP-7).
func TestRelayInterceptor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))
	own := connectauth.RelayConfig{Logger: slog.New(slog.DiscardHandler)}
	for _, row := range []struct {
		token string
		cfg   connectauth.RelayConfig
		want  challenge.Reason
	}{
		{"", everything, challenge.ReasonNoCredentials},
		{"two tokens", everything, challenge.ReasonInvalidRequest},
		{tokenBad, everything, challenge.ReasonInvalidToken},
		{tokenRead, everything, challenge.ReasonInsufficientScope},
		{tokenDown, everything, challenge.ReasonUnavailable},
		{tokenPanic, everything, challenge.ReasonInternal},
		{"", own, challenge.ReasonInternal},
		{tokenBad, own, challenge.ReasonInternal},
		{tokenRead, own, challenge.ReasonInsufficientScope},
		{tokenDown, own, challenge.ReasonUnavailable},
	} {
		t.Run(fmt.Sprintf("%q as %v", row.token, row.want), func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, over protocol, method string) {
				recorded, watch := newExchange(), new(watcher)
				ctx := exchange.NewContext(t.Context(), recorded)
				_, err := rpctest.CallConnect(ctx, rpctest.H2C(t), server, rpctest.GuardedService, method, bearer(row.token),
					over.option, connect.WithInterceptors(connectauth.NewRelayInterceptor(row.cfg), watch))
				denial := recorded.Denials.Denial()
				if procedure, _ := recorded.Native.Claimed(); denial == nil || procedure != "" || denial.Reason != row.want {
					t.Fatalf("recorded %v (answered by %q), want %v", denial, procedure, row.want)
				}
				if denial.Remote && denial.Challenge.ResourceMetadataURL != metadataURL || denial.Remote != (row.cfg == everything || row.want != challenge.ReasonInternal) {
					t.Errorf("recorded %+v", denial.Challenge)
				}
				if seen := watch.errors(); len(seen) != 1 || !errors.Is(err, seen[0]) {
					t.Errorf("the error was changed: %v, before %v", err, seen)
				}
			})
		})
	}
}

// TestRelayInterceptorElsewhere: only denials are recorded, and only under a
// bridge.
func TestRelayInterceptorElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))
	option := connect.WithInterceptors(connectauth.NewRelayInterceptor(everything))
	each(t, func(t *testing.T, over protocol, method string) {
		for _, row := range []struct {
			service, token string
			fails          bool
		}{
			{rpctest.GuardedService, tokenGood, false},
			{rpctest.PublicService, "", false},
			{rpctest.NowhereService, tokenGood, true},
		} {
			recorded := newExchange()
			ctx := exchange.NewContext(t.Context(), recorded)
			_, err := rpctest.CallConnect(ctx, rpctest.H2C(t), server, row.service, method, bearer(row.token), over.option, option)
			if (err != nil) != row.fails {
				t.Errorf("%s: %v", row.service, err)
			}
			if denial := recorded.Denials.Denial(); denial != nil {
				t.Errorf("%s: recorded %v", row.service, denial)
			}
		}
		if got := call(t, server, rpctest.GuardedService, method, "", over.option, option); got.code() != connect.CodeUnauthenticated {
			t.Errorf("without a bridge: %v", got.err)
		}
	})
}

// TestRelayInterceptorOnServer: installed on a server by mistake, it does nothing:
// the denial is sent already, to the caller of that server.
func TestRelayInterceptorOnServer(t *testing.T) {
	t.Parallel()
	for _, method := range rpctest.Kinds {
		recorded := newExchange()
		w := newWorld(t)
		mux := w.Handlers.ConnectMux(connect.WithInterceptors(connectauth.NewRelayInterceptor(everything), connectauth.NewInterceptor(w.Authorizer)))
		server := rpctest.ServeHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			mux.ServeHTTP(rw, r.WithContext(exchange.NewContext(r.Context(), recorded)))
		}))
		call(t, server, rpctest.GuardedService, method, "")
		if procedure, denial := recorded.Native.Claimed(); denial == nil || procedure != rpctest.Procedure(rpctest.GuardedService, method) || recorded.Denials.Denial() != nil {
			t.Errorf("%s: recorded %v, answered by %q", method, denial, procedure)
		}
	}
}

// inProcess is a client of a handler in the same process, which hands the context
// on.
type inProcess struct{ http.Handler }

func (p inProcess) Do(req *http.Request) (*http.Response, error) {
	served := req.Clone(req.Context())
	served.RequestURI = req.URL.RequestURI()
	served.ProtoMajor, served.ProtoMinor = 2, 0 // Streams in both directions want it.
	if served.Body == nil {
		served.Body = http.NoBody
	}
	// A stream is answered before its request has ended.
	body, pipe := io.Pipe()
	header := &headerWriter{header: make(http.Header), pipe: pipe, begun: make(chan struct{})}
	go func() {
		p.ServeHTTP(header, served)
		header.WriteHeader(http.StatusOK)
		pipe.Close()
	}()
	<-header.begun
	return &http.Response{
		StatusCode: header.status, Header: header.leading, Trailer: header.header, Body: body,
		Proto: "HTTP/2.0", ProtoMajor: 2, Request: req,
	}, nil
}

// headerWriter writes an answer into a pipe.
type headerWriter struct {
	header, leading http.Header
	pipe            *io.PipeWriter
	once            sync.Once
	begun           chan struct{} // closed when status and leading are set
	status          int
}

func (w *headerWriter) Header() http.Header { return w.header }
func (w *headerWriter) Flush()              { w.WriteHeader(http.StatusOK) }

func (w *headerWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.leading = status, w.header.Clone()
		close(w.begun)
	})
}

func (w *headerWriter) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(data)
}

// TestRelayInterceptorInProcess: a server in the same process that is handed the
// context does not find the recorder there: its denial is no answer to the HTTP
// request, but that of a backend (RPC-3).
func TestRelayInterceptorInProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	exchange.FromContext(t.Context()).Recorder().Deny(nil, nil) // Outside of a bridge there is nothing to record in.
	for _, guard := range guards {
		mux := guard.wrap(w.Authorizer, w.Handlers.ConnectMux(guard.option(w.Authorizer)))
		backend := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if exchange.FromContext(r.Context()) != nil {
				t.Error("RPC-3: the backend finds the recorder of the HTTP request")
			}
			if r.Context().Value(callerKey{}) != "kept" {
				t.Error("the context was not handed on")
			}
			mux.ServeHTTP(rw, r)
		})
		for _, method := range []string{rpctest.Unary, rpctest.Server} {
			for token, want := range map[string]challenge.Reason{"": challenge.ReasonNoCredentials, tokenBad: challenge.ReasonInvalidToken, tokenRead: challenge.ReasonInsufficientScope} {
				recorded := newExchange()
				ctx := exchange.NewContext(context.WithValue(t.Context(), callerKey{}, "kept"), recorded)
				_, err := rpctest.CallConnect(ctx, inProcess{backend}, "http://backend", rpctest.GuardedService, method, bearer(token),
					connect.WithInterceptors(connectauth.NewRelayInterceptor(everything)))
				denial := recorded.Denials.Denial()
				if procedure, _ := recorded.Native.Claimed(); err == nil || denial == nil || denial.Reason != want || procedure != "" {
					t.Errorf("RPC-3: %s, %s: recorded %v (answered by %q) of %v", guard.name, method, denial, procedure, err)
				}
			}
		}
	}
}

type callerKey struct{}

// hostile returns the error of a backend that sends as much as it can.
func hostile() error {
	var long []string
	for i := range 1000 {
		long = append(long, fmt.Sprintf("%03d%s", i, strings.Repeat("x", 253)))
	}
	return wire(connect.CodePermissionDenied, &drawbridgev1.Challenge{
		Scheme: "Bearer", Realm: strings.Repeat("r", 255), ResourceMetadata: "https://evil.example.com/" + strings.Repeat("m", 2000),
		Error: "insufficient_scope", ErrorDescription: strings.Repeat("d", 1<<16),
		Scopes: long, AcrValues: long, DpopAlgs: long,
	})
}

// TestHostileBackend: the challenge of a backend takes at most 4 KiB of a response,
// and so does the detail of a denial that a handler relays.
func TestHostileBackend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer})
	if err != nil {
		t.Fatal(err)
	}
	backend := rpctest.ServeHTTP(t, failing(func(context.Context) error { return hostile() }, noOption(nil)))
	invoke := func(ctx context.Context) error {
		_, err := rpctest.CallConnect(ctx, rpctest.H2C(t), backend, rpctest.PublicService, rpctest.Unary, nil,
			connect.WithInterceptors(connectauth.NewRelayInterceptor(connectauth.RelayConfig{})))
		return err
	}
	plain := bridge.Protect(rpctest.GuardedService, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _ = invoke(r.Context()) }))
	res := serve(plain, newHTTPRequest(t, http.MethodGet, "/", "Authorization", "Bearer "+tokenGood))
	header := res.Header().Get("Www-Authenticate")
	parsed, err := challenge.Parse([]string{header})
	if err != nil || len(header) > 4<<10 || res.Code != http.StatusForbidden {
		t.Fatalf("got %d, %d bytes, %v", res.Code, len(header), err)
	}
	if scopes := parsed[0].Scopes; len(scopes) < 2 || !slices.Contains(scopes, rpctest.ScopeWrite) || parsed[0].ResourceMetadataURL != metadataURL {
		t.Errorf("MCP-4: got %+v", parsed[0])
	}
	front := rpctest.ServeHTTP(t, connectauth.Guard(w.Authorizer, failing(func(ctx context.Context) error {
		denial, _ := connectauth.FromError(invoke(ctx))
		return denial
	}, noOption(nil))))
	for _, over := range protocols {
		got := call(t, front, rpctest.GuardedService, rpctest.Unary, tokenGood, over.option)
		found := challenges(t, got.err)
		if len(found) != 1 || proto.Size(found[0]) > 4<<10 || len(got.err.Meta().Get("Www-Authenticate")) > 4<<10 {
			t.Errorf("%s: got the details %v", over.name, found)
		}
	}
}
