//go:build race

package cel_test

const (
	// poolDrift is by how many allocations a measurement may differ: the race detector
	// makes sync.Pool, in which CEL keeps what it judges with, forget at random.
	poolDrift = 5
	// slowness is by what factor a program may be slower.
	slowness = 10
)
