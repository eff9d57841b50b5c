package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The exit codes of buf lint.
const (
	nothingFound   = 0
	failed         = 1
	somethingFound = 100
)

// A bufCommand is buf with the plugin.
type bufCommand struct {
	path, plugin, cache string
}

// An annotation is what buf lint writes, with --error-format=json, for one finding.
type annotation struct {
	Path        string `json:"path"`
	StartLine   int    `json:"start_line"`
	StartColumn int    `json:"start_column"`
	Type        string `json:"type"`
	Message     string `json:"message"`
}

// newBuf finds buf and builds the plugin.
func newBuf(t *testing.T) bufCommand {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", ".tmp", "bin", "buf"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath("buf"); err != nil {
			t.Fatalf("no buf in .tmp/bin of the repository, and none in PATH: run make lint in the repository, which installs it (%v)", err)
		}
	}
	plugin := filepath.Join(t.TempDir(), "buf-plugin-drawbridge")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", plugin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return bufCommand{path: path, plugin: plugin, cache: t.TempDir()}
}

// lint runs buf lint in a workspace. The rest of buf.yaml is config.
func (b bufCommand) lint(t *testing.T, dir, config string, args ...string) (annotations []annotation, stderr string, code int) {
	t.Helper()
	text := fmt.Sprintf("version: v2\nmodules:\n  - path: module\n  - path: proto\nplugins:\n  - plugin: %s\n%s", b.plugin, config)
	if err := os.WriteFile(filepath.Join(dir, "buf.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), b.path, append([]string{"lint", "--error-format=json"}, args...)...)
	command.Dir = dir
	command.Env = append(os.Environ(), "BUF_CACHE_DIR="+b.cache)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	if err := command.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	for decoder := json.NewDecoder(&out); ; {
		var a annotation
		if err := decoder.Decode(&a); errors.Is(err, io.EOF) {
			return annotations, errOut.String(), code
		} else if err != nil {
			t.Fatalf("%v\n%s", err, errOut.String())
		}
		annotations = append(annotations, a)
	}
}

// config returns the options of the plugin and the rules that it uses, as buf.yaml has
// them.
func (c lintCase) config(use string) string {
	var text strings.Builder
	if len(c.options) > 0 {
		text.WriteString("    options:\n")
	}
	for key, value := range c.options {
		fmt.Fprintf(&text, "      %s: %v\n", key, value)
	}
	fmt.Fprintf(&text, "lint:\n  use:\n    - %s\n", use)
	return text.String()
}

func TestBuf(t *testing.T) {
	buf := newBuf(t)
	for _, c := range lintCases {
		t.Run(c.name, func(t *testing.T) {
			var args []string
			if c.isPart {
				args = []string{"--path", "module/" + c.file}
			}
			annotations, stderr, code := buf.lint(t, c.workspace(t), c.config(all), args...)
			want := somethingFound
			if len(annotations) == 0 {
				want = nothingFound
			}
			if code != want || stderr != "" {
				t.Errorf("exit code %d, want %d: %s", code, want, stderr)
			}
			var found []string
			for _, a := range annotations {
				found = append(found, c.finding(t, strings.TrimPrefix(a.Path, "module/"), a.StartLine, a.StartColumn, a.Type, a.Message))
			}
			c.wants(t, "buf", found)
		})
	}
	t.Run("use", buf.testUse)
	t.Run("options", buf.testOptions)
	t.Run("image", buf.testImage)
}

// A category and a rule can be used alone.
func (b bufCommand) testUse(t *testing.T) {
	for _, test := range []struct {
		use  string
		want []string
	}{
		{minimal, []string{optionsValid}},
		{weakerMethodHasReason, []string{weakerMethodHasReason}},
		{all, []string{optionsValid, weakerMethodHasReason}},
		{publicHasReason, nil},
	} {
		t.Run(test.use, func(t *testing.T) {
			c := lintCase{dir: "weaker_method"}
			annotations, stderr, _ := b.lint(t, c.workspace(t), c.config(test.use))
			var rules []string
			for _, a := range annotations {
				rules = append(rules, a.Type)
			}
			slices.Sort(rules)
			if got := slices.Compact(rules); !slices.Equal(got, test.want) || stderr != "" {
				t.Errorf("found by %v, want %v: %s", got, test.want, stderr)
			}
		})
	}
}

// Faults of the options of the plugin are errors of buf lint.
func (b bufCommand) testOptions(t *testing.T) {
	c := lintCase{dir: "clean", options: map[string]any{scopePatternOption: "'a)|(b'"}}
	_, stderr, code := b.lint(t, c.workspace(t), c.config(all))
	const want = `scope_pattern: "a)|(b" is not a regular expression: unexpected )`
	if code != failed || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d, want %d; %q, want %q", code, failed, stderr, want)
	}
}

// In an image without the positions of the source, what is found has a file and no line.
func (b bufCommand) testImage(t *testing.T) {
	c := lintCase{dir: "public_has_reason"}
	dir := c.workspace(t)
	b.lint(t, dir, c.config(all)) // It writes buf.yaml.
	build := exec.CommandContext(t.Context(), b.path, "build", "--exclude-source-info", "-o", "image.binpb")
	build.Dir = dir
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	annotations, stderr, code := b.lint(t, dir, c.config(all), "image.binpb")
	if code != somethingFound || len(annotations) != 3 {
		t.Fatalf("exit code %d, %v, %s", code, annotations, stderr)
	}
	for _, a := range annotations {
		if a.Path != "public.proto" || a.StartLine != 1 || a.StartColumn != 1 {
			t.Errorf("%+v is not at public.proto:1:1", a)
		}
	}
}
