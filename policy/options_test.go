package policy_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// optionsFile describes two services: shop.v1.Shop, with options on itself and on two of
// three methods, and shop.v1.Plain, which has none.
func optionsFile() *descriptorpb.FileDescriptorProto {
	message := "." + string((&wrapperspb.StringValue{}).ProtoReflect().Descriptor().FullName())
	method := func(name string, rule *drawbridgev1.Rule) *descriptorpb.MethodDescriptorProto {
		described := &descriptorpb.MethodDescriptorProto{Name: new(name), InputType: new(message), OutputType: new(message)}
		if rule != nil {
			described.Options = new(descriptorpb.MethodOptions)
			proto.SetExtension(described.GetOptions(), drawbridgev1.E_Method, &drawbridgev1.MethodOptions{Rule: rule})
		}
		return described
	}
	shop := &descriptorpb.ServiceDescriptorProto{
		Name:    new("Shop"),
		Options: new(descriptorpb.ServiceOptions),
		Method: []*descriptorpb.MethodDescriptorProto{
			method("List", nil), method("Buy", &drawbridgev1.Rule{Scopes: []string{"shop:write"}}), method("Info", &drawbridgev1.Rule{Public: true, Reason: "a catalog"}),
		},
	}
	proto.SetExtension(shop.GetOptions(), drawbridgev1.E_Service, &drawbridgev1.ServiceOptions{
		Rule:    &drawbridgev1.Rule{Scopes: []string{"shop:read"}},
		Implies: []*drawbridgev1.Implication{{Scope: "shop:write", Implies: []string{"shop:read"}}},
	})
	return &descriptorpb.FileDescriptorProto{
		Name: new("shop/v1/shop.proto"), Package: new("shop.v1"), Syntax: new("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto", "drawbridge/v1/policy.proto"},
		Service:    []*descriptorpb.ServiceDescriptorProto{shop, {Name: new("Plain"), Method: []*descriptorpb.MethodDescriptorProto{method("List", nil)}}},
	}
}

func filesOf(tb testing.TB, file *descriptorpb.FileDescriptorProto) *protoregistry.Files {
	tb.Helper()
	described, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		tb.Fatal(err)
	}
	files := new(protoregistry.Files)
	if err := files.RegisterFile(described); err != nil {
		tb.Fatal(err)
	}
	return files
}

// lines adds the positions of the options.
func lines(file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	at := func(line int32, path ...int32) *descriptorpb.SourceCodeInfo_Location {
		return &descriptorpb.SourceCodeInfo_Location{Path: path, Span: []int32{line - 1, 2, 40}}
	}
	file.SourceCodeInfo = &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{
		at(3, 6, 0), at(5, 6, 0, 3), at(5, 6, 0, 3, 51870, 1, 5, 0), at(6, 6, 0, 3, 51870, 2), at(8, 6, 0, 2, 1), at(9, 6, 0, 2, 1, 4, 33),
		at(10, 6, 0, 2, 1, 4, 51870, 1, 5, 0), at(11, 6, 0, 2, 1, 4, 51870, 1, 5, 1), at(20, 6, 1, 3, 51870),
	}}
	return file
}

// unresolved has the options as bytes, like descriptors that another compiler made.
func unresolved(tb testing.TB, file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	tb.Helper()
	encoded, err := proto.Marshal(file)
	if err != nil {
		tb.Fatal(err)
	}
	opaque := new(descriptorpb.FileDescriptorProto)
	if err := (proto.UnmarshalOptions{Resolver: new(protoregistry.Types)}).Unmarshal(encoded, opaque); err != nil {
		tb.Fatal(err)
	}
	return opaque
}

// TestFromDescriptors: the rules of options, and where they are written.
func TestFromDescriptors(t *testing.T) {
	t.Parallel()
	const file = "shop/v1/shop.proto"
	for _, tt := range []struct {
		name             string
		file             *descriptorpb.FileDescriptorProto
		service, buy, on string
	}{
		{"linked", optionsFile(), file + " (shop.v1.Shop)", file + " (shop.v1.Shop.Buy)", file + " (shop.v1.Shop.Info)"},
		{"with the source", lines(optionsFile()), file + ":5", file + ":10", file + " (shop.v1.Shop.Info)"},
		{"unresolved", unresolved(t, lines(optionsFile())), file + ":5", file + ":10", file + " (shop.v1.Shop.Info)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := filesOf(t, tt.file)
			p := policy.FromDescriptors(files)
			if len(p.Services) != 1 || len(p.Services["shop.v1.Shop"].Methods) != 2 || !slices.Equal(p.Implies["shop:write"], []string{"shop:read"}) {
				t.Errorf("got %+v", p)
			}
			table, err := (policy.Compiler{Descriptors: files}).Compile(p)
			if err != nil {
				t.Fatal(err)
			}
			for procedure, want := range map[string]string{
				"/shop.v1.Shop/List": "shop:read at " + tt.service, "/shop.v1.Shop/Buy": "shop:write at " + tt.buy, "/shop.v1.Shop/Info": "public at " + tt.on,
			} {
				requirement := table.Lookup(procedure)
				if requirement == nil || requirement.Rule().String()+" at "+requirement.Source() != want {
					t.Errorf("%s: got %+v, want %s", procedure, requirement, want)
				}
			}
			if table.Lookup("/shop.v1.Plain/List") != nil {
				t.Error("a service without options is open")
			}
			if _, err := policy.Compile(p); err == nil {
				t.Error("compiled for services that are not linked")
			}
		})
	}
}

// TestFromNamedDescriptors: a service that is named has to be there, and to have options.
func TestFromNamedDescriptors(t *testing.T) {
	t.Parallel()
	files := filesOf(t, optionsFile())
	for name, want := range map[string]string{
		"shop.v1.Shop":  "",
		"shop.v1.Plain": `shop/v1/shop.proto: policy: Services["shop.v1.Plain"]: has no rule in an option (drawbridge.v1.service), and none of its methods has one in (drawbridge.v1.method); write its rules there, or do not name it`,
		"shop.v1.Shup":  `policy: Services["shop.v1.Shup"]: is not the name of a service in the descriptors; import its generated package, or do not name it`,
	} {
		_, err := (policy.Compiler{Descriptors: files}).Compile(policy.FromDescriptors(files, name))
		if first, _, _ := strings.Cut(errorText(err), "\n"); first != want {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// A rule in Go does not hide that the stricter one of the options is not there.
	inGo := rules(policy.Rule{Public: true}, nil)
	for _, p := range []policy.Policy{inGo.Override(policy.FromOptions(elsewhere)), policy.FromOptions(elsewhere).Override(inGo)} {
		if _, err := policy.Compile(p); !strings.Contains(errorText(err), "is not the name of a service in the descriptors") {
			t.Errorf("got %v", err)
		}
	}
	if got := policy.FromOptions(); len(got.Services) != 0 {
		t.Errorf("no service of this program has options: got %v", got)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestImplicationsOfOptions: a service may say what scopes include, and nothing else, and a
// fault says where.
func TestImplicationsOfOptions(t *testing.T) {
	t.Parallel()
	file := lines(optionsFile())
	shop := file.GetService()[0]
	proto.SetExtension(shop.GetOptions(), drawbridgev1.E_Service, &drawbridgev1.ServiceOptions{Implies: []*drawbridgev1.Implication{
		{Scope: "a", Implies: []string{"b"}}, {Scope: "b", Implies: []string{"a"}}, {Scope: "c", Implies: []string{"d e"}},
	}})
	for _, method := range shop.GetMethod() {
		method.Options = nil
	}
	files := filesOf(t, file)
	p := policy.FromDescriptors(files)
	if len(p.Services) != 0 || len(p.Implies) != 3 {
		t.Errorf("got %+v", p)
	}
	const want = `shop/v1/shop.proto:5: policy: Implies["c"]: "d e" is not a scope: RFC 6749 §3.3 allows visible ASCII without space, quote and backslash
shop/v1/shop.proto:5: policy: Implies: "a → b → a" is a cycle of scopes that imply each other`
	if _, err := (policy.Compiler{Descriptors: files}).Compile(p); errorText(err) != want {
		t.Errorf("got %v", err)
	}
}

// TestUnknownOptions: a requirement that this version does not know is not left out.
func TestUnknownOptions(t *testing.T) {
	t.Parallel()
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 500, protowire.VarintType), 1)
	for _, tt := range []struct {
		name, want string
		put        func(file *descriptorpb.FileDescriptorProto)
	}{
		{"of a method", `policy: shop.v1.Shop.Buy: has a field of drawbridge.v1.MethodOptions that this version does not know`, func(file *descriptorpb.FileDescriptorProto) {
			options, _ := proto.GetExtension(file.GetService()[0].GetMethod()[1].GetOptions(), drawbridgev1.E_Method).(*drawbridgev1.MethodOptions)
			options.ProtoReflect().SetUnknown(unknown)
		}},
		{"of a rule", `policy: shop.v1.Shop: has a field of drawbridge.v1.Rule that this version does not know`, func(file *descriptorpb.FileDescriptorProto) {
			options, _ := proto.GetExtension(file.GetService()[0].GetOptions(), drawbridgev1.E_Service).(*drawbridgev1.ServiceOptions)
			options.GetRule().ProtoReflect().SetUnknown(unknown)
		}},
		{"of an implication", `policy: shop.v1.Shop: has a field of drawbridge.v1.Implication that this version does not know`, func(file *descriptorpb.FileDescriptorProto) {
			options, _ := proto.GetExtension(file.GetService()[0].GetOptions(), drawbridgev1.E_Service).(*drawbridgev1.ServiceOptions)
			options.GetImplies()[0].ProtoReflect().SetUnknown(unknown)
		}},
	} {
		file := optionsFile()
		tt.put(file)
		files := filesOf(t, file)
		_, err := (policy.Compiler{Descriptors: files}).Compile(policy.FromDescriptors(files))
		if !strings.Contains(errorText(err), tt.want) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// TestBrokenOptions: an option that cannot be read does not leave the method to the rule of
// its service.
func TestBrokenOptions(t *testing.T) {
	t.Parallel()
	number := drawbridgev1.E_Method.TypeDescriptor().Number()
	option := func(rule string) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), []byte("\x0a"+string(rune(len(rule)))+rule))
	}
	for name, encoded := range map[string][]byte{
		"no text":        option("\x1a\x01\xff"),
		"truncated":      option("\x1a\x09a"),
		"another type":   protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), 1),
		"good, then bad": append(option("\x2a\x01a"), protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), []byte("\x0a\x05"))...),
	} {
		file := optionsFile()
		options := new(descriptorpb.MethodOptions)
		options.ProtoReflect().SetUnknown(encoded)
		file.GetService()[0].GetMethod()[1].Options = options
		files := filesOf(t, file)
		_, err := (policy.Compiler{Descriptors: files}).Compile(policy.FromDescriptors(files))
		if !strings.Contains(errorText(err), "policy: shop.v1.Shop.Buy: has an option drawbridge.v1.method that cannot be read") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// Options of others make no difference.
	file := optionsFile()
	other := append(option("\x2a\x01a"), protowire.AppendBytes(protowire.AppendTag(nil, 51999, protowire.BytesType), []byte("\x0a\x05"))...)
	file.GetService()[0].GetMethod()[1].Options = new(descriptorpb.MethodOptions)
	file.GetService()[0].GetMethod()[1].GetOptions().ProtoReflect().SetUnknown(other)
	if got := policy.FromDescriptors(filesOf(t, file)).Services["shop.v1.Shop"].Methods["Buy"].Scopes; !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q", got)
	}
}

// TestDynamicOptions: a descriptor set may have been decoded with its own definition of the
// options.
func TestDynamicOptions(t *testing.T) {
	t.Parallel()
	definitions := new(protoregistry.Files)
	for _, file := range []protoreflect.FileDescriptor{
		descriptorpb.File_google_protobuf_descriptor_proto, durationpb.File_google_protobuf_duration_proto, drawbridgev1.File_drawbridge_v1_policy_proto,
	} {
		own, err := protodesc.NewFile(protodesc.ToFileDescriptorProto(file), definitions)
		if err == nil {
			err = definitions.RegisterFile(own)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := proto.Marshal(optionsFile())
	if err != nil {
		t.Fatal(err)
	}
	file := new(descriptorpb.FileDescriptorProto)
	if err := (proto.UnmarshalOptions{Resolver: dynamicpb.NewTypes(definitions)}).Unmarshal(encoded, file); err != nil {
		t.Fatal(err)
	}
	p := policy.FromDescriptors(filesOf(t, file))
	if got := p.Services["shop.v1.Shop"].Methods["Buy"].Scopes; !slices.Equal(got, []string{"shop:write"}) {
		t.Errorf("got %+v", p)
	}
}
