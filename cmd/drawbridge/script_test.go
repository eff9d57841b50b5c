package main_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/cli"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/sample"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

// TestScripts runs testdata/scripts. In a script, drawbridge runs the command in this
// process, "<file" is its standard input, and exits compares its exit code; "exec
// drawbridge" runs the program that was built. The directory has a copy of testdata/sample.
func TestScripts(t *testing.T) {
	programs := build(t)
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(testdata, "sample")
	images := map[string][]byte{"image.binpb": image(t, tree), "old.binpb": image(t, filepath.Join(tree, "old"), filepath.Join(tree, "third_party"))}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join(testdata, "scripts"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", programs+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Values[lastCode{}] = new(int)
			env.Setenv("EXAMPLES", filepath.Join(testdata, "..", "..", "..", "examples", "proto"))
			return setUp(env.WorkDir, tree, images)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"drawbridge": runInProcess,
			"exits":      compareCode,
		},
	})
}

// setUp copies the sample into a directory.
func setUp(directory, tree string, images map[string][]byte) error {
	if err := os.CopyFS(directory, os.DirFS(tree)); err != nil {
		return err
	}
	for name, content := range images {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// image compiles the sample, or what it was before.
func image(t *testing.T, tree string, imports ...string) []byte {
	t.Helper()
	paths := append([]string{filepath.Join(tree, "proto"), filepath.Join(tree, "third_party")}, imports...)
	return sample.Image(t, paths, "orders/v1/orders.proto", "billing/v1/billing.proto")
}

type lastCode struct{}

// directory guards the current directory, which all scripts share.
var directory sync.Mutex

// runInProcess runs the command so that its coverage is measured.
func runInProcess(ts *testscript.TestScript, isNegated bool, args []string) {
	env := cli.Env{
		In: strings.NewReader(""), Out: ts.Stdout(), Err: ts.Stderr(), Getenv: ts.Getenv,
		Now: func() time.Time { return time.Date(2026, 1, 1, 0, 10, 0, 0, time.UTC) },
	}
	if last := len(args) - 1; last >= 0 && strings.HasPrefix(args[last], "<") {
		env.In = strings.NewReader(ts.ReadFile(args[last][1:]))
		args = args[:last]
	}
	code := ts.Value(lastCode{}).(*int)
	*code = inDirectory(ts, ts.MkAbs("."), func() int { return cli.Run(context.Background(), env, args...) })
	if (*code != 0) != isNegated {
		ts.Fatalf("exit code %d", *code)
	}
}

func inDirectory(ts *testscript.TestScript, path string, f func() int) int {
	directory.Lock()
	defer directory.Unlock()
	before, err := os.Getwd()
	ts.Check(err)
	ts.Check(os.Chdir(path))
	defer func() { ts.Check(os.Chdir(before)) }()
	return f()
}

func compareCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := *ts.Value(lastCode{}).(*int); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// build builds the program and returns its directory.
func build(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(directory, "drawbridge"), ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return directory
}
