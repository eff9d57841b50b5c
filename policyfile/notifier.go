package policyfile

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"

	"github.com/fsnotify/fsnotify"
)

// A notifier reports that something has happened in directories. It is used by one
// goroutine.
type notifier struct {
	changed chan struct{}     // something has happened since it was received from
	watcher *fsnotify.Watcher // nil if the system has given none
	done    chan struct{}     // closed when the goroutine of watcher has ended
	added   directories
	logger  func() *slog.Logger
	problem string // as logged
}

func newNotifier(logger func() *slog.Logger) *notifier {
	return &notifier{changed: make(chan struct{}, 1), added: make(directories), logger: logger}
}

// maxFollows bounds how often directories that change are looked for.
const maxFollows = 10

// follow reports what happens on the way to a path from now on, and no longer what happens
// elsewhere.
func (n *notifier) follow(ctx context.Context, path string) {
	var err error
	for range maxFollows {
		wanted := directoriesOf(path)
		err = n.watch(wanted)
		// What was removed or made before it was watched is not reported: look again. What
		// happens afterwards is.
		if !errors.Is(err, fs.ErrNotExist) && maps.Equal(wanted, directoriesOf(path)) {
			break
		}
	}
	n.report(ctx, err)
}

// watch watches these directories and no others. One that was removed and made anew has
// to be added again, so all are.
func (n *notifier) watch(wanted directories) error {
	if err := n.open(); err != nil {
		return err
	}
	for directory := range n.added {
		if !wanted[directory] {
			_ = n.watcher.Remove(directory) // It may be gone.
			delete(n.added, directory)
		}
	}
	var first error
	for directory := range wanted {
		if err := n.watcher.Add(directory); err != nil {
			first = cmp.Or(first, err)
			continue
		}
		n.added[directory] = true
	}
	return first
}

// open opens the watcher, unless it is open.
func (n *notifier) open() error {
	if n.watcher != nil {
		return nil
	}
	watcher, err := openWatcher()
	if err != nil {
		return err
	}
	n.watcher, n.done = watcher, make(chan struct{})
	go func() {
		defer close(n.done)
		n.forward(watcher)
	}()
	return nil
}

// openWatcher is replaced by tests.
var openWatcher = fsnotify.NewWatcher

// forward turns events into one change, until the watcher is closed. An error is that
// events were lost, which is a change as well.
func (n *notifier) forward(watcher *fsnotify.Watcher) {
	for {
		var ok bool
		select {
		case _, ok = <-watcher.Events:
		case _, ok = <-watcher.Errors:
		}
		if !ok {
			return
		}
		select {
		case n.changed <- struct{}{}:
		default:
		}
	}
}

// report logs that changes are found by polling alone, once.
func (n *notifier) report(ctx context.Context, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != "" && problem != n.problem {
		n.logger().LogAttrs(ctx, slog.LevelWarn, "policyfile: the system reports no changes of a directory, so they are found at intervals",
			slog.String("error", problem))
	}
	n.problem = problem
}

func (n *notifier) close() {
	if n.watcher != nil {
		_ = n.watcher.Close()
		<-n.done
	}
}
