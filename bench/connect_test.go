package bench_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"testing"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

// BenchmarkConnect is a unary handler of connect-go, called without a network.
func BenchmarkConnect(b *testing.B) {
	d := newDrawbridge(b, 1)
	seen := peers.NewSeen(d.Token)
	bare := newHandler()
	handlers := []struct {
		name    string
		handler http.Handler
	}{
		{"bare", bare},
		{"drawbridge", d.Bridge.Handler(connectauth.Guard(d.Authorizer, bare))},
		{"drawbridge-guard", connectauth.Guard(d.Authorizer, bare)},
		{"drawbridge-option", newHandler(connectauth.WithAuthorizer(d.Authorizer))},
		{"authn-go", seen.Authn(bare)},
		{"interceptor", newHandler(connect.WithInterceptors(seen.Connect()))},
	}
	for _, peer := range shuffled(handlers) {
		b.Run("connect/known/"+peer.name, func(b *testing.B) { call(b, peer.handler, "Bearer "+d.Token, http.StatusOK) })
	}
	for _, peer := range shuffled(handlers[1:]) {
		b.Run("connect/denied/"+peer.name, func(b *testing.B) { call(b, peer.handler, "", http.StatusUnauthorized) })
	}
}

func newHandler(options ...connect.HandlerOption) http.Handler {
	return connect.NewUnaryHandler(peers.Method, echo, options...)
}

func echo(_ context.Context, req *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
	return connect.NewResponse(req.Msg), nil
}

// body is a request body that can be read again.
type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

func call(b *testing.B, handler http.Handler, authorization string, status int) {
	b.Helper()
	message := []byte(`"hello"`)
	w := &writer{header: make(http.Header)}
	reader := new(body)
	header := http.Header{"Content-Type": {"application/json"}, "Connect-Protocol-Version": {"1"}, "User-Agent": {"connect-go"}}
	if authorization != "" {
		header["Authorization"] = []string{authorization}
	}
	r := (&http.Request{
		Method: http.MethodPost, Host: "api.example.com", URL: &url.URL{Path: peers.Method}, Header: header, Body: reader,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(message)),
	}).WithContext(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		w.reset()
		reader.Reset(message)
		handler.ServeHTTP(w, r)
		if w.status != status && (w.status != 0 || status != http.StatusOK) {
			b.Fatalf("got %d, want %d", w.status, status)
		}
	}
}
