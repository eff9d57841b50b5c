package valkey

import (
	"context"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// MaxPending is how many commands wait for an answer at most.
const MaxPending = maxPending

// ForgetPolicy lets the next proof ask for the policy of the server again.
func (s *ProofStore) ForgetPolicy() {
	s.eviction.mu.Lock()
	defer s.eviction.mu.Unlock()
	s.eviction.next = time.Time{}
}

// Hurry shortens the intervals of Follow.
func (c *Cutoffs) Hurry(block, reread, retry time.Duration) {
	c.pace = pace{block: block, reread: reread, leastRetry: retry, mostRetry: 2 * retry, leastDelay: time.Millisecond, mostDelay: 20 * time.Millisecond}
}

// ReplicaSkew is by how much longer than asked for a record is held.
const ReplicaSkew = replicaSkew

// WithoutSkew lets records end when they may.
func (s *ProofStore) WithoutSkew() { s.skew = 0 }

// Occupy takes all places of requests until release is called.
func (s *ProofStore) Occupy() (release func()) {
	for range maxPending {
		s.commands.pending <- struct{}{}
	}
	return func() {
		for range maxPending {
			<-s.commands.pending
		}
	}
}

// Answered counts an answer of the server to another request.
func (s *ProofStore) Answered() { s.commands.answers.Add(1) }

// EncodeEntry returns the fields of an entry of the stream.
func EncodeEntry(c *verifier.Cutoff, lifetime time.Duration) ([]string, error) {
	return encode(&entry{*c, lifetime})
}

// DecodeEntry is the other direction.
func DecodeEntry(fields map[string]string) (verifier.Cutoff, time.Duration, error) {
	e, err := decode(fields)
	return e.Cutoff, e.lifetime, err
}

// ParseStreamID parses the identifier of an entry, and returns it as text.
func ParseStreamID(text string) (string, error) {
	id, err := parseStreamID(text)
	return id.String(), err
}

// RemoveAt removes old entries as after an entry that the server has added at a time.
func (c *Cutoffs) RemoveAt(server time.Time) {
	c.remove(context.Background(), streamID{milliseconds: uint64(server.UnixMilli())})
}
