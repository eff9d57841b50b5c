package grpcauth

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// authorizedStream carries the caller in its context, and refuses messages once
// the token has expired.
type authorizedStream struct {
	grpc.ServerStream

	ctx    context.Context //nolint:containedctx // A ServerStream has one.
	expiry interceptor.Expiry

	mu      sync.Mutex
	refusal error // of the first message that was refused
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
	if denial := s.expiry.Check(); denial != nil {
		return s.refuse(denial)
	}
	return nil
}

// refuse returns the same error each time, so that the header holds one
// challenge.
func (s *authorizedStream) refuse(denial *challenge.DenialError) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal == nil {
		s.refusal = refuse(s.ctx, denial)
	}
	return s.refusal
}

// result returns the result of the stream, given that of its handler. A handler
// may ignore that a message was refused; to the client, the stream must not look
// complete.
func (s *authorizedStream) result(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		return s.refusal
	}
	return err
}
