package policyfile_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// TestDirectories: a change of what a path leads to happens in one of the directories
// that are watched. They are relative to the root of each test.
func TestDirectories(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files []string
		links [][2]string // target and path; a target that begins with / is in the root
		path  string
		want  []string
	}{
		{"a file", []string{"a/p.yaml"}, nil, "a/p.yaml", []string{"a"}},
		{"a file that is missing", []string{"a/x"}, nil, "a/p.yaml", []string{"a"}},
		{"a directory that is missing", []string{"a/x"}, nil, "a/b/c/p.yaml", []string{"a"}},
		{"a path through a file", []string{"a/x"}, nil, "a/x/p.yaml", []string{"a"}},
		{"a link to a file", []string{"b/p.yaml"}, [][2]string{{"../b/p.yaml", "a/p.yaml"}}, "a/p.yaml", []string{"a", "b"}},
		{"a link to a link", []string{"c/p.yaml"}, [][2]string{{"/b/l.yaml", "a/p.yaml"}, {"../c/p.yaml", "b/l.yaml"}}, "a/p.yaml", []string{"a", "b", "c"}},
		{"a link on the way", []string{"real/x/p.yaml"}, [][2]string{{"real", "l"}}, "l/x/p.yaml", []string{".", "real/x"}},
		{"a link to nothing", []string{"a/x"}, [][2]string{{"../b/p.yaml", "a/p.yaml"}}, "a/p.yaml", []string{".", "a"}},
		{"a link to itself", []string{"a/x"}, [][2]string{{"p.yaml", "a/p.yaml"}}, "a/p.yaml", []string{"a"}},
		{"a ConfigMap", []string{"cm/..1/p.yaml"}, [][2]string{{"..1", "cm/..data"}, {"..data/p.yaml", "cm/p.yaml"}}, "cm/p.yaml", []string{"cm", "cm/..1"}},
		{"a ConfigMap as a directory", []string{"cm/..1/p.yaml", "cm/..1/sub/q.yaml"}, [][2]string{{"..1", "cm/..data"}, {"..data/p.yaml", "cm/p.yaml"}, {"..data/sub", "cm/sub"}}, "cm", []string{"cm", "cm/..1", "cm/..1/sub"}},
		{"a directory", []string{"d/a.yaml", "d/b/c/x.yaml", "d/.git/x", "e/l.yaml"}, [][2]string{{"../e/l.yaml", "d/l.yaml"}, {"../gone", "d/m"}}, "d", []string{".", "d", "d/b", "d/b/c", "e"}},
		{"a link upwards", []string{"d/a.yaml"}, [][2]string{{".", "d/up"}}, "d", []string{"d"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range tt.files {
				mkdir(t, filepath.Dir(filepath.Join(root, name)))
				overwrite(t, filepath.Join(root, name), "x")
			}
			for _, pair := range tt.links {
				target := pair[0]
				if filepath.IsAbs(target) {
					target = root + target
				}
				mkdir(t, filepath.Dir(filepath.Join(root, pair[1])))
				link(t, target, filepath.Join(root, pair[1]))
			}
			var got []string
			for _, directory := range slices.Sorted(maps.Keys(policyfile.DirectoriesOf(filepath.Join(root, tt.path)))) {
				relative, err := filepath.Rel(root, directory)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, relative)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestManyDirectories: there is an end to what is watched.
func TestManyDirectories(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for i := range 1100 {
		if err := os.Mkdir(filepath.Join(root, strconv.Itoa(i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(policyfile.DirectoriesOf(root)); got != 1000 {
		t.Errorf("got %d directories", got)
	}
}
