package valkey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/redis/rueidis"
)

// outageReminder is how often the log says that proofs are accepted while the server is
// down.
const outageReminder = time.Minute

// An outage accepts proofs while the server is down, once by this process.
type outage struct {
	logger  *slog.Logger
	answers *atomic.Uint64 // of the server, to any request
	// local has the proofs that this process has accepted, also while the server was up.
	local *proof.MemoryStore

	mu       sync.Mutex
	since    time.Time // zero if the server is up
	reminded time.Time
	accepted uint64 // since then
	total    uint64
}

func newOutage(logger *slog.Logger, answers *atomic.Uint64) (*outage, error) {
	local, err := proof.NewMemoryStore(proof.MemoryStoreConfig{})
	return &outage{logger: logger, answers: answers, local: local}, err
}

// AcceptedWhileDown returns how many proofs were accepted although the server could not
// be asked, because of [ProofStoreConfig].DangerouslyAcceptWhileDown. It is for a metric.
func (s *ProofStore) AcceptedWhileDown() uint64 {
	if s.outage == nil {
		return 0
	}
	s.outage.mu.Lock()
	defer s.outage.mu.Unlock()
	return s.outage.total
}

// consume records a proof in this process, and on the server.
func (o *outage) consume(ctx context.Context, key, id string, until time.Time, record func() error) error {
	local := o.local.Consume(ctx, key, id, until)
	if errors.Is(local, proof.ErrUsed) {
		return local
	}
	answers := o.answers.Load()
	err := record()
	switch {
	case err == nil || errors.Is(err, proof.ErrUsed):
		o.end(ctx)
		return err
	case ctx.Err() != nil || !isOutage(err):
		return err
	case !isAnswer(err) && o.answers.Load() != answers:
		// The server serves others. So many requests that this process does not keep up
		// with the answers must not end the protection.
		return err
	case local != nil:
		return fmt.Errorf("%w; this process: %w", err, local)
	default:
		o.accept(ctx, err)
		return nil
	}
}

// isOutage reports whether an error says that the server serves nobody at the moment. Any
// other answer is one: a client must not end the protection by filling the server, nor by
// sending more than this process asks about at a time.
func isOutage(err error) bool {
	if errors.Is(err, rueidis.ErrClosing) || errors.Is(err, errBusy) || isPolicy(err) {
		return false
	}
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	return !ok || answer.IsLoading() || answer.IsClusterDown() || answer.IsTryAgain() || strings.HasPrefix(answer.Error(), "MASTERDOWN")
}

func (o *outage) accept(ctx context.Context, cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.accepted++
	o.total++
	now := time.Now()
	if o.since.IsZero() {
		o.since = now
	}
	if now.Sub(o.reminded) < outageReminder {
		return
	}
	o.reminded = now
	logOf(o.logger).LogAttrs(ctx, slog.LevelError, "DPoP proofs are accepted without asking whether they were used, because DangerouslyAcceptWhileDown is set",
		slog.Uint64("accepted", o.accepted), slog.Time("since", o.since), slog.Any("error", cause))
}

func (o *outage) end(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return
	}
	logOf(o.logger).LogAttrs(ctx, slog.LevelWarn, "DPoP proofs are accepted once again",
		slog.Uint64("accepted", o.accepted), slog.Time("since", o.since))
	o.since, o.reminded, o.accepted = time.Time{}, time.Time{}, 0
}
