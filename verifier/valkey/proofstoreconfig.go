package valkey

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/redis/rueidis"
)

// ProofStoreConfig configures a [ProofStore]. Client is required.
type ProofStoreConfig struct {
	// Client is connected to the server, which must not evict keys. See the package
	// documentation.
	Client rueidis.Client

	// Prefix is the beginning of all keys, with visible ASCII characters and without
	// braces. Replicas that serve the same URLs need the same. Deployments that share a
	// server should have one each, so that each can be given access to its own keys
	// alone. Empty means "drawbridge:".
	Prefix string

	// Timeout is how long a request waits for the server at most. That includes waiting
	// for one of the 1,000 places of requests that the server is asked about at a time.
	// Zero means one second; the maximum is one minute.
	Timeout time.Duration

	// Logger receives what DangerouslyAcceptWhileDown lets through. Nil means
	// slog.Default.
	Logger *slog.Logger

	// DangerouslyAcceptWhileDown accepts proofs that the server cannot be asked about:
	// it is not reachable, does not answer anything within Timeout, or answers that it is
	// loading or failing over. A stolen request can then be sent again, to each replica once,
	// until the proof is too old; an attacker who can keep the server from being reached
	// can do that at any time. Each process remembers the proofs that it has accepted,
	// before and during the outage, with the default bounds of [proof.MemoryStore], and
	// refuses those.
	//
	// An error that the server answers with, because it is full, evicts keys, or denies
	// the command, is not an outage: the proof is refused. Neither is it one if requests
	// have had no answer while others had, or had to wait for one of the 1,000 places:
	// clients alone can bring that about.
	DangerouslyAcceptWhileDown bool

	// DangerouslyAssumeNoEviction does not ask the server whether it evicts keys. It is
	// for one that does not answer INFO memory. If it does evict, proofs are accepted
	// again when it has removed their records.
	DangerouslyAssumeNoEviction bool
}

// validate reports all faults of the configuration.
func (c ProofStoreConfig) validate() error {
	faults := fault.List{Within: "valkey: ProofStoreConfig."}
	checkServer(&faults, c.Client, c.Prefix, c.Timeout)
	return faults.Err()
}

func (c ProofStoreConfig) withDefaults() ProofStoreConfig {
	c.Prefix = cmp.Or(c.Prefix, defaultPrefix)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	return c
}

// checkServer checks what all configurations have in common.
func checkServer(faults *fault.List, client rueidis.Client, prefix string, timeout time.Duration) {
	if client == nil {
		faults.Add("Client", "", "is required", "make one with rueidis.NewClient")
	}
	if len(prefix) > maxPrefix {
		faults.Add("Prefix", "", fmt.Sprintf("has %d bytes, more than %d", len(prefix), maxPrefix), "")
	}
	for _, r := range prefix {
		if r <= ' ' || r > '~' || r == '{' || r == '}' {
			faults.Add("Prefix", prefix, "has other characters than visible ASCII, or a brace", "")
			break
		}
	}
	if timeout < 0 || timeout > maxTimeout {
		faults.Add("Timeout", timeout.String(), fmt.Sprintf("is not between 0s and %v", maxTimeout), "")
	}
}
