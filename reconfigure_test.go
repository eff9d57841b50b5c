package drawbridge_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// generation is a configuration of which every part shows in an outcome, so that a
// mix of two is noticed. The token t has the facts of the generation that verified
// it.
func generation(name string) drawbridge.Config {
	cfg := config()
	identifier := base + "/" + name
	cfg.Resources = resources(identifier)
	cfg.Policy = policy.Policy{Services: map[string]policy.Service{
		"a.v1.A": {Rule: policy.Rule{Scopes: []string{name}}, NoDescriptor: true},
		"b.v1.B": {Rule: policy.Rule{Scopes: []string{"b-" + name}}, NoDescriptor: true},
		"c.v1.C": {Rule: policy.Rule{Authenticated: true}, NoDescriptor: true},
	}}
	info := &token.Info{Issuer: issuer, Subject: name, Audience: []string{identifier}, Scopes: []string{name}}
	cfg.Verifier = &known{tokens: map[string]*token.Info{"t": info}}
	return cfg
}

const (
	procA = "/a.v1.A/Get"
	procB = "/b.v1.B/Get"
	procC = "/c.v1.C/Get"
)

func callOf(procedure string) sent { return sent{Procedure: procedure, Authorization: bearer("t")} }

// generationOf returns the name of the one generation that decides in ctx, or of
// that of new calls, and fails if the answers are of different ones.
func generationOf(ctx context.Context, a *drawbridge.Authorizer) (string, error) {
	outer, err := authorize(ctx, a, callOf(procA))
	if err != nil {
		return "", err
	}
	name := subject(outer)
	caller := a.Adapter().Caller(outer)
	inner, err := authorize(outer, a, callOf(procC))
	if err != nil {
		return "", fmt.Errorf("an inner call: %w", err)
	}
	_, denied := authorize(outer, a, callOf(procB))
	_, none := authorize(outer, a, sent{Procedure: procA})
	checked, expired := a.Check(outer, procB), caller.Expire(outer, procA)
	for what, got := range map[string]string{
		"an inner call":            subject(inner),
		"JoinScopes":               strings.Join(caller.JoinScopes(nil, procB), " "),
		"a denial of a call":       describe(denied),
		"a denial of Check":        describe(checked),
		"a denial without a token": describe(none),
		"the denial of a stream":   describe(expired),
		"MetadataURL":              metadataURL(outer, a, callOf(procB)),
	} {
		want := map[string]string{
			"an inner call":            name,
			"JoinScopes":               "b-" + name + " " + name,
			"a denial of a call":       "insufficient_scope b-" + name + " " + base + wellKnown + "/" + name,
			"a denial of Check":        "insufficient_scope b-" + name + " " + name + " " + base + wellKnown + "/" + name,
			"a denial without a token": "no_credentials " + name + " " + base + wellKnown + "/" + name,
			"the denial of a stream":   "invalid_token " + name + " " + base + wellKnown + "/" + name,
			"MetadataURL":              base + wellKnown + "/" + name,
		}[what]
		if got != want {
			return "", fmt.Errorf("%s in generation %s: got %q, want %q", what, name, got, want)
		}
	}
	return name, nil
}

// describe returns what shows of the configuration in a denial.
func describe(err error) string {
	denial := challenge.DenialOf(err)
	return denial.Reason.String() + " " + strings.Join(denial.Challenge.Scopes, " ") + " " + denial.Challenge.ResourceMetadataURL
}

// TestReconfigure: a new configuration counts for new calls, and one with faults
// changes nothing.
func TestReconfigure(t *testing.T) {
	t.Parallel()
	a, err := drawbridge.New(generation("old"))
	if err != nil {
		t.Fatal(err)
	}
	adapter := a.Adapter() // taken before the reload, used after it
	faulty := generation("new")
	faulty.Verifier, faulty.Resources[0].Identifier = nil, ""
	more := generation("new")
	more.Policy.Services["d.v1.D"] = policy.Service{Rule: policy.Rule{Public: true}, NoDescriptor: true}
	for _, tt := range []struct {
		name   string
		cfg    drawbridge.Config
		faults int
		want   string
		more   bool
	}{
		{"faults", faulty, 2, "old", false},
		{"the same", generation("old"), 0, "old", false},
		{"another", more, 0, "new", true},
		{"faults again", faulty, 2, "new", true},
		{"back", generation("old"), 0, "old", false},
	} {
		err := a.Reconfigure(tt.cfg)
		if got := strings.Count(fmt.Sprint(err), "\n") + 1; (err != nil) != (tt.faults > 0) || err != nil && got != tt.faults {
			t.Errorf("%s: got %v, want %d faults", tt.name, err, tt.faults)
		}
		if got, err := generationOf(t.Context(), a); got != tt.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if adapter.HasRule("/d.v1.D/Get") != tt.more || adapter.HasServiceRule("d.v1.D") != tt.more || adapter.KnowsService("d.v1.D") != tt.more {
			t.Errorf("%s: the Adapter has the rules of another configuration", tt.name)
		}
		document, ok := a.Metadata(t.Context(), sent{Path: wellKnown + "/" + tt.want}.Request())
		if !ok || document.Resource != base+"/"+tt.want || !slices.Contains(document.ScopesSupported, tt.want) {
			t.Errorf("%s: got the document %+v", tt.name, document)
		}
	}
}

// TestReconfigureInFlight: a call keeps the configuration of its first decision
// until it ends.
func TestReconfigureInFlight(t *testing.T) {
	t.Parallel()
	a, err := drawbridge.New(generation("old"))
	if err != nil {
		t.Fatal(err)
	}
	first := enter(t.Context(), t, a, callOf(procC))
	public := generation("new")
	public.Policy.Services["b.v1.B"] = policy.Service{Rule: policy.Rule{Public: true}, NoDescriptor: true}
	delete(public.Policy.Services, "c.v1.C")
	if err := a.Reconfigure(public); err != nil {
		t.Fatal(err)
	}
	if got, err := generationOf(first, a); got != "old" || err != nil {
		t.Errorf("in flight: got %q, %v", got, err)
	}
	if again := enter(first, t, a, callOf(procC)); again != first {
		t.Error("the decision of the first configuration does not stand")
	}
	wantOutcome(t, a.Check(first, procC), letIn)
	wantOutcome(t, a.Check(first, procB), challenge.ReasonInsufficientScope)
	// A session keeps the caller, and its configuration with it.
	session := a.Adapter().Caller(first).NewContext(t.Context())
	wantOutcome(t, a.Check(session, procB), challenge.ReasonInsufficientScope)
	// A call that begins now has other rules.
	_, err = authorize(t.Context(), a, callOf(procB))
	wantOutcome(t, err, letIn)
	_, err = authorize(t.Context(), a, callOf(procC))
	wantOutcome(t, err, challenge.ReasonNotFound)
	wantOutcome(t, a.Check(enter(t.Context(), t, a, callOf(procA)), procB), letIn)
}

// TestReconfigureUnderLoad: 1,000 reloads between two configurations, under calls.
// Each call sees one of the two, and never parts of both.
func TestReconfigureUnderLoad(t *testing.T) {
	t.Parallel()
	a, err := drawbridge.New(generation("old"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	var group sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if name, err := generationOf(ctx, a); err != nil || name != "old" && name != "new" {
					t.Errorf("got %q, %v", name, err)
					return
				}
			}
		})
	}
	for i := range 1000 {
		cfg := generation([]string{"old", "new"}[i%2])
		if i%10 == 0 {
			cfg.Verifier = nil // is refused, and leaves the state as it is
		}
		if err := a.Reconfigure(cfg); (err != nil) != (cfg.Verifier == nil) {
			t.Error(err)
		}
		runtime.Gosched()
	}
	close(done)
	group.Wait()
}

// TestReconfigureKeepsHeapFlat: a configuration goes with everything that hangs on
// it, also the forms of its denials. It must run alone: it measures the heap.
func TestReconfigureKeepsHeapFlat(t *testing.T) {
	large := func() drawbridge.Config {
		cfg := generation("old")
		for i := range 50 {
			cfg.Policy.Services[fmt.Sprintf("large.v1.Service%d", i)] = policy.Service{Rule: policy.Rule{Scopes: []string{fmt.Sprintf("s%d", i)}}, NoDescriptor: true}
		}
		cfg.Resources[0].Aliases = []string{alias}
		return cfg
	}
	a, err := drawbridge.New(large())
	if err != nil {
		t.Fatal(err)
	}
	reload := func(times int) {
		for range times {
			if err := a.Reconfigure(large()); err != nil {
				t.Fatal(err)
			}
			for i := range 50 {
				_, err := authorize(t.Context(), a, sent{Procedure: fmt.Sprintf("/large.v1.Service%d/Get", i)})
				_ = denialOf(t, err, challenge.ReasonNoCredentials).Response()
			}
		}
	}
	reload(10)
	before := heap()
	reload(1000)
	// One configuration and its denials take about 100 KiB here.
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("after 1000 reloads the heap has grown by %d bytes", grown)
	}
	runtime.KeepAlive(a)
}

// heap returns the size of the live objects.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
