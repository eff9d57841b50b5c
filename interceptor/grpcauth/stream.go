package grpcauth

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// authorizedStream carries the caller in its context, and refuses messages once
// the token has expired.
type authorizedStream struct {
	grpc.ServerStream

	ctx            context.Context //nolint:containedctx // A ServerStream has one.
	expiry         interceptor.Expiry
	isClientStream bool // whether there is one response, after the request

	mu      sync.Mutex
	refusal error // of the first message that was refused
}

func (s *authorizedStream) Context() context.Context { return s.ctx }

// RecvMsg waits for the message, or the end, first: the token may expire meanwhile.
func (s *authorizedStream) RecvMsg(message any) error {
	err := s.ServerStream.RecvMsg(message)
	var denial *challenge.DenialError
	switch {
	case err == nil:
		denial = s.expiry.Check()
	case errors.Is(err, io.EOF):
		denial = s.expiry.CheckEnd(s.isClientStream)
	}
	if denial != nil {
		return s.refuse(denial)
	}
	return err
}

func (s *authorizedStream) SendMsg(message any) error {
	if denial := s.expiry.Check(); denial != nil {
		return s.refuse(denial)
	}
	return s.ServerStream.SendMsg(message)
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
	return returned(s.ctx, err)
}
