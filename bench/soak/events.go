package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// A pace is how often what happens, on average.
type pace struct {
	reload   time.Duration // of the policy
	verifier time.Duration // a new one, without keys
	rotation time.Duration // of the issuer's keys
	outage   time.Duration // of the issuer
	length   time.Duration // of an outage, at most
	short    time.Duration // a new token that expires soon
}

var defaultPace = pace{
	reload:   50 * time.Millisecond,
	verifier: 10 * time.Second,
	rotation: 4 * time.Second,
	outage:   5 * time.Second,
	length:   900 * time.Millisecond,
	short:    250 * time.Millisecond,
}

// counts are how often each event has happened.
type counts struct{ reloads, verifiers, rotations, withdrawals, outages int }

// events makes everything happen that may change a decision. It runs in one
// goroutine.
type events struct {
	world    *world
	rng      *rand.Rand
	pace     pace
	policies []*rules
	keys     *fetches
	recover  func() // ends the outage, if there is one
	counts   counts
}

// run returns the first error of a reconfiguration.
func (e *events) run(ctx context.Context) error {
	steps := []struct {
		every time.Duration
		do    func() error
	}{
		{e.pace.short, func() error { e.world.mint.renewShorts(); return nil }},
		{e.pace.reload, e.reload},
		{e.pace.verifier, e.renewVerifier},
		{e.pace.rotation, e.rotate},
		{e.pace.outage, e.fail},
	}
	due := make([]time.Time, len(steps))
	for i, step := range steps {
		due[i] = time.Now().Add(e.about(step.every))
	}
	ticker := time.NewTicker(e.pace.reload / 5)
	defer ticker.Stop()
	var recovery time.Time
	for {
		select {
		case <-ctx.Done():
			e.endOutage()
			return nil
		case <-ticker.C:
		}
		now := time.Now()
		if e.recover != nil && now.After(recovery) {
			e.endOutage()
		}
		before := e.counts.outages
		for i, step := range steps {
			if now.Before(due[i]) {
				continue
			}
			due[i] = now.Add(e.about(step.every))
			if err := step.do(); err != nil {
				return err
			}
		}
		if e.counts.outages != before {
			recovery = now.Add(e.about(e.pace.length * 2 / 3))
		}
	}
}

// about returns a duration from a half of d to three halves of it.
func (e *events) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(e.rng.Int64N(int64(d)+1))
}

func (e *events) reload() error {
	e.counts.reloads++
	return e.world.reconfigure(&generation{rules: e.policies[e.rng.IntN(len(e.policies))], keys: e.keys})
}

// renewVerifier replaces the verifier by one that has no keys yet.
func (e *events) renewVerifier() error {
	e.counts.verifiers++
	verifier, keys, err := e.world.newVerifier()
	if err != nil {
		return err
	}
	e.world.verifier, e.keys = verifier, keys
	return e.reload()
}

// rotate replaces the key of the issuer, and half of the time takes the older ones
// out of its key set.
func (e *events) rotate() error {
	e.counts.rotations++
	e.world.issuer.RotateKeys()
	if e.rng.IntN(2) == 0 {
		e.counts.withdrawals++
		e.world.issuer.WithdrawOldKeys()
	}
	e.world.mint.renew()
	return nil
}

// fail begins an outage of the issuer.
func (e *events) fail() error {
	e.endOutage()
	e.counts.outages++
	issuer := e.world.issuer
	broken := authtest.Answer(http.StatusServiceUnavailable, "text/plain", "down for maintenance")
	e.recover = issuer.Up
	switch e.counts.outages % 6 {
	case 0:
		issuer.Down()
	case 1:
		e.world.refused.Store(true)
		e.recover = func() { e.world.refused.Store(false) }
	case 2:
		issuer.HandleDiscovery(broken)
	case 3:
		issuer.HandleKeySet(broken)
	case 4:
		issuer.HandleKeySet(authtest.Answer(http.StatusOK, "application/json", `{"keys":[]}`))
	default:
		_, e.recover = issuer.HoldKeySet()
	}
	return nil
}

func (e *events) endOutage() {
	if e.recover != nil {
		e.recover()
		e.recover = nil
	}
}

// reconfigure puts a generation in force.
func (w *world) reconfigure(next *generation) error {
	cfg := w.config(next)
	return w.generations.replace(next, func() error { return w.authorizer.Reconfigure(cfg) })
}

// config returns the configuration of a generation.
func (w *world) config(g *generation) drawbridge.Config {
	rules, known := g.rules.policy()
	resource := func(identifier string, services ...string) drawbridge.Resource {
		r := drawbridge.Resource{Identifier: identifier, AuthorizationServers: []string{w.issuer.URL}}
		for _, service := range services {
			if known[service] {
				r.Services = append(r.Services, service)
			}
		}
		return r
	}
	cfg := drawbridge.Config{
		Resources: []drawbridge.Resource{
			resource(w.origin, unaryService, clientService, serverService, bidiService, filesService, frontService),
			resource(w.origin+mcpPath, toolsService, unaryService),
		},
		Policy:    rules,
		Verifier:  w.verifier,
		Observers: []drawbridge.Observer{&w.observed},
		Logger:    w.logger,
	}
	if w.tamper != nil {
		w.tamper(&cfg)
	}
	return cfg
}
