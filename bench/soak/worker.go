package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// callTimeout ends a call that hangs. That is a wrong decision.
const callTimeout = time.Minute

// A worker makes one call at a time, in the slot of its number.
type worker struct {
	world *world
	tally *tally
	rng   *rand.Rand
	pause *sync.RWMutex // held while a sample is taken
	slot  int
	runs  int64 // how often a handler may have run
}

// run makes calls until the context ends, or next reports false.
func (w *worker) run(ctx context.Context, next func() bool) {
	for ctx.Err() == nil && next() {
		w.pause.RLock()
		w.call(w.world.draw(w.rng, drawSurface(w.rng), w.slot))
		w.pause.RUnlock()
	}
}

// call makes a call of a surface.
func (w *worker) call(r *request) {
	switch {
	case r.surface == mcpSession:
		w.visit(r)
	case r.surface >= plainHandler && r.surface <= relayHandler:
		w.perform(r, w.world.get)
	case r.surface == mcpCall, r.surface == mcpList, r.surface == mcpRead:
		w.perform(r, w.world.operate)
	case r.surface == grpcGo && r.service == unaryService:
		w.perform(r, w.world.grpcUnary)
	case r.service == unaryService:
		w.perform(r, w.world.connectUnary)
	default:
		w.perform(r, w.world.stream)
	}
}

// perform makes a call, and compares its outcome with what the oracle expects.
func (w *worker) perform(r *request, do func(context.Context, *request) verdict) {
	w.performAs(r, r.surface, do)
}

func (w *worker) performAs(r *request, surface int, do func(context.Context, *request) verdict) verdict {
	s := &w.world.handlers.slots[w.slot]
	if runs := s.runs.Load(); runs != w.runs {
		w.tally.blame("a handler ran %d times after its call had ended", runs-w.runs)
		w.runs = runs
	}
	// Calls end by themselves when the soak does.
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	window := w.world.generations.open()
	got := do(ctx, r)
	w.world.generations.close(window)
	w.tally.add(surface, r.credential, got.class)
	ran := s.runs.Load() - w.runs
	w.runs += ran
	w.check(r, surface, window, got, ran)
	return got
}

// check compares a verdict with those that the oracle expects, and with whether the
// handler ran.
func (w *worker) check(r *request, surface int, window *window, got verdict, ran int64) {
	expected := w.world.generations.expected(&r.call, window)
	found := false
	for _, one := range expected {
		found = found || got.matches(one)
	}
	reaches := r.further != listed && r.further != endpoint
	expires := window.start.Before(r.credential.expiry) && !window.end.Before(r.credential.expiry)
	var fault string
	switch {
	case !found:
		fault = "the outcome is none of those expected"
	case got.class == allowed && reaches && ran != 1:
		fault = "the handler did not run once"
	case got.class != allowed && ran != 0 && !expires:
		fault = "the handler ran although the call was denied"
	default:
		return
	}
	w.tally.blame("%s\n  surface %s, %s, then %s; credential %s of %s with %q for %q\n  got %v, the handler ran %d times\n  expected %v\n  generations %d to %d: %s",
		fault, surfaceNames[surface], r.rule, r.procedure, r.credential.name, r.credential.keyID, r.credential.scopes, r.credential.audience,
		got, ran, expected, window.from, window.to, w.explain(r, window))
}

// explain returns the needs of the generations of a window.
func (w *worker) explain(r *request, window *window) string {
	var each []string
	for number := window.from; number <= window.to; number++ {
		rules := w.world.generations.at(number).rules
		each = append(each, fmt.Sprintf("%v, then %v", rules.of(r.rule), rules.of(r.procedure)))
	}
	return strings.Join(each, "; ")
}

// visit opens an MCP session, calls a tool in it, sometimes as another caller, and
// closes it.
func (w *worker) visit(r *request) {
	opening := *r
	opening.further = endpoint
	session := ""
	step := func(message string) func(context.Context, *request) verdict {
		return func(ctx context.Context, r *request) verdict {
			answer, err := w.world.post(ctx, r, sessionPath, message, session)
			if err != nil {
				return verdict{failed, err.Error()}
			}
			if opened := answer.header.Get(sessionID); opened != "" {
				session = opened
			}
			return answer.verdict()
		}
	}
	w.perform(&opening, step(initialize))
	if session == "" {
		return // it was refused, or the endpoint is public
	}
	opening.owner, r.owner = r.credential, r.credential
	w.perform(&opening, step(initialized))
	if w.rng.IntN(2) == 0 {
		r.credential = w.world.mint.draw(w.rng)
	}
	w.perform(r, step(callTool(r.method)))
	w.end(&opening, session)
}

// end closes a session, as soon as the policy lets its owner do so. Otherwise it
// times out.
func (w *worker) end(r *request, session string) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for range 20 {
		answer, err := w.world.send(ctx, r, http.MethodDelete, w.world.origin+sessionPath, http.Header{sessionID: {session}}, nil)
		if err != nil || answer.status == http.StatusNoContent {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
