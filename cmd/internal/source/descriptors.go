package source

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// descriptors are all that were read, from several places. The zero value is empty.
type descriptors struct {
	files    map[string]*placedFile // by the path with which others import it
	services map[string]*Service
}

var _ policy.Descriptors = (*descriptors)(nil)

func (d *descriptors) isEmpty() bool { return len(d.files) == 0 }

// FindDescriptorByName returns a service. Nothing else is looked up.
func (d *descriptors) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if service := d.find(string(name)); service != nil {
		return service.descriptor, nil
	}
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		if found := findIn(d.files[path], name); found != nil {
			return found, nil
		}
	}
	return nil, protoregistry.NotFound
}

// findIn returns a message or an enum, so that a fault can say that it is no service.
func findIn(file protoreflect.FileDescriptor, name protoreflect.FullName) protoreflect.Descriptor {
	if name.Parent() != file.Package() {
		return nil
	}
	if message := file.Messages().ByName(name.Name()); message != nil {
		return message
	}
	if enum := file.Enums().ByName(name.Name()); enum != nil {
		return enum
	}
	return nil
}

// RangeFiles calls yield for each file until it returns false.
func (d *descriptors) RangeFiles(yield func(protoreflect.FileDescriptor) bool) {
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		if !yield(d.files[path]) {
			return
		}
	}
}

func (d *descriptors) find(name string) *Service { return d.services[name] }

// own returns the services of the files that were named.
func (d *descriptors) own() []*Service {
	var services []*Service
	for _, name := range slices.Sorted(maps.Keys(d.services)) {
		if d.services[name].isOwn {
			services = append(services, d.services[name])
		}
	}
	return services
}

// A set is what one place gave: files, and what to say about them.
type set struct {
	from  string                          // how the person named the place
	files *descriptorpb.FileDescriptorSet // in any order
	// own are the paths of those files that are no mere imports. Nil means all.
	own map[string]bool
	// places are the paths of files on the disk, by their path. Others have none.
	places map[string]string
}

// add links the files of a set and adds them.
func (d *descriptors) add(s set) error {
	registry, err := link(s.files)
	if err != nil {
		return fmt.Errorf("%s: %w", s.from, err)
	}
	if d.files == nil {
		d.files, d.services = make(map[string]*placedFile), make(map[string]*Service)
	}
	for _, file := range s.files.GetFile() {
		path := file.GetName()
		descriptor, err := registry.FindFileByPath(path)
		if err != nil {
			return fmt.Errorf("%s: %w", s.from, err)
		}
		if err := d.addFile(descriptor, s, s.own == nil || s.own[path]); err != nil {
			return err
		}
	}
	return nil
}

func (d *descriptors) addFile(descriptor protoreflect.FileDescriptor, s set, isOwn bool) error {
	path := descriptor.Path()
	placed := &placedFile{FileDescriptor: descriptor, path: path, from: s.from, isOwn: isOwn}
	if place, ok := s.places[path]; ok {
		placed.path = place
	}
	if existing := d.files[path]; existing != nil {
		switch {
		case existing.isOwn && isOwn:
			return twice("file", path, existing.from, s.from)
		case existing.isOwn || !isOwn:
			return nil
		}
	}
	d.files[path] = placed
	for i := range placed.Services().Len() {
		service := &Service{descriptor: placed.Services().Get(i), isOwn: isOwn, from: s.from, in: path}
		name := service.Name()
		if existing := d.services[name]; existing != nil && existing.in != path {
			return twice("service", name, existing.from, s.from)
		}
		d.services[name] = service
	}
	return nil
}

// link makes descriptors of files. Those that are missing are taken from the ones that
// this program has itself.
func link(files *descriptorpb.FileDescriptorSet) (*protoregistry.Files, error) {
	encoded, err := proto.Marshal(files)
	if err != nil {
		return nil, err
	}
	// Options that were compiled against another descriptor of the same extension become
	// those that this program knows.
	files = new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(encoded, files); err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(files.GetFile()))
	for _, file := range files.GetFile() {
		if known[file.GetName()] {
			return nil, fmt.Errorf("has the file %s twice", file.GetName())
		}
		known[file.GetName()] = true
	}
	for queue := slices.Clone(files.GetFile()); len(queue) > 0; queue = queue[1:] {
		for _, path := range queue[0].GetDependency() {
			if known[path] {
				continue
			}
			file := linkedFile(path)
			if file == nil {
				return nil, fmt.Errorf("%s imports %s, which is missing: compile it with all imports", queue[0].GetName(), path)
			}
			known[path] = true
			added := protodesc.ToFileDescriptorProto(file)
			files.File, queue = append(files.File, added), append(queue, added)
		}
	}
	registry, err := protodesc.NewFiles(files)
	if err != nil {
		return nil, fmt.Errorf("the descriptors do not fit together: %w", strip(err))
	}
	return registry, nil
}

// strip removes the prefix of errors of package protobuf. The space in it varies on purpose,
// to keep programs from comparing the texts.
func strip(err error) error {
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, "proto:"); ok {
		text = strings.TrimLeft(rest, " \u00a0")
	}
	return errors.New(text)
}
