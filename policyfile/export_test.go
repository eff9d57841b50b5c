package policyfile

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
	"google.golang.org/protobuf/proto"
)

// Bounds.
const (
	MaxSize   = maxSize
	MaxFiles  = maxFiles
	MaxDepth  = maxDepth
	MaxRounds = maxRounds
)

// SetSettle sets how long a content has to stay the same. Run must not run yet.
func (w *Watcher) SetSettle(d time.Duration) { w.pause = pauseFor(d) }

// SetPause sets what is called in place of waiting. Run must not run yet.
func (w *Watcher) SetPause(pause func()) {
	w.pause = func(ctx context.Context) bool {
		pause()
		return ctx.Err() == nil
	}
}

// DirectoriesOf returns the directories that are watched for a path.
func DirectoriesOf(path string) map[string]bool { return directoriesOf(path) }

// ReplaceOpenWatcher replaces fsnotify.NewWatcher until the function that it returns is
// called.
func ReplaceOpenWatcher(open func() (*fsnotify.Watcher, error)) (restore func()) {
	before := openWatcher
	openWatcher = open
	return func() { openWatcher = before }
}

// ReplaceUnmarshal replaces protoyaml.Unmarshal until the function that it returns is
// called.
func ReplaceUnmarshal(replacement func([]byte, proto.Message) error) (restore func()) {
	before := unmarshal
	unmarshal = replacement
	return func() { unmarshal = before }
}

// FaultOf is the fault of a path for the error of a system call.
func FaultOf(path string, err error) error {
	var r reader
	r.fault(path, err)
	return r.faults.Err()
}
