package connectauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// countingCodec counts the messages that are decoded.
type countingCodec struct{ decoded atomic.Int64 }

func (c *countingCodec) Name() string { return "proto" }

func (c *countingCodec) Marshal(message any) ([]byte, error) {
	return proto.Marshal(message.(proto.Message))
}

func (c *countingCodec) Unmarshal(data []byte, message any) error {
	c.decoded.Add(1)
	return proto.Unmarshal(data, message.(proto.Message))
}

// TestBeforeTheBody: the gate decides on headers alone. A body that is
// malformed, too large, or never sent makes no difference to a caller that is
// refused (RPC-1).
func TestBeforeTheBody(t *testing.T) {
	t.Parallel()
	for name := range bodies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			codec := new(countingCodec)
			mux := w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer), connect.WithCodec(codec), connect.WithReadMaxBytes(1024))
			server := rpctest.ServeHTTP(t, mux)
			each(t, func(t *testing.T, over protocol, method string) {
				if got, _ := post(t, server, over, method, bodies()[name], nil); got != "unauthenticated" {
					t.Errorf("RPC-1: got %q", got)
				}
				if n := codec.decoded.Load(); n != 0 || w.Handlers.Ran() != 0 {
					t.Errorf("RPC-1: %d messages were decoded, the handler ran %d times", n, w.Handlers.Ran())
				}
			})
		})
	}
}

// bodies are those of requests that make no difference to a caller that is
// refused.
func bodies() map[string]io.Reader {
	endless, _ := io.Pipe()
	return map[string]io.Reader{
		"no message at all":        strings.NewReader("\xff\xff\xff\xff\xff\xff\xff\xff"),
		"larger than the limit":    strings.NewReader(strings.Repeat("\x00", 1<<20)),
		"of 256 KiB":               strings.NewReader(strings.Repeat("\x00", 256<<10)),
		"nothing, and no end":      endless,
		"an end, and nothing else": http.NoBody,
	}
}

// TestBodyOfTheAdmitted is the control of TestBeforeTheBody: with a token, the
// same body is looked at.
func TestBodyOfTheAdmitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	codec := new(countingCodec)
	server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer), connect.WithCodec(codec)))
	_, status := post(t, server, protocols[0], rpctest.Unary, strings.NewReader("\xff\xff"), bearer(tokenGood))
	if status != http.StatusBadRequest || codec.decoded.Load() != 1 {
		t.Errorf("got %d after %d messages", status, codec.decoded.Load())
	}
}

// post sends a body as it is, and returns the code of the RPC and the status of
// HTTP.
func post(t *testing.T, server string, over protocol, method string, body io.Reader, header http.Header) (code string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+rpctest.Procedure(rpctest.GuardedService, method), body)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Content-Type", over.stream)
	if method == rpctest.Unary {
		req.Header.Set("Content-Type", over.unary)
	}
	res, err := rpctest.H2C(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return statusOf(res, over, method), res.StatusCode
}

// statusOf finds the code of an RPC in a response, in whatever place the
// protocol puts it.
func statusOf(res *http.Response, over protocol, method string) string {
	body, _ := io.ReadAll(res.Body)
	const unauthenticated = "16"
	switch {
	case over.name == "Connect" && method == rpctest.Unary && res.StatusCode != http.StatusUnauthorized:
		return res.Status
	case over.name == "Connect" && strings.Contains(string(body), `"code":"unauthenticated"`),
		res.Header.Get("Grpc-Status") == unauthenticated,
		res.Trailer.Get("Grpc-Status") == unauthenticated,
		strings.Contains(strings.ToLower(string(body)), "grpc-status: "+unauthenticated):
		return "unauthenticated"
	default:
		return string(body)
	}
}

// TestQueryToken: the query of a Connect GET is another place where a token
// could stand. It is no credential, and beside one it is a fault (R6750-2.b).
func TestQueryToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mux := http.NewServeMux()
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	mux.Handle(procedure, connect.NewUnaryHandler(procedure,
		func(ctx context.Context, req *connect.Request[rpctest.Message]) (*connect.Response[rpctest.Message], error) {
			return connect.NewResponse(&rpctest.Message{Value: rpctest.Greeting(ctx, req.Msg.GetValue())}), nil
		},
		connect.WithIdempotency(connect.IdempotencyNoSideEffects),
		connectauth.WithAuthorizer(w.Authorizer),
	))
	server := rpctest.ServeHTTP(t, mux)
	for _, row := range []struct {
		name, query, token string
		want               int
		body               string
	}{
		{"header", "", tokenGood, http.StatusOK, `"hello from ada"`},
		{"query alone (R6750-3.1.a)", "&access_token=" + tokenGood, "", http.StatusUnauthorized, `"code":"unauthenticated"`},
		{"header and query (R6750-2.b)", "&access_token=" + tokenGood, tokenGood, http.StatusBadRequest, `"code":"invalid_argument"`},
		{"header and empty query (R6750-2.b)", "&access_token", tokenGood, http.StatusBadRequest, `"code":"invalid_argument"`},
		{"header and query in disguise (R6750-2.b)", "&%61ccess_token=" + tokenGood, tokenGood, http.StatusBadRequest, `"code":"invalid_argument"`},
		{"neither", "", "", http.StatusUnauthorized, `"code":"unauthenticated"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			target := server + procedure + "?connect=v1&encoding=json&message=" + url.QueryEscape(`"hello"`) + row.query
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = bearer(row.token)
			res, err := rpctest.H2C(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != row.want || !strings.Contains(string(body), row.body) {
				t.Errorf("got %d %s, want %d with %s", res.StatusCode, body, row.want, row.body)
			}
			if challenged := res.Header.Get("Www-Authenticate") != ""; challenged != (row.want != http.StatusOK) {
				t.Errorf("R9110-11.d: challenge is %q", res.Header.Get("Www-Authenticate"))
			}
		})
	}
}

// TestOtherOptions: further options of a handler work as before, and run only for
// calls that were let in.
func TestOtherOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watch := new(watcher)
	var recovered atomic.Int64
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	handler := connect.NewUnaryHandler(procedure,
		func(context.Context, *connect.Request[rpctest.Message]) (*connect.Response[rpctest.Message], error) {
			panic("the handler's own")
		},
		connect.WithInterceptors(watch),
		connect.WithRecover(func(context.Context, connect.Spec, http.Header, any) error {
			recovered.Add(1)
			return connect.NewError(connect.CodeAborted, errors.New("recovered"))
		}),
		connectauth.WithAuthorizer(w.Authorizer),
	)
	mux := http.NewServeMux()
	mux.Handle(procedure, handler)
	server := rpctest.ServeHTTP(t, mux)

	for _, row := range []struct {
		token               string
		want                connect.Code
		watched, recoveries int
	}{
		{"", connect.CodeUnauthenticated, 0, 0},
		{tokenPanic, connect.CodeInternal, 0, 0},
		{tokenGood, connect.CodeAborted, 1, 1},
		{tokenRead, connect.CodePermissionDenied, 1, 1},
	} {
		if got := call(t, server, rpctest.GuardedService, rpctest.Unary, row.token); got.code() != row.want {
			t.Errorf("token %q: got %v, want %v", row.token, got.err, row.want)
		}
		if len(watch.errors()) != row.watched || int(recovered.Load()) != row.recoveries {
			t.Errorf("token %q: the interceptor ran %d times, WithRecover %d times", row.token, len(watch.errors()), recovered.Load())
		}
	}
}

// TestRuleOfAnotherMethod: the rule of its own procedure applies to each handler
// (RPC-6).
func TestRuleOfAnotherMethod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := rpctest.ServeHTTP(t, w.Handlers.ConnectMux(connectauth.WithAuthorizer(w.Authorizer)))
	each(t, func(t *testing.T, over protocol, method string) {
		if got := call(t, server, rpctest.PublicService, method, "", over.option); got.message != "hello from anybody" {
			t.Errorf("public: got %+v", got)
		}
		if got := call(t, server, rpctest.GuardedService, method, tokenGood, over.option); got.message != "hello from ada" {
			t.Errorf("TokenInfo: got %+v", got)
		}
	})
}

// TestHostOfTheCall: connect-go hands the host over in every protocol, and a
// host that is not ours is not echoed (SEED-5, SEED-6).
func TestHostOfTheCall(t *testing.T) {
	t.Parallel()
	const alias = "https://alias.example.com"
	w := newWorld(t, func(cfg *drawbridge.Config) { cfg.Resources[0].Aliases = []string{alias} })
	for _, guard := range guards {
		server := guard.serve(t, w)
		for host, base := range map[string]string{"alias.example.com": alias, "api.example.com": resource, "evil.example.com": resource} {
			t.Run(guard.name+"/"+host, func(t *testing.T) {
				t.Parallel()
				each(t, func(t *testing.T, over protocol, method string) {
					header := http.Header{"Host": {host}}
					_, err := rpctest.CallConnect(t.Context(), hostClient{rpctest.H2C(t), host}, server, rpctest.GuardedService, method, header, over.option)
					var refused *connect.Error
					if !errors.As(err, &refused) {
						t.Fatal(err)
					}
					want := base + "/.well-known/oauth-protected-resource"
					if got := challenges(t, refused); len(got) != 1 || got[0].GetResourceMetadata() != want {
						t.Errorf("SEED-5, SEED-6: got %v, want %s", got, want)
					}
				})
			})
		}
	}
}

// hostClient dials one host and claims another.
type hostClient struct {
	connect.HTTPClient

	host string
}

func (c hostClient) Do(req *http.Request) (*http.Response, error) {
	req.Host = c.host
	return c.HTTPClient.Do(req)
}
