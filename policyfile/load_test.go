package policyfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// TestLoadFile: a file may have any name.
func TestLoadFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"policy.yaml", "policy", ".policy", "policy.json"} {
		path := filepath.Join(t.TempDir(), name)
		overwrite(t, path, requiring("read"))
		p, err := policyfile.Load(path)
		if err != nil || scopeOf(p) != "read" || p.Services[service].Rule.Source != path+":4" {
			t.Errorf("%s: got %v, %v", name, p, err)
		}
	}
}

// TestLoadPipe: the output of a program, as of <(git show HEAD:policy.yaml).
func TestLoadPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() { written <- os.WriteFile(path, []byte(requiring("read")), 0o600) }()
	if p, err := policyfile.Load(path); err != nil || scopeOf(p) != "read" {
		t.Errorf("got %v, %v", p, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// serviceNamed is a file with one service.
func serviceNamed(name string) string {
	return "services: {" + name + ": {rule: {authenticated: true}}}\n"
}

// TestLoadDirectory: every file counts whose name says that it is one.
func TestLoadDirectory(t *testing.T) {
	t.Parallel()
	directory, elsewhere := t.TempDir(), t.TempDir()
	mkdir(t, filepath.Join(directory, "teams", "orders"))
	mkdir(t, filepath.Join(directory, "..2026_03_01"))
	overwrite(t, filepath.Join(elsewhere, "linked.yaml"), serviceNamed("linked.v1.L"))
	link(t, elsewhere, filepath.Join(directory, "teams", "link"))
	link(t, "..2026_03_01", filepath.Join(directory, "..data"))
	link(t, "..data/config.yaml", filepath.Join(directory, "config.yaml"))
	for name, text := range map[string]string{
		"a.yaml":                   serviceNamed("a.v1.A") + "implies: [{scope: w, implies: [r]}]\n",
		"b.yml":                    serviceNamed("b.v1.B") + "implies: [{scope: w, implies: [x, r]}, {scope: x, implies: [r]}]\n",
		"c.json":                   `{"services": {"c.v1.C": {"rule": {"authenticated": true}}}, "resources": {"https://h/c": {"services": ["c.v1.C"]}}}`,
		"..2026_03_01/config.yaml": serviceNamed("config.v1.C"),
		"teams/orders/o.yaml":      serviceNamed("orders.v1.O") + "resources: {https://h/o: {services: [orders.v1.O]}}\n",
		"teams/README.md":          "not YAML: [",
		".hidden.yaml":             serviceNamed("hidden.v1.H"),
		"a.yaml~":                  serviceNamed("a.v1.A"),
		"A.YAML":                   serviceNamed("a.v1.A"),
		"teams/.git.yaml":          serviceNamed("a.v1.A"),
	} {
		overwrite(t, filepath.Join(directory, name), text)
	}
	p, err := policyfile.Load(directory)
	if err != nil {
		t.Fatal(err)
	}
	sources := make(map[string]string)
	for name, service := range p.Services {
		sources[name] = strings.TrimPrefix(service.Rule.Source, directory+"/")
	}
	if want := map[string]string{
		"a.v1.A": "a.yaml:1", "b.v1.B": "b.yml:1", "c.v1.C": "c.json:1", "config.v1.C": "config.yaml:1",
		"orders.v1.O": "teams/orders/o.yaml:1", "linked.v1.L": "teams/link/linked.yaml:1",
	}; !reflect.DeepEqual(sources, want) {
		t.Errorf("got %v, want %v", sources, want)
	}
	if want := map[string][]string{"w": {"r", "x"}, "x": {"r"}}; !reflect.DeepEqual(p.Implies, want) {
		t.Errorf("got %v, want %v", p.Implies, want)
	}
	if want := map[string][]string{"https://h/c": {"c.v1.C"}, "https://h/o": {"orders.v1.O"}}; !reflect.DeepEqual(p.Resources, want) {
		t.Errorf("got %v, want %v", p.Resources, want)
	}
	if want := filepath.Join(directory, "a.yaml") + ":2"; p.Sources[`Implies["w"]`] != want {
		t.Errorf("got %v, want %s", p.Sources, want)
	}
}

// TestLoadFaults: a policy that is not all there is none (RPC-6). The texts have DIR for
// the directory.
func TestLoadFaults(t *testing.T) {
	t.Parallel()
	const missing = "does not exist; create it, or correct the path; without a policy, every call would be denied"
	const nothing = "DIR: policyfile: has no file whose name ends in .yaml, .yml or .json; write the rules of services; without any, every call would be denied"
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, directory string) {
			mkdir(t, filepath.Dir(filepath.Join(directory, name)))
			overwrite(t, filepath.Join(directory, name), text)
		}
	}
	for _, tt := range []struct {
		name, path string
		prepare    []func(t *testing.T, directory string)
		want       []string
	}{
		{"missing", "/policy.yaml", nil, []string{"DIR/policy.yaml: policyfile: " + missing}},
		{"in a directory that is missing", "/a/policy.yaml", nil, []string{"DIR/a/policy.yaml: policyfile: " + missing}},
		{"below a file", "/a.yaml/policy.yaml", []func(*testing.T, string){write("a.yaml", "x")}, []string{"DIR/a.yaml/policy.yaml: policyfile: cannot be read: not a directory"}},
		{"a directory that is empty", "", nil, []string{nothing}},
		{"a directory of other files", "", []func(*testing.T, string){write("README.md", "x"), write(".a.yaml", "x")}, []string{nothing}},
		{"an empty file", "", []func(*testing.T, string){write("a.yaml", ""), write("b.yaml", serviceNamed("b.v1.B"))}, []string{"DIR/a.yaml: policyfile: " + emptyText}},
		{"several files with faults", "", []func(*testing.T, string){write("a.yaml", "a"), write("b.yaml", serviceNamed("b.v1.B")), write("c/c.json", "[]")}, []string{
			"DIR/a.yaml:1:1: policyfile: is a string, not a mapping", "DIR/c/c.json:1:1: policyfile: is a list, not a mapping",
		}},
		{"a service in two files", "", []func(*testing.T, string){
			write("a.yaml", "\n"+serviceNamed("a.v1.A")), write("b.yaml", "services:\n a.v1.A: {methods: {Get: {public: true}}}\n b.v1.B: {rule: {public: true}}\n"), write("c.yaml", serviceNamed("b.v1.B")),
		}, []string{
			`DIR/b.yaml:2: policyfile: services["a.v1.A"]: is also in DIR/a.yaml:2; keep one`,
			`DIR/c.yaml:1: policyfile: services["b.v1.B"]: is also in DIR/b.yaml:3; keep one`,
		}},
		{"a resource in two files", "", []func(*testing.T, string){
			write("a.yaml", "resources: {https://h/a: {services: [a.v1.A]}}\n"), write("b/b.yaml", "resources:\n  https://h/a: {services: [b.v1.B]}\n"),
		}, []string{`DIR/b/b.yaml:2: policyfile: resources["https://h/a"]: is also in DIR/a.yaml:1; keep one`}},
		{"a link to nothing", "", []func(*testing.T, string){write("a.yaml", serviceNamed("a.v1.A")), func(t *testing.T, directory string) { link(t, "gone", filepath.Join(directory, "team")) }}, []string{
			"DIR/team: policyfile: " + missing,
		}},
		{"a link to itself", "/a.yaml", []func(*testing.T, string){func(t *testing.T, directory string) { link(t, "a.yaml", filepath.Join(directory, "a.yaml")) }}, []string{
			"DIR/a.yaml: policyfile: cannot be read: too many levels of symbolic links",
		}},
		{"a link upwards", "", []func(*testing.T, string){func(t *testing.T, directory string) { link(t, ".", filepath.Join(directory, "up")) }}, []string{
			"DIR" + strings.Repeat("/up", policyfile.MaxDepth+1) + ": policyfile: is more than 8 directories deep; remove a symbolic link that leads upwards",
		}},
		{"a pipe", "", []func(*testing.T, string){func(t *testing.T, directory string) {
			if err := syscall.Mkfifo(filepath.Join(directory, "a.yaml"), 0o600); err != nil {
				t.Fatal(err)
			}
		}}, []string{"DIR/a.yaml: policyfile: is not a regular file; remove it"}},
		{"too many files", "", []func(*testing.T, string){func(t *testing.T, directory string) {
			for i := range policyfile.MaxFiles + 5 {
				overwrite(t, filepath.Join(directory, fmt.Sprintf("%04d.yaml", i)), serviceNamed(fmt.Sprintf("a.v1.A%d", i)))
			}
		}}, []string{"DIR/1000.yaml: policyfile: would be file number 1001; use a directory of its own for the policy"}},
		{"too much", "", []func(*testing.T, string){func(t *testing.T, directory string) {
			for i := range 6 {
				overwrite(t, filepath.Join(directory, fmt.Sprintf("%d.yaml", i)), strings.Repeat("#", policyfile.MaxSize+1))
			}
		}}, []string{"DIR/4.yaml: policyfile: would be read after more than 16 MiB; use a directory of its own for the policy"}},
		{"a file that is too large", "/a.yaml", []func(*testing.T, string){write("a.yaml", strings.Repeat("#", policyfile.MaxSize+1))}, []string{
			"DIR/a.yaml: policyfile: is larger than 4 MiB; split it, or correct the path",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			for _, prepare := range tt.prepare {
				prepare(t, directory)
			}
			p, err := policyfile.Load(directory + tt.path)
			if p.Services != nil {
				t.Errorf("RPC-6: a policy beside faults: %v", p)
			}
			got := faultsOf(t, err)
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], directory, "DIR")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestErrorsOfTheSystem: what a test cannot bring about, as when it runs as root.
func TestErrorsOfTheSystem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "open", Path: "p", Err: syscall.EACCES}, "p: policyfile: must not be read by this process; let the user that it runs as read it"},
		{&fs.PathError{Op: "read", Path: "p", Err: syscall.EIO}, "p: policyfile: cannot be read: input/output error"},
		{errors.New("unknown"), "p: policyfile: cannot be read: unknown"},
	} {
		if got := faultsOf(t, policyfile.FaultOf("p", tt.err)); len(got) != 1 || got[0] != tt.want {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}
