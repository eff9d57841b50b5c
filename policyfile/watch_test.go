package policyfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// configMap is the directory of a ConfigMap, as kubelet writes it: it makes a directory,
// sets a link ..data to it in one step, and removes the one before.
type configMap struct {
	directory string
	version   int
}

func newConfigMap(tb testing.TB, text string) *configMap {
	tb.Helper()
	c := &configMap{directory: tb.TempDir()}
	c.set(tb, text)
	link(tb, "..data/policy.yaml", filepath.Join(c.directory, "policy.yaml"))
	return c
}

func (c *configMap) set(tb testing.TB, text string) {
	tb.Helper()
	c.version++
	name := func(version int) string { return fmt.Sprintf("..2026_03_01_12_00_00.%d", version) }
	overwrite(tb, filepath.Join(mkdir(tb, filepath.Join(c.directory, name(c.version))), "policy.yaml"), text)
	link(tb, name(c.version), filepath.Join(c.directory, "..data"))
	remove(tb, filepath.Join(c.directory, name(c.version-1)))
}

// TestWatch: each way in which a policy can change is noticed, without polling.
func TestWatch(t *testing.T) {
	t.Parallel()
	join := filepath.Join
	for _, tt := range []struct {
		name string
		// start writes the first policy, and returns the path and what changes it.
		start func(t *testing.T) (path string, change func(text string))
	}{
		{"written in place", func(t *testing.T) (string, func(string)) {
			path := join(t.TempDir(), "policy.yaml")
			return path, func(text string) { overwrite(t, path, text) }
		}},
		{"replaced by a rename", func(t *testing.T) (string, func(string)) {
			path := join(t.TempDir(), "policy.yaml")
			return path, func(text string) { write(t, path, text) }
		}},
		{"moved away and written anew", func(t *testing.T) (string, func(string)) {
			path := join(t.TempDir(), "policy.yaml")
			return path, func(text string) {
				if _, err := os.Stat(path); err == nil {
					rename(t, path, path+"~")
				}
				overwrite(t, path, text)
			}
		}},
		{"a relative path", func(t *testing.T) (string, func(string)) {
			working, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			path := join(t.TempDir(), "policy.yaml")
			relative, err := filepath.Rel(working, path)
			if err != nil {
				t.Fatal(err)
			}
			return relative, func(text string) { write(t, path, text) }
		}},
		{"a file of a ConfigMap", func(t *testing.T) (string, func(string)) {
			c := newConfigMap(t, "")
			return join(c.directory, "policy.yaml"), func(text string) { c.set(t, text) }
		}},
		{"the directory of a ConfigMap", func(t *testing.T) (string, func(string)) {
			c := newConfigMap(t, "")
			return c.directory, func(text string) { c.set(t, text) }
		}},
		{"a link to a file of a ConfigMap", func(t *testing.T) (string, func(string)) {
			c, path := newConfigMap(t, ""), join(t.TempDir(), "policy.yaml")
			link(t, join(c.directory, "policy.yaml"), path)
			return path, func(text string) { c.set(t, text) }
		}},
		{"behind a link, written in place", func(t *testing.T) (string, func(string)) {
			file, path := join(t.TempDir(), "real"), join(t.TempDir(), "policy.yaml")
			link(t, file, path)
			return path, func(text string) { overwrite(t, file, text) }
		}},
		{"a link that is set to another file", func(t *testing.T) (string, func(string)) {
			path, count := join(t.TempDir(), "policy.yaml"), 0
			return path, func(text string) {
				count++
				file := join(t.TempDir(), strconv.Itoa(count))
				overwrite(t, file, text)
				link(t, file, path)
			}
		}},
		{"a link to a directory that is set to another one", func(t *testing.T) (string, func(string)) {
			current := join(t.TempDir(), "current")
			return current, func(text string) {
				directory := t.TempDir()
				overwrite(t, join(directory, "policy.yaml"), text)
				link(t, directory, current)
			}
		}},
		{"a directory that is removed and made anew", func(t *testing.T) (string, func(string)) {
			directory := join(t.TempDir(), "policies")
			return join(directory, "policy.yaml"), func(text string) {
				remove(t, directory)
				overwrite(t, join(mkdir(t, directory), "policy.yaml"), text)
			}
		}},
		{"a directory that is replaced", func(t *testing.T) (string, func(string)) {
			root := t.TempDir()
			directory := join(root, "policies")
			return directory, func(text string) {
				overwrite(t, join(mkdir(t, join(root, "new")), "policy.yaml"), text)
				if _, err := os.Stat(directory); err == nil {
					rename(t, directory, join(t.TempDir(), "old"))
				}
				rename(t, join(root, "new"), directory)
			}
		}},
		{"a file that is added and removed", func(t *testing.T) (string, func(string)) {
			directory, last := t.TempDir(), ""
			return directory, func(text string) {
				if last != "" {
					remove(t, last)
				}
				last = join(directory, fmt.Sprintf("%x.yaml", text))
				write(t, last, text)
			}
		}},
		{"a directory inside that is added and removed", func(t *testing.T) (string, func(string)) {
			directory, count := t.TempDir(), 0
			return directory, func(text string) {
				count++
				write(t, join(mkdir(t, join(directory, strconv.Itoa(count), "deep")), "policy.yaml"), text)
				remove(t, join(directory, strconv.Itoa(count-1)))
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path, change := tt.start(t)
			change(requiring("first"))
			w := watch(t, path)
			for i := range 5 {
				scope := fmt.Sprintf("s%d", i)
				change(requiring(scope))
				w.want(t, scope)
			}
			w.log.await(t, 5, "the policy was replaced")
			if s := w.Status(); s.Err != nil || s.Reloads != 5 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestBrokenFile: the last good policy stays in force, the log has every fault once, and
// what comes next is tried (RPC-6).
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w := watch(t, path)
	const broken = "services:\n a.v1.A: {rule: {public: yes, scope: [a]}}\n"
	write(t, path, broken)
	record := w.log.await(t, 1, "level=ERROR")
	want := `level=ERROR msg="policyfile: the policy was not replaced, and the last good one stays in force" path=` + path + ` faults="[`
	for i, text := range []string{`:2:26: policyfile: services[\"a.v1.A\"].rule.public: \"yes\" is not a boolean`, `:2:31: policyfile: services[\"a.v1.A\"].rule: \"scope\" is not a field of Rule; write scopes`} {
		if !strings.Contains(record, path+text) {
			t.Errorf("fault %d is not in the record %s", i, record)
		}
	}
	if !strings.HasPrefix(record, want) {
		t.Errorf("got %s\nwant %s", record, want)
	}
	failed := w.Status()
	if failed.Reloads != 0 || failed.Failures != 1 || failed.Failed.IsZero() || len(faultsOf(t, failed.Err)) != 2 || failed.Applied.IsZero() {
		t.Errorf("got %+v", failed)
	}
	// The same again, by other means, is nothing new.
	write(t, path, broken)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	write(t, path, requiring("second"))
	w.want(t, "second")
	w.log.await(t, 1, "the policy was replaced")
	if s := w.Status(); s.Reloads != 1 || s.Failures != 1 || s.Err != nil || !s.Applied.After(failed.Applied) || s.Failed != failed.Failed {
		t.Errorf("got %+v", s)
	}
	// Back to what is in force: there is nothing to apply.
	write(t, path, broken)
	w.log.await(t, 2, "level=ERROR")
	write(t, path, requiring("second"))
	w.log.await(t, 1, "the file is again that of the policy in force")
	remove(t, path)
	if record := w.log.await(t, 3, "level=ERROR"); !strings.Contains(record, path+": policyfile: does not exist") {
		t.Errorf("got %s", record)
	}
	write(t, path, requiring("third"))
	w.want(t, "third")
	w.log.await(t, 2, "the policy was replaced")
	if s := w.Status(); s.Reloads != 2 || s.Failures != 3 || s.Err != nil {
		t.Errorf("got %+v", s)
	}
}

// TestRefusedPolicy: a policy that the server does not take is tried again when the file
// changes, or on demand.
func TestRefusedPolicy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	w := watch(t, path)
	refusal := errors.New("no such service")
	w.refuse.Store("second", refusal)
	write(t, path, requiring("second"))
	w.log.await(t, 1, "no such service")
	if s := w.Status(); !errors.Is(s.Err, refusal) || s.Failures != 1 {
		t.Errorf("got %+v", s)
	}
	if err := w.Reload(); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
	w.log.await(t, 2, "no such service")
	w.refuse.Delete("second")
	if err := w.Reload(); err != nil {
		t.Error(err)
	}
	w.want(t, "second")
	w.refuse.Store("third", refusal)
	write(t, path, requiring("third"))
	w.log.await(t, 3, "no such service")
	write(t, path, requiring("fourth"))
	w.want(t, "fourth")
	w.log.await(t, 2, "the policy was replaced")
	if s := w.Status(); s.Reloads != 2 || s.Failures != 3 || s.Err != nil {
		t.Errorf("got %+v", s)
	}
}

// TestReload: it applies what has not changed, too, and works without Run.
func TestReload(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	applied := 0
	w, err := policyfile.NewWatcher(policyfile.WatcherConfig{Path: path, Apply: func(policy.Policy) error { applied++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Reload(); err != nil || applied != 2 || w.Status().Reloads != 1 {
		t.Errorf("got %v, applied %d times, %+v", err, applied, w.Status())
	}
	remove(t, path)
	if err := w.Reload(); err == nil || applied != 2 || w.Status().Failures != 1 {
		t.Errorf("got %v, applied %d times, %+v", err, applied, w.Status())
	}
}

// TestPanic: code of the user that panics is an error like any other.
func TestPanic(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, requiring("first"))
	_, err := policyfile.NewWatcher(policyfile.WatcherConfig{Path: path, Apply: func(policy.Policy) error { panic("oh") }})
	if err == nil || !strings.HasPrefix(err.Error(), "policyfile: Apply panicked: oh\n") || !strings.Contains(err.Error(), "TestPanic") {
		t.Errorf("got %v", err)
	}
}

// TestStart: a server without a policy does not start (RPC-6).
func TestStart(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	good, broken := filepath.Join(directory, "good"), filepath.Join(directory, "broken")
	overwrite(t, good, requiring("first"))
	overwrite(t, broken, "services: []\n")
	refusal := errors.New("refused")
	accept, refuse := func(policy.Policy) error { return nil }, func(policy.Policy) error { return refusal }
	for _, tt := range []struct {
		path, want string
		apply      func(policy.Policy) error
	}{
		{filepath.Join(directory, "missing"), directory + "/missing: policyfile: does not exist; create it, or correct the path; without a policy, every call would be denied", accept},
		{broken, broken + ":1:11: policyfile: services: is a list, not a mapping", accept},
		{good, "refused", refuse},
		{"", "policyfile: WatcherConfig.Path: is required\npolicyfile: WatcherConfig.Apply: is required; call Reconfigure of the Authorizer in it", nil},
		{os.DevNull, os.DevNull + ": policyfile: is neither a file nor a directory, so that it cannot be read again", accept},
	} {
		if err := policyfile.Watch(t.Context(), tt.path, tt.apply); err == nil || err.Error() != tt.want {
			t.Errorf("%q: got %v, want %s", tt.path, err, tt.want)
		}
	}
	_, err := policyfile.NewWatcher(policyfile.WatcherConfig{Path: good, Apply: accept, Interval: -1})
	if want := `policyfile: WatcherConfig.Interval: "-1ns" is negative`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := policyfile.Watch(ctx, good, func(policy.Policy) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
