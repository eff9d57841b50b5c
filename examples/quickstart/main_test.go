package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// asQuickstart makes the test binary run the program, so that the tests of -serve
// need not build it.
const asQuickstart = "DRAWBRIDGE_TEST_AS_QUICKSTART"

func TestMain(m *testing.M) {
	if os.Getenv(asQuickstart) == "" {
		os.Exit(m.Run())
	}
	main()
}

// The walk-through prints every step, ends without an error, and has no long lines.
func TestWalkThrough(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), nil, &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d\n%s\n%s", status, &stderr, &stdout)
	}
	if stderr.Len() > 0 {
		t.Errorf("it logged:\n%s", &stderr)
	}
	printed := stdout.String()
	for _, s := range steps() {
		if !strings.Contains(printed, ". "+s.name+"\n") {
			t.Errorf("the step %q is not printed", s.name)
		}
	}
	for line := range strings.Lines(printed) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	if strings.Contains(printed, "\x1b") {
		t.Error("there are colors, and this is no terminal")
	}
	if token := regexp.MustCompile(`eyJ[\w-]{20,}`).FindString(printed); token != "" {
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
		{[]string{"-origin", "https://api.example.com/"}, 1, "not a scheme and a host alone"},
		{[]string{"-origin", "api.example.com"}, 1, "not a scheme and a host alone"},
		{[]string{"-origin", "http://api.example.com"}, 1, "https"},
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
