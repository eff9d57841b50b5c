package grpcauth

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// authorizedStream carries the decision in its context, and refuses messages
// once the token has expired.
type authorizedStream struct {
	grpc.ServerStream

	ctx       context.Context //nolint:containedctx // A ServerStream has one.
	guard     *guard
	token     *interceptor.TokenInfo // nil if the rule is public
	procedure string
	expired   sync.Once
	refusal   error // set when expired is done
}

func (s *authorizedStream) Context() context.Context { return s.ctx }

// RecvMsg waits for the message first: the token may expire meanwhile.
func (s *authorizedStream) RecvMsg(message any) error {
	if err := s.ServerStream.RecvMsg(message); err != nil {
		return err
	}
	return s.check()
}

func (s *authorizedStream) SendMsg(message any) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(message)
}

func (s *authorizedStream) check() error {
	if s.token == nil || s.token.Expiry.IsZero() || time.Now().Before(s.token.Expiry) {
		return nil
	}
	s.expired.Do(func() {
		s.refusal = s.guard.refusals.refuse(s.ctx, s.guard.authorizer.Expired(s.ctx, s.procedure))
	})
	return s.refusal
}
