package authzen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// A condition is a compiled question.
type condition struct {
	*template

	point    *DecisionPoint
	number   uint64 // tells it from every other one
	cacheFor time.Duration
}

var _ policy.Condition = (*condition)(nil)

// A digest is the key of an answer: a hash of the whole request, and of the number of the
// compiled question. So an answer belongs to one compilation, and to one decision point.
type digest [sha256.Size]byte

// Holds implements [policy.Condition].
func (c *condition) Holds(ctx context.Context, in policy.Input) (bool, error) {
	d, _ := c.point.drafts.Get().(*draft)
	defer func() {
		d.reset()
		c.point.drafts.Put(d)
	}()
	if err := d.write(c.template, in, c.point.maxElements); err != nil {
		return false, fmt.Errorf("the question to the policy decision point: %w", err)
	}
	asked := evaluation{isList: c.list != nil, elements: d.elements}
	if c.cacheFor == 0 {
		asked.body = bytes.Clone(d.body)
		return c.point.ask(ctx, asked)
	}
	d.body = binary.BigEndian.AppendUint64(d.body, c.number)
	key := digest(sha256.Sum256(d.body))
	now := c.point.now()
	if allowed, ok := c.point.cache.get(key, now); ok {
		return allowed, nil
	}
	asked.body = bytes.Clone(d.body[:len(d.body)-8])
	return c.share(ctx, key, asked, now)
}

// share asks, unless the very same question is on its way. The request has a context of its
// own: a caller that gives up does not fail the others, and what the request is sent with does
// not depend on one of them.
func (c *condition) share(ctx context.Context, key digest, asked evaluation, now time.Time) (bool, error) {
	return c.point.flights.join(ctx, key, run[bool]{
		known: func() (bool, bool) { return c.point.cache.get(key, now) },
		do: func() (bool, error) {
			allowed, err := c.point.ask(context.Background(), asked)
			if err == nil {
				c.point.cache.put(key, allowed, now.Add(c.cacheFor))
			}
			return allowed, err
		},
		now: now, since: now.Add(-c.cacheFor),
	})
}
