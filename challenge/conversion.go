package challenge

import (
	"sync"
	"sync/atomic"
)

// conversions are the conversions of [RegisterError], in the order in which they
// were registered.
var (
	conversionsMu sync.Mutex // for writers
	conversions   atomic.Pointer[[]conversion]
)

// A conversion sets target to the error that carries a denial, if target is of the
// type that it is for.
type conversion func(denial *DenialError, target any) bool

// RegisterError lets errors.As find an error of type E in every denial: the one
// that convert returns. It is for authors of adapters, whose framework recognizes
// its own type of errors alone: with it, a handler may return a denial as it is,
// wrapped or not. An adapter calls it once, when its package is initialized; of
// several conversions to one type, the first counts. It is safe for concurrent use,
// and so has convert to be.
func RegisterError[E error](convert func(*DenialError) E) {
	conversionsMu.Lock()
	defer conversionsMu.Unlock()
	var grown []conversion
	if registered := conversions.Load(); registered != nil {
		grown = append(grown, *registered...)
	}
	grown = append(grown, func(denial *DenialError, target any) bool {
		found, ok := target.(*E)
		if ok {
			*found = convert(denial)
		}
		return ok
	})
	conversions.Store(&grown)
}

// As is for errors.As, which finds the error of an RPC framework in a denial if an
// adapter for the framework is linked into the program.
func (e *DenialError) As(target any) bool {
	registered := conversions.Load()
	if registered == nil {
		return false
	}
	for _, convert := range *registered {
		if convert(e, target) {
			return true
		}
	}
	return false
}
