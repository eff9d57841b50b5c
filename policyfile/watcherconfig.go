package policyfile

import (
	"log/slog"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// defaultInterval is that of reading without an event.
const defaultInterval = 10 * time.Second

// WatcherConfig configures a [Watcher]. Path and Apply are required.
type WatcherConfig struct {
	// Path is that of a file or of a directory, as for [Load]. It must not be a pipe. If
	// it is relative, the working directory must not change.
	Path string

	// Apply puts a policy in force as a whole: it is usually a function that sets the
	// policy in a drawbridge.Config and calls Reconfigure of the Authorizer. If it
	// returns an error, the policy before must still be in force. A panic counts as an
	// error. It is called by one goroutine at a time, at first by [NewWatcher], and must
	// not call [Watcher.Reload].
	Apply func(policy.Policy) error

	// Interval is how often the file is read without any event: for file systems that
	// report none, such as those of a network. Zero means ten seconds.
	Interval time.Duration

	// Logger receives a message when a policy was applied, and an error with all faults
	// when one was not, once for each content of the file. Nil means slog.Default.
	Logger *slog.Logger
}

// validate reports all faults of the configuration.
func (cfg WatcherConfig) validate() error {
	faults := fault.List{Within: "policyfile: WatcherConfig."}
	if cfg.Path == "" {
		faults.Add("Path", "", "is required", "")
	}
	if cfg.Apply == nil {
		faults.Add("Apply", "", "is required", "call Reconfigure of the Authorizer in it")
	}
	if cfg.Interval < 0 {
		faults.Add("Interval", cfg.Interval.String(), "is negative", "")
	}
	return faults.Err()
}
