package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/cli"
)

const tree = "../../drawbridge/testdata/sample/"

// TestFailures makes sure that what goes wrong outside of the policy is said in a line, and
// never taken for an answer.
func TestFailures(t *testing.T) {
	t.Parallel()
	read := []string{"--proto", tree + "proto", "-I", tree + "third_party"}
	procedure := "/orders.v1.OrderService/GetOrder"
	for _, tt := range []struct {
		name string
		stop bool // before it begins
		env  func(*cli.Env)
		args []string
		want string
	}{
		{
			name: "a bug", env: func(env *cli.Env) { env.Now = func() time.Time { panic("oh\x1b") } },
			args: append([]string{"policy", "explain", procedure}, read...), want: `this is a bug of drawbridge, please report it: oh\x1b`,
		},
		{
			name: "interrupted", stop: true,
			args: append([]string{"policy", "show"}, read...), want: "drawbridge: interrupted",
		},
		{
			name: "standard input", env: func(env *cli.Env) { env.In = iotest.ErrReader(errors.New("the pipe is broken")) },
			args: append([]string{"policy", "explain", procedure, "--claims", "-"}, read...), want: "drawbridge: --claims: the pipe is broken",
		},
		{
			name: "much input", env: func(env *cli.Env) { env.In = io.LimitReader(endless{}, 1<<30) },
			args: append([]string{"policy", "explain", procedure, "--claims", "-"}, read...), want: "is larger than 16 MiB",
		},
		{
			name: "a directory of claims", args: append([]string{"policy", "explain", procedure, "--claims", "."}, read...), want: "is a directory",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if tt.stop {
				stop()
			}
			var out, failures bytes.Buffer
			env := newEnv(&out, &failures)
			if tt.env != nil {
				tt.env(&env)
			}
			code := cli.Run(ctx, env, tt.args...)
			if code != cli.ExitUsage || out.Len() > 0 || !strings.Contains(failures.String(), tt.want) {
				t.Errorf("exit code %d\n%s%s", code, &out, &failures)
			}
			if strings.Contains(failures.String(), "goroutine") {
				t.Errorf("a stack trace was written: %s", &failures)
			}
		})
	}
}

// TestFullDisk has each output fail.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	read := []string{"--proto", tree + "proto", "-I", tree + "third_party"}
	both := []string{"policy", "diff", "-I", tree + "third_party", tree + "old/proto", tree + "proto"}
	for _, command := range [][]string{
		{"policy", "show", "-o", "text"}, {"policy", "show", "-o", "json"}, {"policy", "show", "-o", "yaml"},
		{"policy", "show", "-o", "markdown"}, {"policy", "show", "-o", "html"},
		{"policy", "check", "-o", "text"}, {"policy", "check", "-o", "json"}, {"policy", "check", "-o", "sarif"},
		{"policy", "explain", "--all", "-o", "text"}, {"policy", "explain", "--all", "-o", "json"},
		{"policy", "explain", "/orders.v1.OrderService/GetOrder", "-o", "text"},
		{"policy", "explain", "/orders.v1.OrderService/GetOrder", "-o", "json"},
	} {
		t.Run(strings.Join(command, " "), func(t *testing.T) {
			t.Parallel()
			wantFullDisk(t, append(command, read...))
		})
	}
	for _, format := range []string{"text", "json", "markdown"} {
		wantFullDisk(t, append(slices.Clone(both), "-o", format))
	}
	wantFullDisk(t, []string{"version"})
}

func wantFullDisk(t *testing.T, args []string) {
	t.Helper()
	var failures bytes.Buffer
	if code := cli.Run(t.Context(), newEnv(full{}, &failures), args...); code != cli.ExitUsage || !strings.Contains(failures.String(), "the disk is full") {
		t.Errorf("%v: exit code %d\n%s", args, code, &failures)
	}
}

func newEnv(out, failures io.Writer) cli.Env {
	return cli.Env{In: new(bytes.Buffer), Out: out, Err: failures, Getenv: func(string) string { return "" }, Now: time.Now}
}

// full is a file on a disk that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// endless never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
