package authzen

import "time"

// NewAt is New with its own clock.
func NewAt(config Config, now func() time.Time) (*DecisionPoint, error) { return newAt(config, now) }

// ParseDecision and ParseDecisions read answers.
var (
	ParseDecision  = parseDecision
	ParseDecisions = parseDecisions
)

// Waiting returns the number of questions that are on their way and may be shared.
func (d *DecisionPoint) Waiting() int {
	d.flights.mu.Lock()
	defer d.flights.mu.Unlock()
	return len(d.flights.running)
}

// Cached returns the number of remembered answers.
func (d *DecisionPoint) Cached() int {
	d.cache.mu.Lock()
	defer d.cache.mu.Unlock()
	return len(d.cache.young) + len(d.cache.old)
}

// SetTimeout changes the timeout of questions that begin afterwards.
func SetTimeout(d *DecisionPoint, timeout time.Duration) { d.timeout = timeout }
