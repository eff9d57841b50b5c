package policyfile_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// service is the service of most policies here. It has no descriptor.
const service = "a.v1.A"

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// faultsOf returns the text of each fault in err, which has nothing else.
func faultsOf(tb testing.TB, err error) []string {
	tb.Helper()
	if err == nil {
		return nil
	}
	var found []string
	for f := range fault.All(err) {
		if f.Source == "" || f.Reason == "" || !strings.HasPrefix(f.Place, "policyfile") {
			tb.Errorf("%#v lacks a source, a place or a reason", f)
		}
		found = append(found, f.Error())
	}
	if joined := strings.Join(found, "\n"); joined != err.Error() {
		tb.Errorf("the faults are %s\nof %s", joined, err)
	}
	return found
}

// write replaces a file as a whole, as a careful program does.
func write(tb testing.TB, path, text string) {
	tb.Helper()
	hidden := filepath.Join(filepath.Dir(path), ".new-"+filepath.Base(path))
	overwrite(tb, hidden, text)
	rename(tb, hidden, path)
}

// overwrite writes into a file.
func overwrite(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func rename(tb testing.TB, from, to string) {
	tb.Helper()
	if err := os.Rename(from, to); err != nil {
		tb.Fatal(err)
	}
}

func mkdir(tb testing.TB, path string) string {
	tb.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		tb.Fatal(err)
	}
	return path
}

func remove(tb testing.TB, path string) {
	tb.Helper()
	if err := os.RemoveAll(path); err != nil {
		tb.Fatal(err)
	}
}

// link sets a symbolic link, in place of what is there, in one step.
func link(tb testing.TB, target, path string) {
	tb.Helper()
	hidden := filepath.Join(filepath.Dir(path), ".link")
	if err := os.Symlink(target, hidden); err != nil {
		tb.Fatal(err)
	}
	rename(tb, hidden, path)
}

// requiring is a file whose only service requires a scope.
func requiring(scope string) string {
	return "services:\n  " + service + ":\n    no_descriptor: true\n    rule:\n      scopes: [" + scope + "]\n"
}

// scopeOf is the scope that a policy requires, by which tests know it.
func scopeOf(p policy.Policy) string { return strings.Join(p.Services[service].Rule.Scopes, " ") }

// A journal keeps records of the log, and lets tests wait for them.
type journal struct {
	slog.Handler

	mu      sync.Mutex
	records []string
	grown   chan struct{}
}

func newJournal() *journal {
	j := &journal{grown: make(chan struct{}, 1)}
	j.Handler = slog.NewTextHandler(j, &slog.HandlerOptions{ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}})
	return j
}

func (j *journal) Write(record []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, string(record))
	select {
	case j.grown <- struct{}{}:
	default:
	}
	return len(record), nil
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.records...)
}

// await waits until so many records have a text in them.
func (j *journal) await(tb testing.TB, count int, text string) string {
	tb.Helper()
	late := time.After(patience)
	for {
		found, last := 0, ""
		for _, record := range j.all() {
			if strings.Contains(record, text) {
				found, last = found+1, record
			}
		}
		if found >= count {
			if found > count {
				tb.Errorf("%q is logged %d times, want %d", text, found, count)
			}
			return last
		}
		select {
		case <-j.grown:
		case <-late:
			tb.Fatalf("%q is logged %d times, want %d: %q", text, found, count, j.all())
		}
	}
}

// A watched is a Watcher that runs, with what it has applied.
type watched struct {
	*policyfile.Watcher

	log     *journal
	applied chan string // scopes
	refuse  sync.Map    // scopes that Apply refuses
}

// watch starts a Watcher and waits for its first policy, which requires the scope first.
// It polls once an hour, so that whatever it finds was reported by the system.
func watch(tb testing.TB, path string, adapt ...func(*policyfile.WatcherConfig)) *watched {
	tb.Helper()
	w := &watched{log: newJournal(), applied: make(chan string, 100)}
	cfg := policyfile.WatcherConfig{Path: path, Apply: w.apply, Interval: time.Hour, Logger: slog.New(w.log)}
	for _, change := range adapt {
		change(&cfg)
	}
	var err error
	if w.Watcher, err = policyfile.NewWatcher(cfg); err != nil {
		tb.Fatal(err)
	}
	w.SetSettle(5 * time.Millisecond)
	w.want(tb, "first")
	w.run(tb, w.Watcher)
	return w
}

// run lets a Watcher run until the test ends.
func (w *watched) run(tb testing.TB, watcher *policyfile.Watcher) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	go func() { ended <- watcher.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			tb.Errorf("Run returns %v", err)
		}
	})
}

func (w *watched) apply(p policy.Policy) error {
	if reason, ok := w.refuse.Load(scopeOf(p)); ok {
		return reason.(error)
	}
	w.applied <- scopeOf(p)
	return nil
}

// want waits until a policy is applied, which is this one.
func (w *watched) want(tb testing.TB, scope string) {
	tb.Helper()
	select {
	case got := <-w.applied:
		if got != scope {
			tb.Fatalf("applied %q, want %q", got, scope)
		}
	case <-time.After(patience):
		tb.Fatalf("%q was not applied; the log is %q", scope, w.log.all())
	}
}

// newWatcher returns a Watcher that polls once an hour.
func newWatcher(tb testing.TB, path string, log *journal, apply func(policy.Policy) error) *policyfile.Watcher {
	tb.Helper()
	w, err := policyfile.NewWatcher(policyfile.WatcherConfig{Path: path, Apply: apply, Interval: time.Hour, Logger: slog.New(log)})
	if err != nil {
		tb.Fatal(err)
	}
	w.SetSettle(time.Millisecond)
	return w
}

func read(tb testing.TB, path string) string {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}
