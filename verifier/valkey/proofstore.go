package valkey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/redis/rueidis"
)

const (
	// hashLength is the length of a key and of an id, see [proof.Store].
	hashLength = 43
	// maxRecord is more than the half hour for which a record is held at most.
	maxRecord = time.Hour
	// replicaSkew is by how much longer than asked for a record is held. A replica whose
	// clock is ahead takes the proof for older than others do, who will accept it for
	// longer. This store cannot know by how much, and a record that is held for too long
	// does no harm.
	replicaSkew = 30 * time.Second
)

// The errors of a proof that is not recorded, whatever the server says.
var (
	errMalformed = errors.New("valkey: the key and the id need 43 characters each")
	errLate      = errors.New("valkey: the record may have been removed already")
	errEarly     = fmt.Errorf("valkey: a record would be held for more than %v", maxRecord)
)

// A ProofStore is a [proof.Store] on a Valkey or Redis server. It is safe for concurrent
// use, by any number of processes.
//
// A record is one key, whose value is empty, and which ends by itself: SET key "" NX PX.
// It takes about 250 bytes of the server for up to three minutes, with the default Lifetime
// and Leeway of a [proof.DPoPConfig]; 1,000 requests a second take up to 45 MB. The server
// is given a duration, so that its clock need not agree with that of this process. It is
// 30 seconds longer than asked for, so that those of the replicas need not agree, either:
// see the package documentation.
//
// A ProofStore has no quota for each client. A count that all replicas share needs a
// script, a second key for each client in the same slot, and a window that is an
// approximation, and the server has more space than a process: to fill a gigabyte, a
// client has to make 20,000 proofs a second, each with a signature that this process has
// verified. Limit its rate in front of that. When the server is full, proofs are refused
// as unavailable, and nothing is removed.
type ProofStore struct {
	commands *commands
	eviction *evictionCheck // nil if none is asked for
	prefix   string
	skew     time.Duration
	outage   *outage // nil if proofs are refused while the server is down
}

var _ proof.Store = (*ProofStore)(nil)

// NewProofStore returns a ProofStore. It sends nothing to the server, which may be down;
// see [ProofStore.Check]. If the configuration has faults, the error reports all of
// them; see package fault.
func NewProofStore(config ProofStoreConfig) (*ProofStore, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	s := &ProofStore{commands: newCommands(config.Client, config.Timeout), prefix: config.Prefix, skew: replicaSkew}
	if !config.DangerouslyAssumeNoEviction {
		s.eviction = &evictionCheck{client: config.Client, allowed: func(policy string) bool { return policy == "noeviction" }}
	}
	if config.DangerouslyAcceptWhileDown {
		var err error
		if s.outage, err = newOutage(config.Logger, &s.commands.answers); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Check returns nil if proofs can be recorded at the moment. It is for a readiness
// probe. Otherwise the error unwraps to [token.ErrUnavailable], and says why: the server
// cannot be reached, is full, evicts keys, or denies a command. It writes one key, which
// ends by itself.
func (s *ProofStore) Check(ctx context.Context) error {
	return s.set(ctx, s.prefix+"check", time.Millisecond, false)
}

// Consume implements [proof.Store]. An error that is not [proof.ErrUsed] unwraps to that
// of the client. If ctx ends before the server answers, the proof may have been recorded.
func (s *ProofStore) Consume(ctx context.Context, key, id string, until time.Time) error {
	lifetime := time.Until(until)
	switch {
	case len(key) != hashLength || len(id) != hashLength:
		return errMalformed
	case lifetime < 0:
		return errLate
	case lifetime > maxRecord:
		return errEarly
	case s.outage == nil:
		return s.record(ctx, key, id, lifetime)
	default:
		return s.outage.consume(ctx, key, id, until, func() error { return s.record(ctx, key, id, lifetime) })
	}
}

func (s *ProofStore) record(ctx context.Context, key, id string, lifetime time.Duration) error {
	return s.set(ctx, s.prefix+"proof:"+key+":"+id, lifetime+s.skew, true)
}

// set writes a key. It returns ErrUsed if that must be new and is not.
func (s *ProofStore) set(ctx context.Context, key string, lifetime time.Duration, isNew bool) error {
	// A record must not end before its time, and a duration of zero is an error.
	milliseconds := max(1, int64((lifetime+time.Millisecond-1)/time.Millisecond))
	err := s.commands.run(ctx, func(ctx context.Context) error {
		if s.eviction != nil {
			if err := s.eviction.ensure(ctx); err != nil {
				return err
			}
		}
		client := s.commands.client
		command := client.B().Set().Key(key).Value("").PxMilliseconds(milliseconds).Build()
		if isNew {
			command = client.B().Set().Key(key).Value("").Nx().PxMilliseconds(milliseconds).Build()
		}
		return client.Do(ctx, command).Error()
	})
	switch {
	case err == nil:
		return nil
	case rueidis.IsRedisNil(err):
		return proof.ErrUsed
	default:
		return &serverError{"the proof cannot be recorded", err}
	}
}
