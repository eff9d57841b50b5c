package policyfile

import (
	"context"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// Watch applies the policy at path, as [Load] reads it, and applies it again whenever it
// changes, until ctx ends. It is a [Watcher] without settings.
//
// If the first policy cannot be loaded or applied, Watch returns every fault at once, and
// the server must not start. After that, Watch returns the error of ctx, and does not
// return before.
func Watch(ctx context.Context, path string, apply func(policy.Policy) error) error {
	watcher, err := NewWatcher(WatcherConfig{Path: path, Apply: apply})
	if err != nil {
		return err
	}
	return watcher.Run(ctx)
}
