package rpctest

import (
	"runtime"
	"strings"
)

// Running counts the goroutines whose stack contains a call of function, named
// by the end of its qualified name, such as "leavingHandler". It is for tests
// that prove that no goroutine is left behind.
func Running(function string) int {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	count := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, function+"(") {
			count++
		}
	}
	return count
}
