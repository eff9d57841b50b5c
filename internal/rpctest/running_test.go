package rpctest_test

import (
	"runtime"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

func waiting(until <-chan struct{}) { <-until }

func TestRunning(t *testing.T) {
	until := make(chan struct{})
	for range 3 {
		go waiting(until)
	}
	for rpctest.Running("rpctest_test.waiting") != 3 {
		runtime.Gosched()
	}
	close(until)
	for rpctest.Running("rpctest_test.waiting") != 0 {
		runtime.Gosched()
	}
	if got := rpctest.Running("rpctest_test.neverCalled"); got != 0 {
		t.Errorf("got %d goroutines of a function that does not exist", got)
	}
}
