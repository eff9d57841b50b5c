package policyfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// A Watcher keeps the policy in force that stands in a file or a directory. [NewWatcher]
// returns one; it applies the first policy, and Run those that follow. It is safe for
// concurrent use.
//
// A file that is broken or missing, or a policy that Apply refuses, changes nothing: the
// last good policy stays in force, [Watcher.Status] and the log have every fault with its
// place, and the next content of the file is tried again.
type Watcher struct {
	path     string
	apply    func(policy.Policy) error
	interval time.Duration
	logger   *slog.Logger // nil means slog.Default() at the time of the record
	// pause waits until a content that stays the same counts. It reports false if ctx
	// ends before.
	pause   func(ctx context.Context) bool
	running atomic.Bool

	mu   sync.Mutex // held while a policy is loaded and applied
	seen digest     // of what was tried last
	good digest     // of what is in force

	statusMu sync.Mutex
	status   Status
}

// NewWatcher loads and applies the policy. If that fails, it returns every fault at once,
// and the server must not start. When it returns a Watcher, the policy is in force.
func NewWatcher(cfg WatcherConfig) (*Watcher, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w := &Watcher{
		path: cfg.Path, apply: cfg.Apply, logger: cfg.Logger,
		interval: cmp.Or(cfg.Interval, defaultInterval), pause: pauseFor(settleTime),
	}
	content := w.read()
	if err := w.try(content); err != nil {
		return nil, err
	}
	w.seen, w.good = content.digest, content.digest
	w.status.Applied = time.Now()
	return w, nil
}

// Reload loads and applies the policy now, even if it has not changed or was refused
// before: on SIGHUP, for instance. It returns every fault at once, which is logged and
// counted as well. It may be called while Run runs, and without it.
func (w *Watcher) Reload() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.load(context.Background(), w.read(), true)
}

// A content is what a path holds at one time.
type content struct {
	files  []file
	err    error // that it cannot be read
	digest digest
}

// read reads what the path holds.
func (w *Watcher) read() content {
	files, err := readFiles(w.path, regularFile)
	if err != nil {
		return content{err: err, digest: digestOf([]file{{data: []byte(err.Error())}})}
	}
	return content{files: files, digest: digestOf(files)}
}

// load applies a content. It skips one that is in force, unless force is set. It needs mu.
func (w *Watcher) load(ctx context.Context, c content, force bool) error {
	w.seen = c.digest
	if c.digest == w.good && !force {
		w.restored(ctx)
		return nil
	}
	if err := w.try(c); err != nil {
		w.failed(ctx, err)
		return err
	}
	w.good = c.digest
	w.reloaded(ctx)
	return nil
}

// try parses and applies a content.
func (w *Watcher) try(c content) (err error) {
	if c.err != nil {
		return c.err
	}
	p, err := parseAll(c.files)
	if err != nil {
		return err
	}
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("policyfile: Apply panicked: %v\n%s", value, debug.Stack())
		}
	}()
	return w.apply(p)
}

var errRunning = errors.New("policyfile: Run runs already")
