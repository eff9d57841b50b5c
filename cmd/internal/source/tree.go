package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/reporter"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// addTrees compiles all protobuf files in directories. What does not compile is a fault.
func (d *descriptors) addTrees(ctx context.Context, directories, imports []string) error {
	tree := &tree{roots: directories, imports: slices.Concat(directories, imports), places: make(map[string]string)}
	for _, directory := range imports {
		if err := checkDirectory(directory, "-I"); err != nil {
			return err
		}
	}
	own, err := tree.find()
	if err != nil {
		return err
	}
	files, err := tree.compile(ctx, own)
	if err != nil {
		return err
	}
	s := set{from: strings.Join(directories, ", "), files: files, own: make(map[string]bool), places: tree.places}
	for _, path := range own {
		s.own[path] = true
	}
	return d.add(s)
}

// A tree is a set of directories of protobuf files.
type tree struct {
	roots   []string
	imports []string

	mu     sync.Mutex        // files are compiled concurrently
	places map[string]string // on the disk, by the path with which others import a file
}

// find returns the paths of all files below the roots, sorted.
func (t *tree) find() ([]string, error) {
	var found []string
	for _, root := range t.roots {
		if err := checkDirectory(root, "--proto"); err != nil {
			return nil, err
		}
		before := len(found)
		err := filepath.WalkDir(root, func(place string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case place != root && strings.HasPrefix(entry.Name(), "."):
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			case entry.IsDir() || filepath.Ext(place) != ".proto":
				return nil
			}
			relative, err := filepath.Rel(root, place)
			if err != nil {
				return err
			}
			path := filepath.ToSlash(relative)
			if other, ok := t.places[path]; ok {
				return twice("file", path, filepath.Dir(other), filepath.Dir(place))
			}
			t.places[path] = place
			found = append(found, path)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(found) == before {
			return nil, fmt.Errorf("--proto %s: there is no .proto file in it", root)
		}
	}
	slices.Sort(found)
	return found, nil
}

func checkDirectory(path, flag string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s: there is no such directory", flag, path)
	case err != nil:
		return fmt.Errorf("%s %s: %w", flag, path, err)
	case !info.IsDir():
		return fmt.Errorf("%s %s: is no directory", flag, path)
	default:
		return nil
	}
}

// compile compiles files and returns them with all that they import.
func (t *tree) compile(ctx context.Context, paths []string) (*descriptorpb.FileDescriptorSet, error) {
	var faults []error
	compiler := protocompile.Compiler{
		Resolver:       protocompile.ResolverFunc(t.resolve),
		SourceInfoMode: protocompile.SourceInfoStandard,
		Reporter: reporter.NewReporter(func(err reporter.ErrorWithPos) error {
			faults = append(faults, t.fault(err))
			return nil
		}, nil),
	}
	compiled, err := compiler.Compile(ctx, paths...)
	// A file that cannot be imported is not reported, but returned.
	if returned, ok := errors.AsType[reporter.ErrorWithPos](err); ok && len(faults) == 0 {
		faults = append(faults, t.fault(returned))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if err != nil {
		return nil, err
	}
	files := new(descriptorpb.FileDescriptorSet)
	seen := make(map[string]bool)
	for _, file := range compiled {
		files.File = appendFile(files.GetFile(), file, seen)
	}
	return files, nil
}

// appendFile appends a file after all that it imports.
func appendFile(files []*descriptorpb.FileDescriptorProto, file protoreflect.FileDescriptor, seen map[string]bool) []*descriptorpb.FileDescriptorProto {
	if seen[file.Path()] {
		return files
	}
	seen[file.Path()] = true
	for i := range file.Imports().Len() {
		files = appendFile(files, file.Imports().Get(i).FileDescriptor, seen)
	}
	if result, ok := file.(linker.Result); ok {
		return append(files, result.FileDescriptorProto())
	}
	return append(files, protodesc.ToFileDescriptorProto(file))
}

// resolve finds an imported file: in the directories first, in their order, and then
// among those that this program has.
func (t *tree) resolve(path string) (protocompile.SearchResult, error) {
	if local := filepath.FromSlash(path); filepath.IsLocal(local) {
		for _, directory := range t.imports {
			place := filepath.Join(directory, local)
			content, err := os.ReadFile(place) //nolint:gosec // The user names what is read.
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err != nil:
				return protocompile.SearchResult{}, err
			}
			t.mu.Lock()
			t.places[path] = place
			t.mu.Unlock()
			return protocompile.SearchResult{Source: bytes.NewReader(content)}, nil
		}
	}
	if file := linkedFile(path); file != nil {
		return protocompile.SearchResult{Desc: file}, nil
	}
	return protocompile.SearchResult{}, fmt.Errorf("there is no %s in %s; name its directory with -I", path, strings.Join(t.imports, ", "))
}

// fault makes a fault of what the compiler reports.
func (t *tree) fault(err reporter.ErrorWithPos) error {
	position := err.GetPosition()
	source := position.Filename
	t.mu.Lock()
	defer t.mu.Unlock()
	if place, ok := t.places[source]; ok {
		source = place
	}
	if position.Line > 0 {
		source = fmt.Sprintf("%s:%d:%d", source, position.Line, position.Col)
	}
	return &fault.Fault{Source: source, Reason: err.Unwrap().Error()}
}
