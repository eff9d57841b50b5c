package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// logout ends the session of a user at the provider, which sends a logout token to the
// resource server (OpenID Connect Back-Channel Logout). End is what the user does.
func (s *suite) logout(ctx context.Context, client string, end func(ctx context.Context, b *browser, granted grant) error) {
	b, err := s.newBrowser(s.page)
	if !s.need("a browser", err) {
		return
	}
	logIn := func(b *browser) (grant, error) {
		return b.logIn(ctx, s.server, client, "openid "+readStock, url.Values{s.parameter: {s.JWT}})
	}
	granted, err := logIn(b)
	if !s.need("a login", err) {
		return
	}
	s.run(ctx, row{"a token before the logout: 200", call{resource: s.JWT, token: granted.AccessToken}, allowed, "", ""})
	stream, err := s.watch(ctx, granted.AccessToken)
	if !s.need("a stream", err) {
		return
	}
	defer stream.close()
	if !s.need("the logout", end(ctx, b, granted)) {
		return
	}
	s.awaitRefusal(ctx, call{resource: s.JWT, token: granted.AccessToken})
	s.run(ctx, row{"the token afterwards: 401", call{resource: s.JWT, token: granted.AccessToken}, refused, "", "cut off"})
	if _, err := s.resources.stock.Adjust("BOLT-M8", 1); err != nil {
		s.check("a message for the stream", err)
	}
	s.check("an open stream ends with its next message", isRefused(stream.next(), challenge.ReasonInvalidToken))

	again, err := s.newBrowser(s.page)
	if err == nil {
		granted, err = s.laterLogin(ctx, again, logIn)
	}
	if s.need("another login", err) {
		s.run(ctx, row{"a token of another login: 200", call{resource: s.JWT, token: granted.AccessToken}, allowed, "", ""})
	}
}

// awaitRefusal calls until the token is refused: some providers send the logout token when
// they have answered the browser.
func (s *suite) awaitRefusal(ctx context.Context, c call) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		if got, err := c.send(ctx, s.site); err != nil || got.is(allowed) != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}

// laterLogin logs in until the token was issued in a later second than the logout,
// because iat has whole seconds.
func (s *suite) laterLogin(ctx context.Context, b *browser, logIn func(*browser) (grant, error)) (grant, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		granted, err := logIn(b)
		if err != nil {
			return grant{}, err
		}
		got, err := call{resource: s.JWT, token: granted.AccessToken}.send(ctx, s.site)
		if err == nil {
			err = got.is(allowed)
		}
		if err == nil {
			return granted, nil
		}
		if ctx.Err() != nil {
			return grant{}, err
		}
	}
}

// A stream is one of WatchStock, whose first message has arrived.
type stream struct {
	conn     *grpc.ClientConn
	messages grpc.ServerStreamingClient[inventoryv1.WatchStockResponse]
}

func (s *suite) watch(ctx context.Context, token string) (*stream, error) {
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	messages, err := inventoryv1.NewInventoryServiceClient(conn).WatchStock(withToken(ctx, token, "", ""), &inventoryv1.WatchStockRequest{})
	if err == nil {
		_, err = messages.Recv()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, conn.Close())
	}
	return &stream{conn, messages}, nil
}

// next returns the error with which the stream ends, or nil if there is a message.
func (s *stream) next() error {
	_, err := s.messages.Recv()
	if denial, ok := grpcauth.FromError(err); ok {
		return denial
	}
	return err
}

func (s *stream) close() { _ = s.conn.Close() }
