// Package sample has what the tests of several packages need: the sample tree, compiled in
// the ways in which others compile it, and servers that describe it.
package sample

import (
	"context"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	_ "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1" // to import it
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Image returns a descriptor set of files and of all that they import, with source
// information, as protoc writes it.
func Image(tb testing.TB, paths []string, files ...string) []byte {
	tb.Helper()
	encoded, err := proto.Marshal(compile(tb, paths, files))
	if err != nil {
		tb.Fatal(err)
	}
	return encoded
}

// Files returns the descriptors of files and of all that they import.
func Files(tb testing.TB, paths []string, files ...string) *protoregistry.Files {
	tb.Helper()
	registry, err := protodesc.NewFiles(compile(tb, paths, files))
	if err != nil {
		tb.Fatal(err)
	}
	return registry
}

func compile(tb testing.TB, paths, files []string) *descriptorpb.FileDescriptorSet {
	tb.Helper()
	compiler := protocompile.Compiler{
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{ImportPaths: paths},
			protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
				file, err := protoregistry.GlobalFiles.FindFileByPath(path)
				return protocompile.SearchResult{Desc: file}, err
			}),
		},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(context.Background(), files...)
	if err != nil {
		tb.Fatal(err)
	}
	set, seen := new(descriptorpb.FileDescriptorSet), make(map[string]bool)
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		if result, ok := file.(linker.Result); ok {
			set.File = append(set.File, result.FileDescriptorProto())
			return
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	for _, file := range compiled {
		add(file)
	}
	return set
}
