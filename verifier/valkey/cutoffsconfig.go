package valkey

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/redis/rueidis"
)

const (
	defaultCutoffLifetime = 24 * time.Hour // as that of a verifier.Config
	maxCutoffLifetime     = 366 * 24 * time.Hour
)

// CutoffsConfig configures [Cutoffs]. Client and Apply are required.
type CutoffsConfig struct {
	// Client is connected to the server, which should keep its data over a restart. See
	// the package documentation. Follow takes one connection of its own from the pool
	// for blocking commands.
	Client rueidis.Client

	// Apply sets a cut-off in this process: CutOff of the [verifier.Verifier], or a
	// function that calls that of several. It is called again with cut-offs that it has
	// set already, and concurrently.
	Apply func(verifier.Cutoff) error

	// Prefix is the beginning of the key, with visible ASCII characters and without
	// braces. All replicas need the same. A deployment with other issuers needs another:
	// cut-offs of an issuer that a verifier does not know are errors in the log. Empty
	// means "drawbridge:".
	Prefix string

	// Lifetime is for how long replicas that start apply a cut-off: CutoffLifetime of the
	// verifiers. All replicas with the same Prefix need the same. A cut-off is recorded
	// for at least a day, and for the Lifetime of the replica that records it, but those
	// with a longer one may miss it after that. Zero means 24 hours, as in verifiers; the
	// maximum is 366 days.
	Lifetime time.Duration

	// Timeout is how long CutOff waits for the server at most, once to record a cut-off
	// and once to remove old ones, and by how much the server may be late before Follow connects again. Zero means
	// one second; the maximum is one minute.
	Timeout time.Duration

	// Logger receives a warning if cut-offs are no longer received, and a message when
	// they are again. It receives an error if some could not be applied, or were lost on
	// the server. Nil means slog.Default.
	Logger *slog.Logger

	// DangerouslyAssumeNoEviction does not ask the server whether it evicts keys. It is
	// for one that does not answer INFO memory. If it does evict, replicas that start do
	// not get the cut-offs.
	DangerouslyAssumeNoEviction bool
}

// validate reports all faults of the configuration.
func (c CutoffsConfig) validate() error {
	faults := fault.List{Within: "valkey: CutoffsConfig."}
	checkServer(&faults, c.Client, c.Prefix, c.Timeout)
	if c.Apply == nil {
		faults.Add("Apply", "", "is required", "use the method CutOff of a verifier.Verifier")
	}
	if c.Lifetime < 0 || c.Lifetime > maxCutoffLifetime {
		faults.Add("Lifetime", c.Lifetime.String(), fmt.Sprintf("is not between 0s and %v", maxCutoffLifetime), "")
	}
	return faults.Err()
}

func (c CutoffsConfig) withDefaults() CutoffsConfig {
	c.Prefix = cmp.Or(c.Prefix, defaultPrefix)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.Lifetime = cmp.Or(c.Lifetime, defaultCutoffLifetime)
	return c
}
