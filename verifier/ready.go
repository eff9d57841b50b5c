package verifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
)

// errNotFetched is the reason of a key set that nothing has asked for.
var errNotFetched = errors.New("the key set has not been fetched yet")

// Warm fetches the metadata and the key set of every issuer, unless they are there
// already, so that the first token does not wait for them. It waits for the fetches
// until ctx ends. Its error names every issuer that could not be reached, and
// unwraps to [token.ErrUnavailable]; the verifier recovers by itself whether Warm is
// called again or not. Tenants that AcceptTenant decides about are not known yet.
//
// For each issuer, at most one fetch starts per second: within a second of one that
// failed, Warm returns its error without waiting.
func (v *Verifier) Warm(ctx context.Context) error {
	prepare := v.front.router.preparations()
	failed := make([]error, len(prepare))
	var group sync.WaitGroup
	for i, p := range prepare {
		group.Go(func() {
			if err := p.warm(ctx); err != nil {
				failed[i] = fmt.Errorf("%s: %w", p.issuer, err)
			}
		})
	}
	group.Wait()
	return errors.Join(failed...)
}

// Ready returns nil if the verifier can verify the tokens of at least one issuer,
// and otherwise the reasons why not, an error that unwraps to [token.ErrUnavailable]
// and is meant for a log. It does not wait.
//
// It is for a readiness probe, which must not fail on all servers because one of
// several issuers is out of reach; [Verifier.Warm] and [Verifier.Stats] tell about
// each. Where nothing is known of an issuer, it starts a fetch in the background if
// none has started within the last second, so a server that gets no requests before
// it is ready becomes ready. Once a verifier has keys, it stays ready: during an
// outage of the issuer it goes on with the last good ones.
func (v *Verifier) Ready() error {
	var failed []error
	isReady := false
	for _, p := range v.front.router.preparations() {
		if err := p.ready(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.issuer, err))
		} else {
			isReady = true
		}
	}
	if isReady {
		return nil
	}
	return errors.Join(failed...)
}

// A preparation makes a source ready before its first token.
type preparation struct {
	issuer string
	warm   func(context.Context) error
	ready  func() error
}

func (r *router) preparations() []preparation {
	var all []preparation
	add := func(i *issuer) {
		all = append(all, preparation{i.claims.issuer, i.warm, i.keys.ready})
	}
	for _, i := range r.issuers {
		add(i)
	}
	for _, t := range r.tenants {
		for _, tenant := range t.config.Tenants {
			if i, err := t.issuer(tenant); err == nil {
				add(i)
			}
		}
		if t.config.AcceptTenant != nil {
			// Nothing is known of its tenants before their tokens come.
			all = append(all, preparation{t.config.Issuer, func(context.Context) error { return nil }, func() error { return nil }})
		}
	}
	for _, i := range r.introspectors {
		all = append(all, preparation{i.issuer, i.endpoint.warm, i.endpoint.ready})
	}
	return all
}

func (i *issuer) warm(ctx context.Context) error {
	_, err := i.keys.load(ctx, i.keys.now())
	return err
}

// ready implements [Verifier.Ready].
func (s *keySet) ready() error {
	if s.current.Load() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Load() != nil {
		return nil
	}
	if s.isCool() {
		s.join()
	}
	return unavailable(cmp.Or(s.lastErr, errNotFetched))
}
