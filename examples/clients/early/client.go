package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A protocol is one in which the server is called.
type protocol string

const (
	plain        protocol = "HTTP"
	connectUnary protocol = "Connect"
	grpcCall     protocol = "gRPC"
	grpcWeb      protocol = "gRPC-Web"
)

// wire is how curl sends a request in each protocol, and what the response holds.
var wire = map[protocol]struct{ path, contentType, response string }{
	plain:        {endpoint, "application/json", "HTTP/2 401"},
	connectUnary: {procedure, "application/proto", "HTTP/2 401"},
	grpcCall:     {procedure, "application/grpc", "grpc-status: 16"},
	grpcWeb:      {procedure, "application/grpc-web+proto", "grpc-status: 16"},
}

// callCurl calls the server once with curl, in a process and over a connection of its
// own.
func callCurl(ctx context.Context, base string, p protocol, size int) error {
	w := wire[p]
	curl := exec.CommandContext(ctx, "curl", "-sSi", "--http2-prior-knowledge", base+w.path, //nolint:gosec // Nothing comes from outside.
		"-H", "Content-Type: "+w.contentType, "-H", "Expect:", "--data-binary", "@-")
	curl.Stdin = bytes.NewReader(make([]byte, size))
	output, err := curl.CombinedOutput()
	if failed := want(err, err == nil && strings.Contains(string(output), w.response)); failed != nil {
		return fmt.Errorf("%w: %s", failed, output)
	}
	return nil
}

// want returns nil if the response is the one that is expected.
func want(err error, expected bool) error {
	switch {
	case expected:
		return nil
	case err == nil:
		return errors.New("another response")
	default:
		return err
	}
}

// h2c is a client that speaks HTTP/2 without TLS.
var h2c = sync.OnceValue(func() *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: transport}
})

// callGo calls the server once with the Go client of a protocol.
func callGo(ctx context.Context, base string, p protocol, size int) error {
	message := wrapperspb.Bytes(make([]byte, size))
	switch p {
	case grpcCall:
		conn, err := dial(base)
		if err != nil {
			return err
		}
		err = conn.Invoke(ctx, procedure, message, new(wrapperspb.BytesValue))
		return want(err, status.Code(err) == codes.Unauthenticated)
	case connectUnary, grpcWeb:
		var options []connect.ClientOption
		if p == grpcWeb {
			options = append(options, connect.WithGRPCWeb())
		}
		client := connect.NewClient[wrapperspb.BytesValue, wrapperspb.BytesValue](h2c(), base+procedure, options...)
		_, err := client.CallUnary(ctx, connect.NewRequest(message))
		return want(err, connect.CodeOf(err) == connect.CodeUnauthenticated)
	case plain:
	}
	return post(ctx, base+endpoint, size)
}

func post(ctx context.Context, url string, size int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(make([]byte, size)))
	if err != nil {
		return err
	}
	res, err := h2c().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return want(err, err == nil && res.StatusCode == http.StatusUnauthorized && string(body) == "{}")
}

// conns are the connections of grpc-go by base URL.
var conns sync.Map

func dial(base string) (*grpc.ClientConn, error) {
	if conn, ok := conns.Load(base); ok {
		return conn.(*grpc.ClientConn), nil //nolint:forcetypeassert // Nothing else is ever stored.
	}
	conn, err := grpc.NewClient(strings.TrimPrefix(base, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	conns.Store(base, conn)
	return conn, nil
}
