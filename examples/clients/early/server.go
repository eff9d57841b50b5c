package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	service   = "early.v1.EarlyService"
	procedure = "/" + service + "/Call"
	endpoint  = "/mcp"
)

// noToken is a verifier that accepts no token.
type noToken struct{}

func (noToken) VerifyToken(context.Context, string) (*token.Info, error) {
	return nil, token.ErrInvalid
}

// serve serves on loopback, over HTTP/1.1 and h2c, until ctx is done. It returns the
// address.
func serve(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := listener.Addr().String()
	handler, err := newHandler("http://" + address)
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return address, nil
}

// newHandler returns a guarded HTTP endpoint and a guarded RPC.
func newHandler(base string) (http.Handler, error) {
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
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(endpoint, bridge.Protect(service, http.NotFoundHandler()))
	mux.Handle(procedure, http.NotFoundHandler())
	return connectauth.Guard(authorizer, mux), nil
}
