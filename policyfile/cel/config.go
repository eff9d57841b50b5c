package cel

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

// Config configures [Conditions]. The zero Config is ready to use.
type Config struct {
	// MaxCost bounds what one condition may cost, in units of CEL: one for a step such as
	// reading a field or comparing two numbers, and one for ten bytes of a text that is
	// searched. A unit takes some ten nanoseconds. Zero means 100,000; the maximum is
	// 10,000,000.
	//
	// A condition that would cost more if each list, map and text of the call had 32
	// elements is a fault. While a condition is judged, each step that compares values or
	// matches a pattern is bounded by MaxCost. To match a text costs a unit for ten bytes
	// and each step of the pattern, of which ^[a-z]+$ has 6 and [a-z]{1,63} some 130. A
	// condition with a loop, such as all or exists, or with a function of sets, is also
	// watched as a whole, and ends with the call. A call that exceeds MaxCost does not
	// meet it.
	MaxCost uint64
}

const (
	defaultMaxCost = 100_000
	greatestCost   = 10_000_000
)

// New returns the compiler of conditions that config describes. The error joins a
// [*fault.Fault] for each fault.
func New(config Config) (*Conditions, error) {
	faults := fault.List{Within: "cel: "}
	if config.MaxCost > greatestCost {
		faults.Add("MaxCost", strconv.FormatUint(config.MaxCost, 10), fmt.Sprintf("is more than %d", greatestCost), "")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if config.MaxCost == 0 {
		config.MaxCost = defaultMaxCost
	}
	l, err := newLanguage(config.MaxCost)
	if err != nil {
		return nil, fmt.Errorf("cel: %w", err)
	}
	return &Conditions{language: l, programs: newCache()}, nil
}

// Conditions compiles conditions. It keeps each program as long as a Condition that it
// returned is in use, so that the reload of a policy compiles only what is new. It is
// safe for concurrent use. New returns it.
type Conditions struct {
	language *language
	programs *cache
	mu       sync.Mutex // serializes compilation, so that a text is compiled once
}
