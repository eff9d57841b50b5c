package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	service   = "early.v1.EarlyService"
	procedure = "/" + service + "/Call"
	endpoint  = "/mcp"
)

// noToken is a verifier that accepts no token.
type noToken struct{}

func (noToken) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return nil, token.ErrInvalid
}

// serve serves what newHandler returns on loopback, over HTTP/1.1 and h2c, until ctx
// is done. It returns the base URL.
func serve(ctx context.Context, newHandler func(*httpbridge.Bridge) http.Handler) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	base := "http://" + listener.Addr().String()
	bridge, err := newBridge(base)
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: newHandler(bridge), ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return base, nil
}

func newBridge(base string) (*httpbridge.Bridge, error) {
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: base, AuthorizationServers: []string{"https://login.example.com"}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			service: {Rule: policy.Rule{Scopes: []string{"early"}}, NoDescriptor: true},
		}},
		Verifier: noToken{},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	return httpbridge.New(httpbridge.Config{Authorizer: authorizer})
}

// guarded refuses on the header of a request: an HTTP endpoint and an RPC.
func guarded(bridge *httpbridge.Bridge) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(endpoint, bridge.Protect(service, http.NotFoundHandler()))
	return connectauth.Guard(bridge.Authorizer(), mux)
}

// bridged lets the handlers themselves refuse.
func bridged(bridge *httpbridge.Bridge) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(endpoint, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := drawbridge.HTTPRequest(r)
		req.Service = service
		_, err := bridge.Authorizer().Authorize(r.Context(), req)
		bridge.WriteError(w, r, err)
	}))
	mux.Handle(procedure, connect.NewUnaryHandler(procedure,
		func(_ context.Context, req *connect.Request[wrapperspb.BytesValue]) (*connect.Response[wrapperspb.BytesValue], error) {
			return connect.NewResponse(req.Msg), nil
		}, connectauth.WithAuthorizer(bridge.Authorizer())))
	return bridge.Handler(mux)
}
