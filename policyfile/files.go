package policyfile

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

// These bound a directory. A symbolic link that leads upwards ends at the depth.
const (
	maxFiles = 1000
	maxTotal = 16 << 20 // bytes
	maxDepth = 8
)

// A file is what was read of a file.
type file struct {
	name string
	data []byte
}

// digest is a hash of the names and the contents of files.
type digest [sha256.Size]byte

func digestOf(files []file) digest {
	hash := sha256.New()
	for _, f := range files {
		for _, part := range [][]byte{[]byte(f.name), f.data} {
			hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			hash.Write(part)
		}
	}
	return digest(hash.Sum(nil))
}

// The kinds of files that are read where a path names one.
const (
	anyFile     = false // also a pipe, which can be read once
	regularFile = true
)

// readFiles reads the file at a path, or the files of the directory.
func readFiles(path string, onlyRegular bool) ([]file, error) {
	var r reader
	switch info, err := os.Stat(path); {
	case err != nil:
		r.fault(path, err)
	case info.IsDir():
		r.directory(path, 0)
		if len(r.files) == 0 && r.faults.Len() == 0 {
			r.add(path, "has no file whose name ends in .yaml, .yml or .json", emptyRemedy)
		}
	case onlyRegular && !info.Mode().IsRegular():
		r.add(path, "is neither a file nor a directory, so that it cannot be read again", "")
	default:
		r.file(path)
	}
	if err := r.faults.Err(); err != nil {
		return nil, err
	}
	return r.files, nil
}

// A reader reads files.
type reader struct {
	files  []file
	total  int
	faults fault.List
}

func (r *reader) add(path, reason, remedy string) {
	r.faults.AddAt(path, place(""), "", reason, remedy)
}

// fault adds a fault for the error of a system call.
func (r *reader) fault(path string, err error) {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.add(path, "does not exist", "create it, or correct the path; without a policy, every call would be denied")
	case errors.Is(err, fs.ErrPermission):
		r.add(path, "must not be read by this process", "let the user that it runs as read it")
	default:
		r.add(path, "cannot be read: "+err.Error(), "")
	}
}

// isFull reports whether nothing more is read, and adds a fault if something would be.
func (r *reader) isFull(path string) bool {
	switch {
	case r.total > maxTotal:
		r.add(path, fmt.Sprintf("would be read after more than %d MiB", maxTotal>>20), "use a directory of its own for the policy")
	case len(r.files) >= maxFiles:
		r.add(path, fmt.Sprintf("would be file number %d", maxFiles+1), "use a directory of its own for the policy")
	default:
		return false
	}
	return true
}

// directory reads the files in a directory. It reports whether more may be read.
func (r *reader) directory(path string, depth int) bool {
	if depth > maxDepth {
		r.add(path, fmt.Sprintf("is more than %d directories deep", maxDepth), "remove a symbolic link that leads upwards")
		return false
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		r.fault(path, err)
		return true
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if !r.entry(filepath.Join(path, entry.Name()), depth) {
			return false
		}
	}
	return true
}

func (r *reader) entry(path string, depth int) bool {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		r.fault(path, err)
	case info.IsDir():
		return r.directory(path, depth+1)
	case !isPolicy(path):
	case !info.Mode().IsRegular():
		r.add(path, "is not a regular file", "remove it")
	case r.isFull(path):
		return false
	default:
		r.file(path)
	}
	return true
}

// isPolicy reports whether a file of a directory is read.
func isPolicy(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	default:
		return false
	}
}

// file reads a file, as far as it may be long.
func (r *reader) file(path string) {
	f, err := os.Open(path) //nolint:gosec // The path is that of the configuration.
	if err != nil {
		r.fault(path, err)
		return
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		r.fault(path, err)
		return
	}
	r.total += len(data)
	r.files = append(r.files, file{path, data})
}
