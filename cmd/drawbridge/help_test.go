package main_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/cli"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/sample"
)

// saysNo are the examples in the help whose exit code is 1, as they are there.
var saysNo = map[string]bool{
	"drawbridge policy explain /orders.v1.OrderService/RefundOrder --proto proto --claims claims.json": true,
	"drawbridge policy explain /orders.v1.OrderService/ListOrders --proto proto":                       true,
	"drawbridge policy diff old/proto proto":                                                           true,
	"drawbridge policy diff old/proto,old/policy.yaml proto,policy.yaml":                               true,
	"drawbridge policy diff --proto proto old/policy.yaml policy.yaml":                                 true,
	"drawbridge policy diff old.binpb image.binpb -o markdown":                                         true,
	"drawbridge policy diff --fail-on looser,different,new,gone old/proto proto":                       true,
	"drawbridge policy diff ../base/proto proto -o markdown >> \"$GITHUB_STEP_SUMMARY\"":               false,
}

// TestHelp runs every example in the help of every command, with the program that was built,
// in a directory that has what the examples name.
func TestHelp(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "repository")
	prepare(t, directory)
	address := sample.Server{
		Files:    sample.Files(t, []string{filepath.Join(directory, "proto")}, "orders/v1/orders.proto"),
		Services: []string{"orders.v1.OrderService", "grpc.reflection.v1.ServerReflection"},
	}.Start(t)
	path := "PATH=" + build(t) + string(os.PathListSeparator) + os.Getenv("PATH")
	ran := make(map[string]bool)
	for _, line := range examples(t) {
		if ran[line] {
			continue
		}
		ran[line] = true
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(line, "localhost:8080", address))
		cmd.Dir = directory
		cmd.Env = append(os.Environ(), path, "GITHUB_STEP_SUMMARY="+filepath.Join(directory, "summary.md"))
		out, err := cmd.CombinedOutput()
		want := 0
		if saysNo[line] {
			want = 1
		}
		if code := exitCode(err); code != want {
			t.Errorf("%s\nexit code %d, want %d\n%s", line, code, want, out)
		}
	}
	for line := range saysNo {
		if !ran[line] {
			t.Errorf("no help has %s", line)
		}
	}
	if len(ran) < 20 {
		t.Errorf("the help has %d examples", len(ran))
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		return -1
	}
}

// prepare makes a repository of the sample, in which proto imports nothing from elsewhere.
func prepare(t *testing.T, directory string) {
	t.Helper()
	tree, err := filepath.Abs("testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	images := map[string][]byte{"image.binpb": image(t, tree), "old.binpb": image(t, filepath.Join(tree, "old"), filepath.Join(tree, "third_party"))}
	if err := setUp(directory, tree, images); err != nil {
		t.Fatal(err)
	}
	for _, proto := range []string{"proto", "old/proto"} {
		if err := os.CopyFS(filepath.Join(directory, proto), os.DirFS(filepath.Join(tree, "third_party"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, arguments := range [][]string{
		{"init", "-q"}, {"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "sample"},
		{"update-ref", "refs/remotes/origin/main", "HEAD"},
	} {
		cmd := exec.CommandContext(t.Context(), "git", arguments...)
		cmd.Dir = directory
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", arguments, err, out)
		}
	}
}

// examples returns the examples in the help of every command, line by line.
func examples(t *testing.T) []string {
	t.Helper()
	var lines []string
	commands := [][]string{nil}
	for i := 0; i < len(commands); i++ {
		text := helpOf(t, commands[i])
		for _, name := range section(text, "Available Commands:") {
			name, _, _ = strings.Cut(name, " ")
			commands = append(commands, append(append([]string(nil), commands[i]...), name))
		}
		for _, line := range section(text, "Examples:") {
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func helpOf(t *testing.T, command []string) string {
	t.Helper()
	var out, failures bytes.Buffer
	env := cli.Env{In: new(bytes.Buffer), Out: &out, Err: &failures, Getenv: os.Getenv, Now: time.Now}
	if code := cli.Run(context.Background(), env, append(command, "-h")...); code != 0 || failures.Len() > 0 {
		t.Fatalf("%v -h: exit code %d\n%s", command, code, &failures)
	}
	return out.String()
}

// title is a line that begins a section of a help.
var title = regexp.MustCompile(`(?m)^[A-Z].*:$`)

// section returns the lines of a section of a help.
func section(text, name string) []string {
	_, rest, ok := strings.Cut(text, "\n"+name+"\n")
	if !ok {
		return nil
	}
	if end := title.FindStringIndex(rest); end != nil {
		rest = rest[:end[0]]
	}
	var lines []string
	for line := range strings.SplitSeq(rest, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Use ") {
			lines = append(lines, line)
		}
	}
	return lines
}
