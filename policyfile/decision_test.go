package policyfile_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

const (
	resource = "https://api.example.com"
	issuer   = "https://login.example.com"
)

// anyToken verifies any token: it has the scope read.
type anyToken struct{}

func (anyToken) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return &token.Info{Issuer: issuer, Subject: "ada", Audience: []string{resource}, Scopes: []string{"read"}, Expiry: time.Now().Add(time.Hour)}, nil
}

// withToken is the Transport of a call with a token.
type withToken struct{}

func (withToken) Values(_ context.Context, name string) []string {
	if name == "Authorization" {
		return []string{"Bearer t"}
	}
	return nil
}
func (withToken) Host(context.Context) string { return "api.example.com" }
func (withToken) Connection(context.Context) (string, *tls.ConnectionState) {
	return "192.0.2.1:1", nil
}

// serverConfig is the configuration of a server, but for the policy.
func serverConfig() drawbridge.Config {
	return drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: resource, AuthorizationServers: []string{issuer}}},
		Verifier:  anyToken{}, Logger: slog.New(slog.DiscardHandler),
	}
}

// reloading is a server whose policy is a file. Each file has a number, by which a
// decision shows what decided: Get requires the scope g1, g2 and so on, and Open is
// public under an even number, and denied under an odd one.
type reloading struct {
	authorizer *drawbridge.Authorizer
	applied    chan int64
	// A decision that began after least was set and ended before most was is by one of
	// them, or of those between.
	least, most atomic.Int64
}

func numbered(number int64) string {
	open := "public: true"
	if number%2 == 1 {
		open = "denied: true"
	}
	return requiring("g"+strconv.FormatInt(number, 10)) + "    methods: {Open: {" + open + "}}\n"
}

func (r *reloading) apply(p policy.Policy) (err error) {
	number, err := strconv.ParseInt(scopeOf(p)[1:], 10, 64)
	if err != nil {
		return err
	}
	cfg := serverConfig()
	cfg.Policy = p
	if r.authorizer == nil {
		r.authorizer, err = drawbridge.New(cfg)
		return err
	}
	before := r.most.Swap(number)
	if err := r.authorizer.Reconfigure(cfg); err != nil {
		r.most.Store(before)
		return err
	}
	r.least.Store(number)
	r.applied <- number
	return nil
}

// decide makes a call, and returns which policies may have been in force.
func (r *reloading) decide(ctx context.Context, method string) (least, most int64, err error) {
	least = r.least.Load()
	_, err = r.authorizer.Authorize(ctx, drawbridge.Request{Procedure: "/" + service + "/" + method, Transport: withToken{}})
	return least, r.most.Load(), err
}

// check makes a call of each method. The error says that a decision was by none of the
// policies that may have been in force.
func (r *reloading) check(ctx context.Context) error {
	least, most, err := r.decide(ctx, "Get")
	denial := challenge.DenialOf(err)
	if denial.Reason != challenge.ReasonInsufficientScope || len(denial.Challenge.Scopes) != 1 {
		return fmt.Errorf("Get: got %w", err)
	}
	if number, err := strconv.ParseInt(denial.Challenge.Scopes[0][1:], 10, 64); err != nil || number < least || number > most {
		return fmt.Errorf("Get: %s decided while policies %d to %d were in force", denial.Challenge.Scopes, least, most)
	}
	least, most, err = r.decide(ctx, "Open")
	if isDenied := err != nil; least == most && isDenied != (least%2 == 1) {
		return fmt.Errorf("Open: isDenied is %t while policy %d was in force", isDenied, least)
	}
	return nil
}

// load makes calls until the function that it returns is called, which returns how many
// there were. Each decision is compared with the policies that may be in force.
func (r *reloading) load(tb testing.TB) (end func() int64) {
	tb.Helper()
	var count atomic.Int64
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
				if err := r.check(tb.Context()); err != nil {
					tb.Error(err)
					return
				}
				count.Add(1)
				runtime.Gosched() // so that files are written and read, too
			}
		})
	}
	return func() int64 {
		close(done)
		group.Wait()
		return count.Load()
	}
}

// TestReloadsUnderLoad: 1,000 reloads while calls run, with broken files and refused
// policies between: no wrong decision, and the heap does not grow. It must run alone: it
// measures the heap.
func TestReloadsUnderLoad(t *testing.T) {
	c := newConfigMap(t, numbered(0))
	r := &reloading{applied: make(chan int64, 1)}
	log := newJournal()
	w, err := policyfile.NewWatcher(policyfile.WatcherConfig{Path: filepath.Join(c.directory, "policy.yaml"), Apply: r.apply, Interval: time.Hour, Logger: slog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	w.SetSettle(100 * time.Microsecond)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	end := r.load(t)
	reload := func(from, to int64) {
		for number := from; number < to; number++ {
			// A reload that fails has left no trace: the calls would notice.
			switch number % 10 {
			case 3:
				c.set(t, numbered(number)[:20])
				log.await(t, int(number+9)/10, "has no value")
			case 7:
				c.set(t, strings.Replace(numbered(number), "    no_descriptor: true\n", "", 1))
				log.await(t, int(number+9)/10, ":2: policy: Services[")
			}
			c.set(t, numbered(number))
			select {
			case got := <-r.applied:
				if got != number {
					t.Fatalf("applied %d, want %d", got, number)
				}
			case <-time.After(patience):
				t.Fatalf("%d was not applied: %q", number, log.all())
			}
		}
	}
	reload(1, 100)
	before := heap()
	reload(100, 1001)
	grown := int64(heap()) - int64(before)
	log.await(t, 1000, "the policy was replaced")
	calls := end()
	cancel()
	<-ended
	if s := w.Status(); s.Reloads != 1000 || s.Failures != 200 || s.Err != nil {
		t.Errorf("got %+v", s)
	}
	// The journal itself keeps 900 records of 0.2 KiB, and 180 of 0.4.
	if grown > 2<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	t.Logf("1,000 reloads and 200 failures under %d decisions; the heap has grown by %d bytes", 2*calls, grown)
}

// heap returns the size of the live objects.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestReloadIsSerial: a Reload while Run reloads waits for it, and the policy in force is
// the last that was read.
func TestReloadIsSerial(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("g0"))
	var running atomic.Int32
	var last atomic.Value
	w, err := policyfile.NewWatcher(policyfile.WatcherConfig{Path: path, Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler), Apply: func(p policy.Policy) error {
		if running.Add(1) != 1 {
			t.Error("Apply is called twice at a time")
		}
		runtime.Gosched()
		running.Add(-1)
		last.Store(scopeOf(p))
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.SetSettle(time.Microsecond)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 25 {
				_ = w.Reload()
			}
		})
	}
	for i := range 50 {
		write(t, path, requiring(fmt.Sprintf("g%d", i)))
	}
	group.Wait()
	if err := w.Reload(); err != nil || last.Load() != "g49" {
		t.Errorf("got %v, %v", last.Load(), err)
	}
	cancel()
	<-ended
	if s := w.Status(); s.Reloads < 101 || s.Failures != 0 {
		t.Errorf("got %+v", s)
	}
}
