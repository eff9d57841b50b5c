package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// class is how a call ends.
type class uint8

const (
	allowed class = iota
	noCredentials
	invalidRequest
	invalidToken
	insufficientScope
	notFound
	unavailable
	unknown // of an MCP server: it has no such thing
	foreign // of an MCP server: the session belongs to another caller
	failed  // in any other way, which is always wrong
)

const classes = int(failed) + 1

var classNames = [classes]string{
	"allowed", "no credentials", "invalid request", "invalid token", "scope", "not found", "unavailable", "unknown", "foreign", "failed",
}

// A verdict is the outcome of a call. The detail is the subject that the handler
// saw, or the scopes that a challenge named.
type verdict struct {
	class  class
	detail string
}

// anonymous is the subject that a handler sees of a caller without a token, and
// anything a detail that is not compared.
const (
	anonymous = "-"
	anything  = "*"
)

func denied(c class, scopes []string) verdict { return verdict{c, strings.Join(scopes, " ")} }

func (v verdict) String() string { return fmt.Sprintf("%s (%s)", classNames[v.class], v.detail) }

func (v verdict) matches(expected verdict) bool {
	return v.class == expected.class && (v.detail == expected.detail || expected.detail == anything) && v.class != failed
}

// further is how a call is decided after its first rule has let it in.
type further uint8

const (
	nothing   further = iota
	checked           // by Authorizer.Check, of the caller that the first rule let in
	operation         // by an MCP server, which looks for a token if the first rule did not
	listed            // an MCP server shows what the caller could use
	endpoint          // an MCP server, which asks for nothing else
)

// A call is what the oracle knows about one before it is made.
type call struct {
	credential *credential
	audience   string // the resource that it goes to
	rule       string // the procedure, or the service of a plain handler
	further    further
	procedure  string      // the second rule
	owner      *credential // of the MCP session that it names
}

// A window is the time of a call, and what was in force meanwhile.
type window struct {
	start, end time.Time
	from, to   uint64 // generations
	keys       *fetches
	known      int64 // the key set of keys that was in force at least
}

// open begins the window of a call.
func (g *generations) open() *window {
	current := g.at(g.settled.Load())
	return &window{from: current.number, keys: current.keys, known: current.keys.confirmed.Load(), start: time.Now()}
}

// close ends the window.
func (g *generations) close(w *window) {
	w.end = time.Now()
	w.to = g.begun.Load()
}

// expected returns every verdict that a call may have had, one generation after the
// other. It asks nothing of drawbridge.
func (g *generations) expected(c *call, w *window) []verdict {
	var all []verdict
	for number := w.from; number <= w.to; number++ {
		current := g.at(number)
		known := int64(0)
		if current.keys == w.keys {
			known = w.known
		}
		j := &judge{rules: current.rules, states: c.credential.judge(current.keys, known, w), call: c, window: w}
		all = append(all, j.verdicts()...)
	}
	return all
}

// judge returns what a verifier may make of a credential during a window.
func (c *credential) judge(keys *fetches, known int64, w *window) states {
	if c.form != formBearer {
		return states{}
	}
	if c.broken || !w.start.Before(c.expiry) {
		return states{invalid: true}
	}
	s := keys.judge(c, known, w)
	s.invalid = s.invalid || !w.end.Before(c.expiry)
	return s
}

// judge decides a call by one generation.
type judge struct {
	rules  *rules
	states states
	call   *call
	window *window
}

// verdicts returns what the call may have come to.
func (j *judge) verdicts() []verdict {
	var all []verdict
	for _, first := range j.decide(j.rules.of(j.call.rule)) {
		if first.class != allowed {
			all = append(all, first)
			continue
		}
		all = append(all, j.further(first.detail)...)
	}
	return all
}

// decide judges a request by a need.
func (j *judge) decide(n need) (all []verdict) {
	c := j.call.credential
	switch {
	case n.public:
		return []verdict{{allowed, anonymous}}
	case c.form == formNone:
		return []verdict{denied(noCredentials, n.ask())}
	case c.form == formMalformed:
		return []verdict{denied(invalidRequest, n.ask())}
	}
	if j.states.unavailable {
		all = append(all, verdict{class: unavailable})
	}
	if j.states.invalid {
		all = append(all, denied(invalidToken, n.ask()))
	}
	if j.states.valid {
		all = append(all, j.weigh(n))
	}
	return all
}

// weigh judges a valid token.
func (j *judge) weigh(n need) verdict {
	c := j.call.credential
	switch {
	case !slices.Contains(c.audience, j.call.audience), c.bound:
		return denied(invalidToken, n.ask())
	case n.isZero():
		return verdict{class: notFound}
	case !j.rules.satisfy(n, c.scopes):
		return denied(insufficientScope, n.ask())
	default:
		return verdict{allowed, c.subject}
	}
}

// further judges a call that its first rule has let in, with the subject that it
// saw.
func (j *judge) further(subject string) []verdict {
	first, n := j.rules.of(j.call.rule), j.rules.of(j.call.procedure)
	owner := j.call.owner
	switch {
	case j.call.further == nothing:
		return []verdict{{allowed, subject}}
	case owner != nil && subject != anonymous && subject != owner.subject:
		return []verdict{{class: foreign}}
	case j.call.further == endpoint:
		return []verdict{{allowed, anything}}
	case j.call.further == listed:
		return []verdict{{allowed, j.list(subject)}}
	case n.public:
		return []verdict{{allowed, subject}}
	case subject == anonymous && j.call.further == checked:
		return []verdict{denied(noCredentials, n.ask())}
	case subject == anonymous:
		return j.asOperation(j.decide(n))
	}
	all := []verdict{j.weigh(n)}
	if all[0].class == insufficientScope {
		all[0] = denied(insufficientScope, j.rules.join(n.ask(), first))
	}
	if !j.window.end.Before(j.call.credential.expiry) {
		// It may have expired between the two decisions.
		scopes := n.ask()
		if j.call.further == operation {
			scopes = j.rules.join(scopes, first)
		}
		all = append(all, denied(invalidToken, scopes))
	}
	return j.asOperation(all)
}

// asOperation returns what an MCP server makes of verdicts: where there is no rule,
// there is no tool.
func (j *judge) asOperation(all []verdict) []verdict {
	for i := range all {
		if j.call.further == operation && all[i].class == notFound {
			all[i].class = unknown
		}
	}
	return all
}

// list returns the tools that a caller is shown.
func (j *judge) list(subject string) string {
	if subject != anonymous && !j.window.end.Before(j.call.credential.expiry) {
		return anything
	}
	var shown []string
	for _, method := range methods {
		n := j.rules.of("/" + unaryService + "/" + method)
		if n.public || subject != anonymous && !n.isZero() {
			shown = append(shown, method)
		}
	}
	return strings.Join(shown, " ")
}
