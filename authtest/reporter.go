package authtest

import (
	"fmt"
	"testing"
)

// A reporter receives mistakes in the test.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// panics is the reporter where there is no test.
type panics struct{}

func (panics) Helper() {}

func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func reporterOf(tb testing.TB) reporter {
	switch tb.(type) {
	case nil, *testing.F: // a fuzz target must not call methods of its F
		return panics{}
	default:
		return tb
	}
}

// must ends the test with an error at the construction of a value.
func must(tb testing.TB, err error) {
	switch {
	case err == nil:
	case tb == nil:
		panic(fmt.Sprintf("authtest: %v", err))
	default:
		tb.Helper()
		tb.Fatalf("authtest: %v", err)
	}
}
