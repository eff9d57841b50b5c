package source

import "google.golang.org/protobuf/reflect/protoreflect"

// A placedFile is a file whose path is the one on the disk, as a person would open it,
// where that is known. The places of rules and faults begin with it.
type placedFile struct {
	protoreflect.FileDescriptor

	path  string
	from  string
	isOwn bool
}

// Path returns the path on the disk, or else that with which others import the file.
func (f *placedFile) Path() string { return f.path }

// Services returns the services, which lead back to f.
func (f *placedFile) Services() protoreflect.ServiceDescriptors {
	return placedServices{f.FileDescriptor.Services(), f}
}

type placedServices struct {
	protoreflect.ServiceDescriptors

	file *placedFile
}

func (s placedServices) Get(i int) protoreflect.ServiceDescriptor {
	return placedService{s.ServiceDescriptors.Get(i), s.file}
}

type placedService struct {
	protoreflect.ServiceDescriptor

	file *placedFile
}

func (s placedService) ParentFile() protoreflect.FileDescriptor { return s.file }
