package policyfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// These bound how many directories are followed, and how many symbolic links a path has.
const (
	maxDirectories = 1000
	maxLinks       = 40
)

// directories are those in which a change can change what is read at a path, without
// symbolic links in their names.
//
// A watch on a file itself would go silent when the file is replaced, and one on the
// directory alone would miss a link on the way that is set anew, as Kubernetes does for
// a ConfigMap: policy.yaml → ..data/policy.yaml, and ..data → ..2026_03_01, which is
// replaced.
type directories map[string]bool

// directoriesOf returns the directories of a path.
func directoriesOf(path string) directories {
	d := make(directories)
	if found, isDirectory := d.resolve(path); isDirectory {
		d.list(found, 0)
	}
	return d
}

// resolve follows a path link by link. It returns what the path leads to, and whether
// that is a directory.
func (d directories) resolve(path string) (found string, isDirectory bool) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", false // There is no working directory.
	}
	root := filepath.VolumeName(path) + string(filepath.Separator)
	current, links := root, 0
	for rest := split(path[len(root):]); len(rest) > 0; rest = rest[1:] {
		next := filepath.Join(current, rest[0])
		info, err := os.Lstat(next)
		switch {
		case err != nil: // It will appear here.
			d[current] = true
			return "", false
		case info.IsDir():
			current = next
			continue
		}
		d[current] = true
		if info.Mode()&fs.ModeSymlink == 0 {
			return next, false
		}
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return "", false
		}
		if filepath.IsAbs(target) {
			current = root
			target = target[len(filepath.VolumeName(target)):]
		}
		rest = append([]string{""}, append(split(target), rest[1:]...)...) // The loop drops the first.
	}
	d[current] = true
	return current, true
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

// list adds the directories below one, and those of files behind links.
func (d directories) list(path string, depth int) {
	entries, err := os.ReadDir(path)
	if err != nil || depth > maxDepth {
		return
	}
	for _, entry := range entries {
		isPlain := !entry.IsDir() && entry.Type()&fs.ModeSymlink == 0
		if isPlain || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if len(d) >= maxDirectories {
			return
		}
		if found, isDirectory := d.resolve(filepath.Join(path, entry.Name())); isDirectory {
			d.list(found, depth+1)
		}
	}
}
