//go:build !race

package connectauth_test

const poolDrift = 0
