//go:build !race

package cel_test

const (
	poolDrift = 0
	slowness  = 1
)
