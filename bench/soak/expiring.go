package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// transports are the surfaces that have streams.
var transports = []int{connectStream, grpcByConnect, grpcWeb, grpcGo}

// drawExpiring returns a stream that outlives its token.
func (w *world) drawExpiring(rng *rand.Rand, slot int) *request {
	r := w.draw(rng, transports[rng.IntN(len(transports))], slot)
	r.service = rpcServices[1+rng.IntN(3)]
	r.procedure = "/" + r.service + "/" + r.method
	r.rule = r.procedure
	r.credential = w.mint.short()
	r.expiry = r.credential.expiry
	return r
}

// outlive opens streams that outlive their tokens until the context ends.
func (w *worker) outlive(ctx context.Context) {
	for ctx.Err() == nil {
		r := w.world.drawExpiring(w.rng, w.slot)
		quiet := w.rng.IntN(2) == 0
		s := &w.world.handlers.slots[w.slot]
		late := s.late.Load()
		s.closed.Store(false)
		s.ended.Store(false)
		got := w.performAs(r, expiringStream, func(ctx context.Context, r *request) verdict { return w.world.outliving(ctx, r, s, quiet) })
		// A stream without a token, because its rule is public, has no end.
		if endless := got.class == allowed && got.detail == anonymous; s.late.Load() != late || s.ended.Load() && !endless {
			w.tally.blame("%s over %s: %d messages passed after the token had expired, and the stream seemed complete: %t; got %v",
				r.procedure, surfaceNames[r.surface], s.late.Load()-late, s.ended.Load(), got)
		}
	}
}

// outliving keeps a stream open until its token has expired. A quiet client sends
// one message only.
func (w *world) outliving(ctx context.Context, r *request, s *slot, quiet bool) verdict {
	c, err := w.converse(ctx, r)
	if err != nil {
		return grpcVerdict(err)
	}
	defer c.close()
	last := verdict{failed, "the stream has no message"}
	for {
		begun := time.Now()
		if err := c.send(); errors.Is(err, io.EOF) {
			return c.rest(last) // the server has ended the stream
		} else if err != nil {
			return c.verdict(err)
		}
		if r.service == serverService {
			break
		}
		if r.service == bidiService {
			subject, err := c.receive()
			if err != nil {
				return c.ended(err)
			}
			last = verdict{allowed, subject}
			if subject != anonymous && !begun.Before(r.expiry) {
				return verdict{failed, "a message was answered after the token had expired"}
			}
		}
		if quiet || time.Now().After(r.expiry.Add(beyond)) {
			break
		}
		time.Sleep(beat)
	}
	if r.service != serverService {
		time.Sleep(time.Until(r.expiry.Add(beat)))
	}
	s.closed.Store(!time.Now().Before(r.expiry))
	if err := c.closeSend(); err != nil {
		return verdict{failed, err.Error()}
	}
	return c.rest(last)
}

// ended returns the verdict of the error that ended a stream.
func (c *conversation) ended(err error) verdict {
	if errors.Is(err, io.EOF) {
		return verdict{failed, "the stream ended without an error"}
	}
	return c.verdict(err)
}
