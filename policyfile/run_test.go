package policyfile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/fsnotify/fsnotify"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// TestPolling: a file system that reports nothing. It must run alone: it replaces what
// opens a watcher.
func TestPolling(t *testing.T) {
	looks := make(chan struct{})
	defer policyfile.ReplaceOpenWatcher(func() (*fsnotify.Watcher, error) {
		select {
		case looks <- struct{}{}:
		default:
		}
		return nil, errors.New("too many open files")
	})()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	t.Run("", func(t *testing.T) {
		w := watch(t, path, func(cfg *policyfile.WatcherConfig) { cfg.Interval = time.Millisecond })
		w.refuse.Store("third", errors.New("refused"))
		write(t, path, requiring("second"))
		w.want(t, "second")
		write(t, path, requiring("third"))
		w.log.await(t, 1, "level=ERROR")
		for range 10 {
			<-looks // What was refused is not tried again.
		}
		write(t, path, requiring("fourth"))
		w.want(t, "fourth")
		w.log.await(t, 1, "level=ERROR")
		record := w.log.await(t, 1, "level=WARN")
		if !strings.Contains(record, "the system reports no changes of a directory, so they are found at intervals") || !strings.Contains(record, "too many open files") {
			t.Errorf("got %s", record)
		}
	})
}

// TestWatches: directories that are no longer on the way are no longer watched. It must
// run alone: it replaces what opens a watcher.
func TestWatches(t *testing.T) {
	opened := make(chan *fsnotify.Watcher, 1)
	defer policyfile.ReplaceOpenWatcher(func() (*fsnotify.Watcher, error) {
		watcher, err := fsnotify.NewWatcher()
		opened <- watcher
		return watcher, err
	})()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	set := func(t *testing.T, scope string) {
		file := filepath.Join(t.TempDir(), "file")
		overwrite(t, file, requiring(scope))
		link(t, file, path)
	}
	set(t, "first")
	t.Run("", func(t *testing.T) {
		w := watch(t, path)
		watcher := <-opened
		for i := range 10 {
			scope := fmt.Sprintf("s%d", i)
			set(t, scope)
			w.want(t, scope)
		}
		w.log.await(t, 10, "the policy was replaced")
		if got := watcher.WatchList(); len(got) > 3 { // The one before may be among them.
			t.Errorf("watches %q", got)
		}
	})
}

// TestChangeBeforeWatch: a directory is removed, or made, after it was looked for and
// before it is watched. It must run alone: it replaces what opens a watcher.
func TestChangeBeforeWatch(t *testing.T) {
	for _, name := range []string{"removed", "made"} {
		directory := filepath.Join(t.TempDir(), "policies")
		path := filepath.Join(directory, "policy.yaml")
		overwrite(t, filepath.Join(mkdir(t, directory), "policy.yaml"), requiring("first"))
		opened := make(chan struct{})
		restore := policyfile.ReplaceOpenWatcher(func() (*fsnotify.Watcher, error) {
			if remove(t, directory); name == "made" {
				overwrite(t, filepath.Join(mkdir(t, directory), "policy.yaml"), requiring("second"))
			}
			close(opened)
			return fsnotify.NewWatcher()
		})
		t.Run(name, func(t *testing.T) {
			w := &watched{log: newJournal(), applied: make(chan string, 100)}
			watcher := newWatcher(t, path, w.log, w.apply)
			w.want(t, "first")
			if name == "made" {
				remove(t, directory)
			}
			w.run(t, watcher)
			<-opened
			if name == "removed" {
				w.log.await(t, 1, "does not exist")
				overwrite(t, filepath.Join(mkdir(t, directory), "policy.yaml"), requiring("second"))
			}
			w.want(t, "second")
			overwrite(t, path, requiring("third"))
			w.want(t, "third")
		})
		restore()
	}
}

// TestWatcherThatFails: if a directory cannot be watched, the others are. It must run
// alone: it replaces what opens a watcher.
func TestWatcherThatFails(t *testing.T) {
	closed := make(chan struct{})
	defer policyfile.ReplaceOpenWatcher(func() (*fsnotify.Watcher, error) {
		watcher, err := fsnotify.NewWatcher()
		if err == nil {
			err = watcher.Close() // so that Add fails
		}
		close(closed)
		return watcher, err
	})()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	t.Run("", func(t *testing.T) {
		w := watch(t, path, func(cfg *policyfile.WatcherConfig) { cfg.Interval = time.Millisecond })
		<-closed
		w.log.await(t, 1, "level=WARN")
		write(t, path, requiring("second"))
		w.want(t, "second")
	})
}

// TestHalfAFile: what is written in parts counts as a whole, although each part is a
// policy.
func TestHalfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w := &watched{log: newJournal(), applied: make(chan string, 100)}
	watcher := newWatcher(t, path, w.log, w.apply)
	parts := make(chan string, 100)
	watcher.SetPause(func() {
		select {
		case part := <-parts:
			overwrite(t, path, read(t, path)+part)
		default:
		}
	})
	for i := range 20 {
		parts <- fmt.Sprintf("  b.v1.B%d: {rule: {denied: true}}\n", i)
	}
	w.run(t, watcher)
	w.want(t, "first")
	// The rest is written by the goroutine of the Watcher, from the first event on.
	begun := filepath.Join(t.TempDir(), "begun")
	overwrite(t, begun, requiring("second"))
	rename(t, begun, path)
	w.want(t, "second")
	w.log.await(t, 1, "the policy was replaced")
	if s := watcher.Status(); s.Reloads != 1 || s.Failures != 0 || len(parts) > 0 {
		t.Errorf("got %+v, %q, and %d parts are not written", s, w.log.all(), len(parts))
	}
}

// TestRestlessFile: a file that never stays the same does not keep the policy from being
// replaced for ever.
func TestRestlessFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w := &watched{log: newJournal(), applied: make(chan string, 100)}
	watcher := newWatcher(t, path, w.log, w.apply)
	var count atomic.Int64
	watcher.SetPause(func() { overwrite(t, path, requiring(fmt.Sprintf("s%d", count.Add(1)))) })
	w.run(t, watcher)
	w.want(t, "first")
	overwrite(t, path, requiring("second"))
	select {
	case got := <-w.applied:
		if number, err := strconv.Atoi(got[1:]); err != nil || number < policyfile.MaxRounds {
			t.Errorf("%q is applied before the last round", got)
		}
	case <-time.After(patience):
		t.Fatal("nothing is applied")
	}
}

// TestUnrelatedChange: what else happens in the directory is waited for and looked at, and
// changes nothing.
func TestUnrelatedChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w := &watched{log: newJournal(), applied: make(chan string, 100)}
	watcher := newWatcher(t, path, w.log, w.apply)
	pauses := make(chan struct{})
	watcher.SetPause(func() {
		select {
		case pauses <- struct{}{}:
		case <-t.Context().Done():
		}
	})
	w.run(t, watcher)
	w.want(t, "first")
	late := time.After(patience)
	for reported := 0; reported < 5; {
		overwrite(t, path+".orig", requiring("another"))
		select {
		case <-pauses:
			reported++
		case <-time.After(time.Millisecond): // The directory is not watched yet.
		case <-late:
			t.Fatal("nothing is reported")
		}
	}
	if s := watcher.Status(); s.Reloads+s.Failures > 0 || len(w.log.all()) > 0 {
		t.Errorf("got %+v, %q", s, w.log.all())
	}
}

// TestRenamedFile: a rule knows the name of its file.
func TestRenamedFile(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	overwrite(t, filepath.Join(directory, "a.yaml"), requiring("first"))
	w := watch(t, directory)
	rename(t, filepath.Join(directory, "a.yaml"), filepath.Join(directory, "b.yaml"))
	w.want(t, "first")
}

// TestRunTwice: a Watcher follows its file once.
func TestRunTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w := watch(t, path)
	write(t, path, requiring("second"))
	w.want(t, "second") // Run runs.
	if err := w.Run(t.Context()); err == nil || err.Error() != "policyfile: Run runs already" {
		t.Errorf("got %v", err)
	}
}

// TestEnd: Run returns while it waits for a file to stay the same, and can run again. It
// must run alone: it counts goroutines.
func TestEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w, err := policyfile.NewWatcher(policyfile.WatcherConfig{Path: path, Apply: func(policy.Policy) error { return nil }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.SetSettle(time.Hour)
	before := runtime.NumGoroutine()
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		if i > 0 {
			write(t, path, requiring("second")) // The first Run waits for nothing.
		}
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		case <-time.After(patience):
			t.Fatal("Run does not return")
		}
	}
	for late := time.Now().Add(patience); runtime.NumGoroutine() > before && time.Now().Before(late); {
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines are left", after-before)
	}
}

// TestDefaultLogger: without a Logger, records go to the one that is the default then. It
// must run alone: it replaces that.
func TestDefaultLogger(t *testing.T) {
	log := newJournal()
	before := slog.Default()
	defer slog.SetDefault(before)
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w, err := policyfile.NewWatcher(policyfile.WatcherConfig{Path: path, Apply: func(policy.Policy) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	slog.SetDefault(slog.New(log))
	if err := w.Reload(); err != nil {
		t.Error(err)
	}
	log.await(t, 1, "the policy was replaced")
}

// TestRecordIsBounded: one record of the log has room for so much.
func TestRecordIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w := watch(t, path)
	var many []error
	for range 1000 {
		many = append(many, errors.New(strings.Repeat("é", 10_000)))
	}
	w.refuse.Store("second", errors.Join(many...))
	write(t, path, requiring("second"))
	if record := w.log.await(t, 1, "level=ERROR"); len(record) > 1<<20 || !strings.Contains(record, "and 800 more") {
		t.Errorf("a record has %d bytes", len(record))
	}
}
