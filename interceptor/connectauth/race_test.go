//go:build race

package connectauth_test

// poolDrift is by how many allocations two measurements may differ: the race
// detector makes sync.Pool, which connect-go keeps its buffers in, forget at
// random.
const poolDrift = 3
