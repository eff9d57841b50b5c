package main_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestColor runs the program on a terminal: its output has colors unless NO_COLOR is set.
func TestColor(t *testing.T) {
	program := filepath.Join(build(t), "drawbridge")
	for _, tt := range []struct {
		name      string
		env       string
		isColored bool
	}{
		{"terminal", "TERM=xterm", true},
		{"NO_COLOR", "NO_COLOR=1", false},
		{"NO_COLOR empty", "NO_COLOR=", true},
		{"dumb", "TERM=dumb", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			controller, terminal := openTerminal(t)
			cmd := exec.CommandContext(t.Context(), program, "policy", "show", "--file", "testdata/sample/policy.yaml")
			cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", tt.env)
			cmd.Stdout = terminal
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			terminal.Close()
			out, err := io.ReadAll(controller)
			if len(out) == 0 {
				t.Fatalf("nothing was written: %v", err)
			}
			if got := bytes.Contains(out, []byte("\x1b[33mpublic")); got != tt.isColored {
				t.Errorf("colored is %v, want %v:\n%q", got, tt.isColored, out)
			}
		})
	}
}

// openTerminal opens a pseudo-terminal.
func openTerminal(t *testing.T) (controller, terminal *os.File) {
	t.Helper()
	controller, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { controller.Close() })
	if err := unix.IoctlSetPointerInt(int(controller.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(controller.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return controller, terminal
}
