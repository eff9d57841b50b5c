package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// maxImage bounds the size of an image.
const maxImage = 256 << 20

// addImage adds a buf image or a descriptor set, in its binary or its JSON form.
func (d *descriptors) addImage(path string, stdin io.Reader) error {
	data, err := readImage(path, stdin)
	if err != nil {
		return fmt.Errorf("--image %s: %w", path, err)
	}
	name := path
	if path == "-" {
		name = "the standard input"
	}
	files, imports, err := decodeImage(data)
	if err != nil {
		return fmt.Errorf("--image %s: is no image: %w", path, err)
	}
	s := set{from: name, files: files, own: make(map[string]bool)}
	for _, file := range files.GetFile() {
		s.own[file.GetName()] = !imports[file.GetName()]
	}
	return d.add(s)
}

func readImage(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		if stdin == nil {
			stdin = bytes.NewReader(nil)
		}
		return readAll(stdin)
	}
	file, err := os.Open(path) //nolint:gosec // The user names what is read.
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file")
	case err != nil:
		return nil, err
	}
	defer file.Close() //nolint:errcheck // It was read.
	return readAll(file)
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxImage+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxImage:
		return nil, fmt.Errorf("is larger than %d MiB", maxImage>>20)
	case len(data) == 0:
		return nil, errors.New("is empty")
	default:
		return data, nil
	}
}

// decodeImage returns the files of an image, and the paths of those that buf says are
// mere imports.
func decodeImage(data []byte) (files *descriptorpb.FileDescriptorSet, imports map[string]bool, err error) {
	if isJSON(data) {
		return decodeJSONImage(data)
	}
	files = new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(data, files); err != nil {
		return nil, nil, strip(err)
	}
	if len(files.GetFile()) == 0 {
		return nil, nil, errors.New("it has no files")
	}
	imports = make(map[string]bool)
	for _, file := range files.GetFile() {
		if isImport(file.ProtoReflect().GetUnknown()) {
			imports[file.GetName()] = true
		}
	}
	return files, imports, nil
}

func isJSON(data []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) }

// The fields with which buf extends a FileDescriptorProto to an ImageFile.
const (
	bufExtension = 8042 // ImageFile.buf_extension
	bufIsImport  = 1    // ImageFileExtension.is_import
)

// isImport reports whether the unknown fields of a FileDescriptorProto have the mark of
// an import.
func isImport(unknown protoreflect.RawFields) bool {
	for len(unknown) > 0 {
		number, kind, n := protowire.ConsumeTag(unknown)
		if n < 0 {
			return false
		}
		size := protowire.ConsumeFieldValue(number, kind, unknown[n:])
		if size < 0 {
			return false
		}
		value := unknown[n : n+size]
		switch {
		case number == bufExtension && kind == protowire.BytesType:
			extension, _ := protowire.ConsumeBytes(value)
			if isImport(extension) {
				return true
			}
		case number == bufIsImport && kind == protowire.VarintType:
			flag, _ := protowire.ConsumeVarint(value)
			return flag != 0
		}
		unknown = unknown[n+size:]
	}
	return false
}

// A jsonImage is as much of the JSON form of an image as is not a descriptor set.
type jsonImage struct {
	File []map[string]json.RawMessage `json:"file"`
}

// decodeJSONImage decodes twice. The first time gives the extensions that the image
// defines, with which the options can be read the second time, completely: an option with
// a field that was dropped could look like one that asks for less.
func decodeJSONImage(data []byte) (*descriptorpb.FileDescriptorSet, map[string]bool, error) {
	var image jsonImage
	if err := json.Unmarshal(data, &image); err != nil {
		return nil, nil, err
	}
	if len(image.File) == 0 {
		return nil, nil, errors.New("it has no files")
	}
	imports := make(map[string]bool)
	for _, file := range image.File {
		var extension struct {
			IsImport bool `json:"isImport"`
		}
		var name string
		_ = json.Unmarshal(file["name"], &name)
		if json.Unmarshal(file["bufExtension"], &extension) == nil && extension.IsImport {
			imports[name] = true
		}
		delete(file, "bufExtension")
	}
	stripped, err := json.Marshal(image)
	if err != nil {
		return nil, nil, err
	}
	draft := new(descriptorpb.FileDescriptorSet)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(stripped, draft); err != nil {
		return nil, nil, strip(err)
	}
	registry, err := link(draft)
	if err != nil {
		return nil, nil, err
	}
	files := new(descriptorpb.FileDescriptorSet)
	options := protojson.UnmarshalOptions{Resolver: extensions{dynamicpb.NewTypes(registry)}}
	if err := options.Unmarshal(stripped, files); err != nil {
		return nil, nil, strip(err)
	}
	return files, imports, nil
}

// extensions are those that an image defines, and then those of this program.
type extensions struct{ own *dynamicpb.Types }

func (e extensions) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	if found, err := e.own.FindExtensionByName(name); err == nil {
		return found, nil
	}
	return protoregistry.GlobalTypes.FindExtensionByName(name)
}

func (e extensions) FindExtensionByNumber(message protoreflect.FullName, number protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	if found, err := e.own.FindExtensionByNumber(message, number); err == nil {
		return found, nil
	}
	return protoregistry.GlobalTypes.FindExtensionByNumber(message, number)
}

func (e extensions) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if found, err := e.own.FindMessageByName(name); err == nil {
		return found, nil
	}
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

func (e extensions) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if found, err := e.own.FindMessageByURL(url); err == nil {
		return found, nil
	}
	return protoregistry.GlobalTypes.FindMessageByURL(url)
}
