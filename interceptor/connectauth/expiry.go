package connectauth

import (
	"context"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// expiry ends streams that outlive the token they were opened with. It leaves
// unary calls alone.
type expiry struct{ adapter drawbridge.Adapter }

func (*expiry) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

func (*expiry) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (e *expiry) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		caller := e.adapter.Caller(ctx)
		if _, wrapped := conn.(*expiringConn); wrapped || caller.Expiry().IsZero() {
			return next(ctx, conn)
		}
		expiring := &expiringConn{StreamingHandlerConn: conn, expiry: expiryOf(ctx, caller)}
		if expiring.expiry == nil {
			expiring.expiry = new(interceptor.Expiry)
			expiring.expiry.Start(ctx, caller, conn.Spec().Procedure)
		}
		err := next(ctx, expiring)
		if refusal := expiring.refusal.Load(); err == nil && refusal != nil {
			// The handler has ignored that a message was refused. To the client,
			// the stream must not look complete.
			return refusal
		}
		return err
	}
}

// expiringConn refuses messages once the token has expired.
type expiringConn struct {
	connect.StreamingHandlerConn

	expiry  *interceptor.Expiry
	refusal atomic.Pointer[connect.Error]
}

// Receive waits for the message first: the token may expire meanwhile.
func (c *expiringConn) Receive(message any) error {
	if err := c.StreamingHandlerConn.Receive(message); err != nil {
		return err
	}
	return c.check()
}

func (c *expiringConn) Send(message any) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.StreamingHandlerConn.Send(message)
}

func (c *expiringConn) check() error {
	denial := c.expiry.Check()
	if denial == nil {
		return nil
	}
	if refusal := c.refusal.Load(); refusal != nil {
		return refusal
	}
	c.refusal.CompareAndSwap(nil, newErrorWithMeta(denial, c.Peer().Protocol))
	return c.refusal.Load()
}
