package main

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

// transport is a way to call the service, and the servers to compare. The first
// is bare, the second the control.
type transport struct {
	name     string
	variants []string
	dial     func(announcement) (func(context.Context) error, error)
}

var connectVariants = []string{"bare", "bare again", "drawbridge", "drawbridge+bridge", "authn-go"}

var transports = []transport{
	{"connect-h1", connectVariants, dialConnect(func(p *http.Protocols) { p.SetHTTP1(true) })},
	{"connect-h2c", connectVariants, dialConnect(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })},
	{"grpc", []string{"bare", "bare again", "drawbridge", "go-grpc-middleware"}, dialGRPC},
}

func dialConnect(set func(*http.Protocols)) func(announcement) (func(context.Context) error, error) {
	return func(announced announcement) (func(context.Context) error, error) {
		protocols := new(http.Protocols)
		set(protocols)
		client := connect.NewClient[message, message](
			&http.Client{Transport: &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: 64}},
			"http://"+announced.Address+peers.Method)
		authorization := "Bearer " + announced.Token
		return func(ctx context.Context) error {
			req := connect.NewRequest(&message{Value: "hello"})
			req.Header().Set("Authorization", authorization)
			_, err := client.CallUnary(ctx, req)
			return err
		}, nil
	}
}

func dialGRPC(announced announcement) (func(context.Context) error, error) {
	conn, err := grpc.NewClient(announced.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	authorization := "Bearer " + announced.Token
	return func(ctx context.Context) error {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
		return conn.Invoke(ctx, peers.Method, &message{Value: "hello"}, new(message))
	}, nil
}
