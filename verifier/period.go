package verifier

import (
	"fmt"
	"time"
)

// A periodError says that a token has expired, or that another date of it is in
// the future.
type periodError struct {
	claim  string
	at     time.Time
	now    time.Time
	leeway time.Duration
}

func (e *periodError) Error() string {
	at, past := e.at.Format(time.RFC3339), e.now.Sub(e.at).Round(time.Second)
	if e.claim == "exp" {
		return fmt.Sprintf("expired at %s, %s ago (leeway %s)", at, past, e.leeway)
	}
	return fmt.Sprintf("%s is %s, %s in the future (leeway %s)", e.claim, at, -past, e.leeway)
}
