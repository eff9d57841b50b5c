package source_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/sample"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// TestImage reads images that buf 1.75 wrote of testdata/buf, without source information,
// and descriptor sets as protoc writes them.
func TestImage(t *testing.T) {
	t.Parallel()
	withLines := write(t, "set.binpb", string(sample.Image(t, []string{"testdata/buf"}, "stock/v1/stock.proto")))
	for _, tt := range []struct {
		name, path, place string
	}{
		{"buf binary", "testdata/buf.binpb", "stock/v1/stock.proto (stock.v1.StockService.Set)"},
		{"buf JSON", "testdata/buf.json", "stock/v1/stock.proto (stock.v1.StockService.Set)"},
		{"protoc", withLines, "stock/v1/stock.proto:14"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := source.Read(t.Context(), source.Spec{Images: []string{tt.path}})
			if err != nil {
				t.Fatal(err)
			}
			rule, ok := s.Rule("stock.v1.StockService", "Set")
			if got, want := rule.String(), "stock:write, authenticated within 1m0s"; !ok || got != want {
				t.Errorf("the rule is %q, want %q", got, want)
			}
			if rule.Source != tt.place {
				t.Errorf("the place is %q, want %q", rule.Source, tt.place)
			}
			if own := s.Services(); len(own) != 1 {
				t.Errorf("there are %d services", len(own))
			}
		})
	}
}

// TestImageStdin reads from the standard input.
func TestImageStdin(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/buf.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := source.Read(t.Context(), source.Spec{Images: []string{"-"}, Stdin: bytes.NewReader(data)})
	if err != nil || len(s.Services()) != 1 {
		t.Errorf("%v, %v", s, err)
	}
	_, err = source.Read(t.Context(), source.Spec{Images: []string{"-"}})
	wantError(t, err, "--image -: is empty")
}

// TestImageImports checks that the services of files that are only imported are left out.
func TestImageImports(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	files := map[string]string{
		"a.proto": `syntax = "proto3"; package a; import "b.proto"; import "google/protobuf/empty.proto";
			service A { rpc Get(google.protobuf.Empty) returns (b.M); }`,
		"b.proto": `syntax = "proto3"; package b; message M {} service B { rpc Get(M) returns (M); }`,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(sample.Image(t, []string{directory}, "a.proto"), set); err != nil {
		t.Fatal(err)
	}
	for _, file := range set.GetFile() {
		if file.GetName() == "b.proto" {
			// ImageFile.buf_extension = {is_import: true}
			file.ProtoReflect().SetUnknown([]byte{0xd2, 0xf6, 0x03, 0x02, 0x08, 0x01})
		}
	}
	encoded, _ := proto.Marshal(set)
	s, err := source.Read(t.Context(), source.Spec{Images: []string{write(t, "image.binpb", string(encoded))}})
	if err != nil {
		t.Fatal(err)
	}
	if own := s.Services(); len(own) != 1 || own[0].Name() != "a.A" {
		t.Errorf("the services are %v", own)
	}
	if s.Service("b.B") == nil {
		t.Error("the imported service is not known")
	}
}

// TestImageUnknownField makes sure that a requirement which this version does not know is
// never dropped, in either form of an image.
func TestImageUnknownField(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	policy := `syntax = "proto3"; package drawbridge.v1; import "google/protobuf/descriptor.proto";
		message Rule { repeated string scopes = 5; string moon = 99; }
		message MethodOptions { Rule rule = 1; }
		extend google.protobuf.MethodOptions { optional MethodOptions method = 51870; }`
	later := `syntax = "proto3"; package later; import "drawbridge/v1/policy.proto"; import "google/protobuf/empty.proto";
		service Later { rpc Get(google.protobuf.Empty) returns (google.protobuf.Empty) {
			option (drawbridge.v1.method).rule = {scopes: "a" moon: "full"}; } }`
	if err := os.MkdirAll(filepath.Join(directory, "drawbridge", "v1"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"drawbridge/v1/policy.proto": policy, "later.proto": later} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	encoded := sample.Image(t, []string{directory}, "later.proto")
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(encoded, set); err != nil {
		t.Fatal(err)
	}
	inJSON, err := protojson.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	// The option as the image's own schema writes it, which this program's does not.
	inJSON = bytes.ReplaceAll(inJSON, []byte(" "), nil)
	inJSON = bytes.Replace(inJSON, []byte(`"rule":{"scopes":["a"]}`), []byte(`"rule":{"scopes":["a"],"moon":"full"}`), 1)
	if !bytes.Contains(inJSON, []byte("full")) {
		t.Fatalf("the option was not found in %s", inJSON)
	}
	for name, image := range map[string][]byte{"binary": encoded, "JSON": inJSON} {
		s, err := source.Read(t.Context(), source.Spec{Images: []string{write(t, "image", string(image))}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, findings := finding.Compile(s, false)
		if len(findings) == 0 || findings[0].Rule != finding.UnknownField || findings[0].IsWarning {
			t.Errorf("%s: the findings are %v", name, findings)
		}
	}
}

func TestImageErrors(t *testing.T) {
	t.Parallel()
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(sample.Image(t, []string{"testdata/buf"}, "stock/v1/stock.proto"), set); err != nil {
		t.Fatal(err)
	}
	last := set.GetFile()[len(set.GetFile())-1]
	encode := func(files ...*descriptorpb.FileDescriptorProto) string {
		encoded, _ := proto.Marshal(&descriptorpb.FileDescriptorSet{File: files})
		return string(encoded)
	}
	broken := proto.CloneOf(last)
	broken.Dependency = append(broken.Dependency, "acme/v1/missing.proto")
	unlinked := proto.CloneOf(last)
	unlinked.GetService()[0].GetMethod()[0].InputType = new(".no.Message")
	for _, tt := range []struct{ name, content, want string }{
		{"nothing", "", "is empty"},
		{"text", "no image", "is no image"},
		{"JSON", "{", "is no image"},
		{"empty JSON", "{}", "it has no files"},
		{"JSON of something else", `{"file": [{"name": 1}]}`, "is no image"},
		{"JSON with an unknown field", `{"file": [{"name": "a.proto", "nothing": 1}]}`, "unknown field"},
		{"JSON without an import", `{"file": [{"name": "a.proto", "dependency": ["b.proto"]}]}`, "compile it with all imports"},
		{"without an import", encode(broken), "stock/v1/stock.proto imports acme/v1/missing.proto, which is missing"},
		{"twice", encode(last, last), "has the file stock/v1/stock.proto twice"},
		{"not linked", encode(unlinked), "do not fit together"},
		{"another message", "\x12\x00", "it has no files"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := source.Read(t.Context(), source.Spec{Images: []string{write(t, "image", tt.content)}})
			wantError(t, err, tt.want)
		})
	}
	_, err := source.Read(t.Context(), source.Spec{Images: []string{"missing"}})
	wantError(t, err, "--image missing: there is no such file")
	_, err = source.Read(t.Context(), source.Spec{Images: []string{t.TempDir()}})
	wantError(t, err, "is a directory")
	// A file that only the well-known ones complete.
	if _, err := source.Read(t.Context(), source.Spec{Images: []string{write(t, "alone", encode(last))}}); err != nil {
		t.Error(err)
	}
}

// FuzzImage feeds files that are no images, or that were damaged.
func FuzzImage(f *testing.F) {
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(sample.Image(f, []string{"testdata/buf"}, "stock/v1/stock.proto"), set); err != nil {
		f.Fatal(err)
	}
	// Files that this program has itself complete the set.
	set.File = set.GetFile()[len(set.GetFile())-1:]
	set.GetFile()[0].SourceCodeInfo = nil
	inBinary, _ := proto.Marshal(set)
	inJSON, _ := protojson.Marshal(set)
	f.Add(inBinary)
	f.Add(inJSON)
	f.Add([]byte(`{"file": [{"name": "a.proto", "bufExtension": {"isImport": true}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := source.Read(t.Context(), source.Spec{Images: []string{"-"}, Stdin: bytes.NewReader(data)})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "--image -: ") && !strings.Contains(err.Error(), "the standard input") {
				t.Errorf("the error does not say where: %v", err)
			}
			return
		}
		finding.Compile(s, false)
	})
}
