package connectauth

import (
	"context"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// expiry ends streams that outlive the token they were opened with. It leaves
// unary calls alone.
type expiry struct{ authorizer *interceptor.Authorizer }

func (*expiry) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

func (*expiry) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (e *expiry) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		info, ok := interceptor.TokenInfoFromContext(ctx)
		if _, wrapped := conn.(*expiringConn); wrapped || !ok || info.Expiry.IsZero() {
			return next(ctx, conn)
		}
		return next(ctx, &expiringConn{
			StreamingHandlerConn: conn,
			ctx:                  ctx,
			authorizer:           e.authorizer,
			expiry:               info.Expiry,
		})
	}
}

// expiringConn refuses messages once the token has expired.
type expiringConn struct {
	connect.StreamingHandlerConn

	ctx        context.Context //nolint:containedctx // The stream's own, and it ends with it.
	authorizer *interceptor.Authorizer
	expiry     time.Time
	expired    sync.Once
	refusal    *connect.Error // set when expired is done
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
	if time.Now().Before(c.expiry) {
		return nil
	}
	c.expired.Do(func() {
		denial := interceptor.DenialOf(c.authorizer.Expired(c.ctx, c.Spec().Procedure))
		c.refusal = newErrorWithMeta(denial, c.Peer().Protocol)
	})
	return c.refusal
}
