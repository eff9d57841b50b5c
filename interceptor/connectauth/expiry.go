package connectauth

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// serveUntilExpiry serves a stream until the token of its caller has expired.
func serveUntilExpiry(ctx context.Context, conn connect.StreamingHandlerConn, caller *drawbridge.Caller, next connect.StreamingHandlerFunc) error {
	if outer, ok := conn.(*expiringConn); !caller.MayEnd() || ok && outer.caller.EndsWith(caller) {
		return next(ctx, conn)
	}
	expiring := &expiringConn{StreamingHandlerConn: conn, caller: caller, expiry: expiryOf(ctx, caller)}
	if expiring.expiry == nil {
		expiring.expiry = new(interceptor.Expiry)
		expiring.expiry.Start(ctx, caller, conn.Spec().Procedure)
	}
	err := next(ctx, expiring)
	if refusal := expiring.refusal.Load(); err == nil && refusal != nil {
		// The handler has ignored that a message was refused. To the client, the
		// stream must not look complete.
		return refusal
	}
	return err
}

// expiringConn refuses messages once the token has expired.
type expiringConn struct {
	connect.StreamingHandlerConn

	caller  *drawbridge.Caller
	expiry  *interceptor.Expiry
	refusal atomic.Pointer[connect.Error]
}

// Receive waits for the message, or the end, first: the token may expire
// meanwhile.
func (c *expiringConn) Receive(message any) error {
	err := c.StreamingHandlerConn.Receive(message)
	var refusal error
	switch {
	case err == nil:
		refusal = c.refuse(c.expiry.Check())
	case errors.Is(err, io.EOF):
		refusal = c.refuse(c.expiry.CheckEnd(c.Spec().StreamType == connect.StreamTypeClient))
	}
	if refusal != nil {
		return refusal
	}
	return err
}

func (c *expiringConn) Send(message any) error {
	if err := c.refuse(c.expiry.Check()); err != nil {
		return err
	}
	return c.StreamingHandlerConn.Send(message)
}

// refuse returns the same error for each denial, and nil for nil.
func (c *expiringConn) refuse(denial *challenge.DenialError) error {
	if denial == nil {
		return nil
	}
	if refusal := c.refusal.Load(); refusal != nil {
		return refusal
	}
	c.refusal.CompareAndSwap(nil, newErrorOver(c.Peer().Protocol, denial))
	return c.refusal.Load()
}
