package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// asQuickstart makes the test binary the program itself, so that the tests of
// -serve need not build it.
const asQuickstart = "DRAWBRIDGE_TEST_AS_QUICKSTART"

func TestMain(m *testing.M) {
	if os.Getenv(asQuickstart) == "" {
		os.Exit(m.Run())
	}
	main()
}

// The walk-through goes to its end, tells every step, and fits on a screen.
func TestWalkThrough(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), nil, &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d\n%s\n%s", status, &stderr, &stdout)
	}
	if stderr.Len() > 0 {
		t.Errorf("it logged:\n%s", &stderr)
	}
	told := stdout.String()
	for _, s := range steps() {
		if !strings.Contains(told, ". "+s.name+"\n") {
			t.Errorf("the step %q is not told", s.name)
		}
	}
	for line := range strings.Lines(told) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	if strings.Contains(told, "\x1b") {
		t.Error("there are colours, and this is no terminal")
	}
	if token := regexp.MustCompile(`eyJ[\w-]{20,}`).FindString(told); token != "" {
		t.Errorf("a token is shown in full: %s", token)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"-help"}, 0, "-serve"},
		{[]string{"-unknown"}, 2, "-unknown"},
		{[]string{"argument"}, 2, "argument"},
		{[]string{"-listen", "0.0.0.0:0"}, 1, "not on loopback"},
		{[]string{"-listen", ":0"}, 1, "not on loopback"},
		{[]string{"-listen", "127.0.0.1:nonsense"}, 1, "nonsense"},
	}
	for _, test := range tests {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), test.args, &stdout, &stderr)
		if status != test.status || !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("%q: exit status %d and %q, want %d and something about %q", test.args, status, &stderr, test.status, test.stderr)
		}
		if stdout.Len() > 0 {
			t.Errorf("%q: wrote %q to stdout", test.args, &stdout)
		}
	}
}
