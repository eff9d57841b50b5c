package source_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/sample"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// TestTree reads trees in which files are hidden, repeated or missing.
func TestTree(t *testing.T) {
	t.Parallel()
	directory := tree(t, map[string]string{
		"one/a/a.proto":                    `syntax = "proto3"; package a; message A {} service S { rpc Get(A) returns (A); }`,
		"one/.hidden/x.proto":              `no protobuf`,
		"one/a/.x.proto":                   `no protobuf`,
		"one/README":                       `no protobuf`,
		"two/a/a.proto":                    `syntax = "proto3"; package b;`,
		"three/c.proto":                    `syntax = "proto3"; package c; message A {} service S { rpc Get(A) returns (A); }`,
		"four/d.proto":                     `syntax = "proto3"; package c; message A {} service S { rpc Get(A) returns (A); }`,
		"five/e.proto":                     `syntax = "proto3"; package e; import "../one/a/a.proto";`,
		"six/drawbridge/v1/policy.proto/f": ``,
		"six/f.proto":                      `syntax = "proto3"; package f; import "drawbridge/v1/policy.proto";`,
		"empty/README":                     ``,
	})
	in := func(names ...string) []string {
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(directory, name))
		}
		return paths
	}
	for _, tt := range []struct {
		name string
		spec source.Spec
		want string
	}{
		{"one", source.Spec{Protos: in("one")}, ""},
		{"two", source.Spec{Protos: in("one", "three")}, ""},
		{"same path", source.Spec{Protos: in("one", "two")}, "file a/a.proto is in both"},
		{"same name", source.Spec{Protos: in("three", "four")}, "already defined"},
		{"outside", source.Spec{Protos: in("five")}, "there is no ../one/a/a.proto"},
		{"a directory", source.Spec{Protos: in("six")}, "is a directory"},
		{"nothing", source.Spec{Protos: in("empty")}, "there is no .proto file in it"},
		{"missing", source.Spec{Protos: in("missing")}, "there is no such directory"},
		{"a file", source.Spec{Protos: in("one/README")}, "is no directory"},
		{"missing import", source.Spec{Protos: in("one"), Imports: in("missing")}, "-I " + directory + "/missing: there is no such directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := source.Read(t.Context(), tt.spec)
			switch {
			case tt.want != "":
				wantError(t, err, tt.want)
			case err != nil:
				t.Fatal(err)
			case len(s.Services()) != len(tt.spec.Protos):
				t.Errorf("the services are %v", s.Services())
			}
		})
	}
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	for name, content := range files {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

// TestTreeAndImage reads the same service from two places.
func TestTreeAndImage(t *testing.T) {
	t.Parallel()
	_, err := source.Read(t.Context(), source.Spec{Protos: []string{"testdata/buf"}, Images: []string{"testdata/buf.binpb"}})
	wantError(t, err, "file stock/v1/stock.proto is in both testdata/buf and testdata/buf.binpb; name one of them")

	image := write(t, "image", string(sample.Image(t, []string{"testdata/buf/stock"}, "v1/stock.proto")))
	_, err = source.Read(t.Context(), source.Spec{Protos: []string{"testdata/buf"}, Images: []string{image}})
	wantError(t, err, "service stock.v1.StockService is in both")
}

// TestKnownImports imports every file that trees can import without having them.
func TestKnownImports(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(`syntax = "proto3"; package known;`)
	for _, path := range []string{
		"drawbridge/v1/policy.proto", "drawbridge/v1/challenge.proto", "buf/validate/validate.proto",
		"google/api/annotations.proto", "google/api/http.proto", "google/api/field_behavior.proto", "google/api/resource.proto",
		"google/api/client.proto", "google/rpc/status.proto", "google/rpc/code.proto", "google/rpc/error_details.proto",
		"google/protobuf/any.proto", "google/protobuf/api.proto", "google/protobuf/compiler/plugin.proto",
		"google/protobuf/descriptor.proto", "google/protobuf/duration.proto", "google/protobuf/empty.proto",
		"google/protobuf/field_mask.proto", "google/protobuf/source_context.proto", "google/protobuf/struct.proto",
		"google/protobuf/timestamp.proto", "google/protobuf/type.proto", "google/protobuf/wrappers.proto",
	} {
		fmt.Fprintf(&text, "\nimport %q;", path)
	}
	if _, err := source.Read(t.Context(), source.Spec{Protos: []string{tree(t, map[string]string{"a.proto": text.String()})}}); err != nil {
		t.Error(err)
	}
}

// TestOwnSchema compares the schema that trees import with the file in proto, which has to
// be generated again after a change.
func TestOwnSchema(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"drawbridge/v1/policy.proto", "drawbridge/v1/challenge.proto"} {
		linked, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			t.Fatal(err)
		}
		written, err := sample.Files(t, []string{"../../../proto"}, path).FindFileByPath(path)
		if err != nil {
			t.Fatal(err)
		}
		got, want := protodesc.ToFileDescriptorProto(linked), protodesc.ToFileDescriptorProto(written)
		got.SourceCodeInfo, want.SourceCodeInfo = nil, nil
		if !proto.Equal(got, want) {
			t.Errorf("%s differs:\n%v\n%v", path, got, want)
		}
	}
}

// TestPlaces checks that places are those on the disk, as a person would open them.
func TestPlaces(t *testing.T) {
	t.Parallel()
	s, err := source.Read(t.Context(), source.Spec{Protos: []string{"testdata/buf"}})
	if err != nil {
		t.Fatal(err)
	}
	rule, _ := s.Rule("stock.v1.StockService", "Set")
	if got, want := rule.Source, "testdata/buf/stock/v1/stock.proto:14"; got != want {
		t.Errorf("the rule is at %s, want %s", got, want)
	}
	if got, want := s.Definition("stock.v1.StockService", "Set"), "testdata/buf/stock/v1/stock.proto:13"; got != want {
		t.Errorf("the method is at %s, want %s", got, want)
	}
	if got, want := s.Definition("stock.v1.StockService", ""), "testdata/buf/stock/v1/stock.proto:8"; got != want {
		t.Errorf("the service is at %s, want %s", got, want)
	}
	if got := s.Definition("a.Unknown", ""); got != "" {
		t.Errorf("an unknown service is at %s", got)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	if _, err := source.Read(t.Context(), source.Spec{}); !errors.Is(err, source.ErrNothing) {
		t.Errorf("an empty Spec is read: %v", err)
	}
	for _, tt := range []struct{ name, content, want string }{
		{"a message", "services: {google.protobuf.Empty: {rule: {public: true}}}", "is a protobuf"},
		{"an enum", "services: {google.protobuf.NullValue: {rule: {public: true}}}", "is a protobuf"},
		{"nothing", "services: {google.protobuf.Nothing: {rule: {public: true}}}", "is not the name of a service"},
		{"known", "services: {grpc.health.v1.Health: {rule: {public: true}}}", ""},
		{"declared", "services: {grpc.health.v1.Health: {rule: {public: true}, no_descriptor: true}}", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			content := `syntax = "proto3"; package a; import "google/protobuf/empty.proto"; import "google/protobuf/struct.proto";`
			spec := source.Spec{
				Protos: []string{tree(t, map[string]string{"a.proto": content})}, Files: []string{write(t, "policy.yaml", tt.content)},
			}
			s, err := source.Read(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			if s.String() == "" {
				t.Error("the source has no name")
			}
			_, err = s.Compiler().Compile(s.Policy)
			switch {
			case tt.want != "":
				wantError(t, err, tt.want)
			case err != nil:
				t.Error(err)
			}
			if isKnown := s.Service("grpc.health.v1.Health") != nil; isKnown != (tt.name == "known") {
				t.Errorf("the health service is known: %v", isKnown)
			}
		})
	}
	_, err := source.Read(t.Context(), source.Spec{Files: []string{"missing.yaml"}})
	wantError(t, err, "--file missing.yaml: there is no such file or directory")
	_, err = source.Read(t.Context(), source.Spec{Files: []string{write(t, "a.yaml", "services: 1"), write(t, "b.yaml", "")}})
	faults := 0
	for range fault.All(err) {
		faults++
	}
	if faults != 2 {
		t.Errorf("there are %d faults: %v", faults, err)
	}
	if findings := finding.OfError(err); len(findings) != 2 || findings[0].Rule != finding.PolicyFile {
		t.Errorf("the findings are %v", findings)
	}
}
