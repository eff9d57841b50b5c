package main

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCheck: the oracle compares the class, the subject or the scopes, and whether
// the handler ran.
func TestCheck(t *testing.T) {
	t.Parallel()
	world := &world{handlers: &handlers{slots: make([]slot, 1)}}
	now := &rules{methods: map[string]need{"/s.S/Public": {public: true}, "/s.S/Read": {all: []string{scopeRead}}}}
	if err := world.generations.replace(&generation{rules: now, keys: &fetches{sets: make([]keySet, 1)}}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	none := &credential{name: "none", form: formNone}
	for name, tt := range map[string]struct {
		procedure string
		got       verdict
		ran       int
		want      string // "" if it is right
	}{
		"let in":                     {"/s.S/Public", verdict{allowed, anonymous}, 1, ""},
		"denied":                     {"/s.S/Read", verdict{noCredentials, scopeRead}, 0, ""},
		"let in by mistake":          {"/s.S/Read", verdict{allowed, anonymous}, 1, "none of those expected"},
		"refused by mistake":         {"/s.S/Public", verdict{noCredentials, ""}, 0, "none of those expected"},
		"another subject":            {"/s.S/Public", verdict{allowed, "ada"}, 1, "none of those expected"},
		"other scopes":               {"/s.S/Read", verdict{noCredentials, scopeWrite}, 0, "none of those expected"},
		"no rule, but a challenge":   {"/s.S/Write", verdict{notFound, ""}, 0, "none of those expected"},
		"the handler did not run":    {"/s.S/Public", verdict{allowed, anonymous}, 0, "did not run once"},
		"the handler ran twice":      {"/s.S/Public", verdict{allowed, anonymous}, 2, "did not run once"},
		"the handler ran":            {"/s.S/Read", verdict{noCredentials, scopeRead}, 1, "although the call was denied"},
		"the handler ran afterwards": {"/s.S/Read", verdict{noCredentials, scopeRead}, -1, "after its call had ended"},
	} {
		var out bytes.Buffer
		w := &worker{world: world, tally: newTally(&out)}
		s := &world.handlers.slots[0]
		s.runs.Store(0)
		if tt.ran < 0 {
			s.runs.Store(1)
		}
		r := &request{call: call{credential: none, rule: tt.procedure, procedure: tt.procedure}}
		w.perform(r, func(context.Context, *request) verdict {
			s.runs.Add(int64(max(0, tt.ran)))
			return tt.got
		})
		if tt.want == "" && out.Len() > 0 || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: got %q, want %q", name, out.String(), tt.want)
		}
	}
}

// TestStates: a token may be valid, invalid or not to be judged, by the key sets
// that were in force during the call.
func TestStates(t *testing.T) {
	t.Parallel()
	start := time.Now()
	set := func(begun time.Time, ids ...string) keySet {
		s := keySet{ids: make(map[string]bool), begun: begun}
		for _, id := range ids {
			s.ids[id] = true
		}
		return s
	}
	long, soon := start.Add(-time.Hour), start.Add(time.Millisecond)
	token := credential{keyID: "a", expiry: start.Add(time.Hour)}
	change := func(f func(*credential)) *credential {
		changed := token
		f(&changed)
		return &changed
	}
	for name, tt := range map[string]struct {
		credential *credential
		sets       []keySet
		known      int64
		ended      time.Time // of the last request of the verifier
		want       states
	}{
		"known":                  {&token, []keySet{{}, set(long, "a")}, 1, long, states{valid: true}},
		"known or not":           {&token, []keySet{{}, set(long, "a")}, 0, start, states{valid: true, unavailable: true}},
		"no key, and no fetch":   {&token, []keySet{{}}, 0, long, states{}},
		"no key":                 {&token, []keySet{{}}, 0, start, states{unavailable: true}},
		"withdrawn before":       {&token, []keySet{{}, set(long, "a"), set(long, "b")}, 2, start, states{unavailable: true}},
		"withdrawn since":        {&token, []keySet{{}, set(long, "a"), set(long, "b")}, 1, start, states{valid: true, unavailable: true}},
		"withdrawn, and fetched": {&token, []keySet{{}, set(long, "b"), set(soon, "b")}, 1, start, states{invalid: true, unavailable: true}},
		"forged":                 {change(func(c *credential) { c.forged = true }), []keySet{{}, set(long, "a")}, 1, start, states{invalid: true}},
		"broken":                 {change(func(c *credential) { c.broken = true }), []keySet{{}}, 0, start, states{invalid: true}},
		"expired":                {change(func(c *credential) { c.expiry = start }), []keySet{{}, set(long, "a")}, 1, start, states{invalid: true}},
		"expires meanwhile":      {change(func(c *credential) { c.expiry = soon }), []keySet{{}, set(long, "a")}, 1, start, states{valid: true, invalid: true}},
		"no token":               {&credential{form: formNone}, []keySet{{}}, 0, start, states{}},
	} {
		keys := &fetches{sets: tt.sets, ended: tt.ended}
		if got := tt.credential.judge(keys, tt.known, &window{start: start, end: start.Add(time.Second)}); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

// TestFurther: what is decided after the first rule has let a call in, by a token
// that may expire meanwhile.
func TestFurther(t *testing.T) {
	t.Parallel()
	start := time.Now()
	good := &credential{keyID: "a", subject: "ada", scopes: []string{scopeRead}, audience: []string{"here"}, expiry: start.Add(time.Hour)}
	short := *good
	short.expiry = start.Add(time.Millisecond)
	r := &rules{
		methods:  map[string]need{"/s.S/Write": {all: []string{scopeWrite}}, "/" + unaryService + "/M0": {public: true}, "/" + unaryService + "/M1": {authenticated: true}},
		services: map[string]need{"s.Read": {all: []string{scopeRead}}, "s.Public": {public: true}},
	}
	for name, tt := range map[string]struct {
		call call
		want string
	}{
		"Check":                          {call{credential: good, rule: "s.Read", further: checked, procedure: "/s.S/Write"}, "scope (write read)"},
		"Check of an expired token":      {call{credential: &short, rule: "s.Read", further: checked, procedure: "/s.S/Write"}, "invalid token (read), scope (write read), invalid token (write)"},
		"Check of an anonymous caller":   {call{credential: good, rule: "s.Public", further: checked, procedure: "/s.S/Write"}, "no credentials (write)"},
		"a tool":                         {call{credential: good, rule: "s.Public", further: operation, procedure: "/s.S/Write"}, "scope (write)"},
		"a tool of an expired token":     {call{credential: &short, rule: "s.Read", further: operation, procedure: "/s.S/Write"}, "invalid token (read), scope (write read), invalid token (write read)"},
		"a tool without a rule":          {call{credential: good, rule: "s.Read", further: operation, procedure: "/s.S/None"}, "unknown ()"},
		"a session of another":           {call{credential: good, rule: "s.Read", further: operation, procedure: "/s.S/Write", owner: &credential{subject: "eve"}}, "foreign ()"},
		"a list":                         {call{credential: good, rule: "s.Read", further: listed}, "allowed (M0 M1)"},
		"a list for an anonymous caller": {call{credential: good, rule: "s.Public", further: listed}, "allowed (M0)"},
		"a list for an expired one":      {call{credential: &short, rule: "s.Read", further: listed}, "invalid token (read), allowed (*)"},
	} {
		var g generations
		keys := &fetches{sets: []keySet{{ids: map[string]bool{"a": true}}}}
		if err := g.replace(&generation{rules: r, keys: keys}, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		tt.call.audience = "here"
		var all []string
		for _, one := range g.expected(&tt.call, &window{start: start, end: start.Add(time.Second), from: 1, to: 1, keys: keys}) {
			all = append(all, one.String())
		}
		if got := strings.Join(all, ", "); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// TestDraw: every surface and every credential is drawn, and every kind of rule is
// met by each method.
func TestDraw(t *testing.T) {
	t.Parallel()
	w, err := newWorld(t.Context(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.mint.renew()
	rng := rand.New(rand.NewPCG(1, 1))
	drawn := make(map[string]bool)
	for range 4000 {
		surface := drawSurface(rng)
		drawn[surfaceNames[surface]], drawn[w.draw(rng, surface, 0).credential.name] = true, true
	}
	for _, name := range append(surfaceNames[:expiringStream], credentialNames...) {
		if !drawn[name] {
			t.Errorf("%q was not drawn", name)
		}
	}
	for _, method := range methods {
		met := make(map[string]bool)
		for _, rules := range allRules() {
			met[rules.of("/"+unaryService+"/"+method).String()] = true
		}
		if len(met) < len(needs)-1 { // one is replaced by the rule of the service
			t.Errorf("%s has met %v", method, met)
		}
	}
}

// TestBlame: what is printed of wrong decisions is bounded, and all are counted.
func TestBlame(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tally := newTally(&out)
	var group sync.WaitGroup
	for range 3 * shown {
		group.Go(func() { tally.blame("one") })
	}
	group.Wait()
	if printed := strings.Count(out.String(), "WRONG DECISION: one\n"); printed != shown || tally.wrong.Load() != 3*shown {
		t.Errorf("printed %d of %d", printed, tally.wrong.Load())
	}
}

// TestRecords: what is logged is counted, whatever it has.
func TestRecords(t *testing.T) {
	t.Parallel()
	var r records
	slog.New(&r).With("a", 1).WithGroup("b").Info("c")
	if r.logged.Load() != 1 {
		t.Errorf("logged %d", r.logged.Load())
	}
}
