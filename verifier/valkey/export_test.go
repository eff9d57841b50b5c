package valkey

import "time"

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

// EncodeEntry and DecodeEntry are the two directions of an entry of the stream.
var (
	EncodeEntry = encode
	DecodeEntry = decode
)

// ParseStreamID parses the identifier of an entry, and returns it as text.
func ParseStreamID(text string) (string, error) {
	id, err := parseStreamID(text)
	return id.String(), err
}
