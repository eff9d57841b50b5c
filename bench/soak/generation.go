package main

import "sync/atomic"

// A generation is one configuration of the Authorizer.
type generation struct {
	number uint64
	rules  *rules
	keys   *fetches
}

// kept is how many generations are remembered: more than begin during any call.
// They do not hold on to the verifier and what it keeps.
const kept = 4096

// generations are those of a run. One goroutine adds to them.
type generations struct {
	ring    [kept]atomic.Pointer[generation]
	begun   atomic.Uint64 // may be in force
	settled atomic.Uint64 // has been put in force
}

func (g *generations) at(number uint64) *generation { return g.ring[number%kept].Load() }

// replace puts a generation in force.
func (g *generations) replace(next *generation, reconfigure func() error) error {
	next.number = g.begun.Load() + 1
	g.ring[next.number%kept].Store(next)
	g.begun.Store(next.number)
	if err := reconfigure(); err != nil {
		return err
	}
	g.settled.Store(next.number)
	return nil
}
