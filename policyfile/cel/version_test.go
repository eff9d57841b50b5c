package cel_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// changed returns another version of the shop's file.
func changed(change func(store *descriptorpb.DescriptorProto, file *descriptorpb.FileDescriptorProto)) *protoregistry.Files {
	file := shopFile()
	for _, message := range file.GetMessageType() {
		if message.GetName() == "StoreRequest" {
			change(message, file)
		}
	}
	return load(file, protoregistry.GlobalFiles)
}

func fieldNamed(message *descriptorpb.DescriptorProto, name string) *descriptorpb.FieldDescriptorProto {
	for _, field := range message.GetField() {
		if field.GetName() == name {
			return field
		}
	}
	panic(name)
}

// The policy may have been compiled for the message of a descriptor set, and the server
// decode into one of its own.
func TestVersions(t *testing.T) {
	t.Parallel()
	const other = "the message is of another version of its type"
	type descriptor = descriptorpb.DescriptorProto
	type fileDescriptor = descriptorpb.FileDescriptorProto
	for _, tt := range []struct {
		name, condition, message, want string
		change                         func(store *descriptor, file *fileDescriptor)
	}{
		{"the same", `request.item.sku == "s" && request.items[0].sku == "a"`, everything, holds, func(*descriptor, *fileDescriptor) {}},
		{"maps", `request.labels["k"] == "v" && request.by_int32[1].sku == "one"`, everything, holds, func(*descriptor, *fileDescriptor) {}},
		{"an enum", `request.color == shop.v1.Color.COLOR_RED`, everything, holds, func(*descriptor, *fileDescriptor) {}},
		{"presence", `has(request.item)`, everything, holds, func(*descriptor, *fileDescriptor) {}},
		{"another field is new", `request.a_string == "text"`, everything, holds, func(store *descriptor, _ *fileDescriptor) {
			store.Field = append(store.Field, &descriptorpb.FieldDescriptorProto{
				Name: new("fresh"), Number: proto.Int32(99), Type: descriptorpb.FieldDescriptorProto_TYPE_BOOL.Enum(),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), JsonName: new("fresh"),
			})
		}},
		{"the field is renamed", `request.a_string == "text"`, `a_bool: true`, "1:8: " + other, func(store *descriptor, _ *fileDescriptor) {
			fieldNamed(store, "a_string").Name = new("z_string")
		}},
		{"the field is gone", `request.a_string == "text"`, `a_bool: true`, "1:8: " + other, func(store *descriptor, _ *fileDescriptor) {
			fieldNamed(store, "a_string").Number = proto.Int32(98)
		}},
		{"the field has another type", `request.an_int64 == 0`, ``, "1:8: " + other, func(store *descriptor, _ *fileDescriptor) {
			fieldNamed(store, "an_int64").Type = descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
		}},
		{"the field is a list", `!has(request.a_bool)`, ``, other, func(store *descriptor, _ *fileDescriptor) {
			fieldNamed(store, "a_bool").Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}},
		{"the field has another message", `request.item.sku == ""`, ``, "1:13: " + other, func(store *descriptor, _ *fileDescriptor) {
			fieldNamed(store, "item").TypeName = new(".shop.v1.AdjustStockRequest")
		}},
		{"the enum has another number", `request.color == shop.v1.Color.COLOR_RED`, ``, "1:8: " + other, func(_ *descriptor, file *fileDescriptor) {
			file.EnumType[0].Value[1].Number = proto.Int32(2)
		}},
		{"the enum has another value", `request.color == shop.v1.Color.COLOR_RED`, ``, "1:8: " + other, func(_ *descriptor, file *fileDescriptor) {
			file.EnumType[0].Value = file.GetEnumType()[0].GetValue()[:1]
		}},
		{"the enum has another name", `request.color == shop.v1.Color.COLOR_RED`, ``, "1:8: " + other, func(store *descriptor, _ *fileDescriptor) {
			fieldNamed(store, "color").TypeName = new(".shop.v1.Item.Size")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requirement, err := compile(newConditions(t), "Store", tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			message := messageOf(changed(tt.change), "StoreRequest", tt.message)
			if got := judge(t, requirement, policy.Input{Info: ada(), Now: now, Message: message}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A descriptor set brings well-known types of its own, whose Go types are not those that
// are linked.
func TestForeignWellKnown(t *testing.T) {
	t.Parallel()
	set := new(descriptorpb.FileDescriptorSet)
	for _, path := range shopFile().GetDependency() {
		file, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			t.Fatal(err)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	set.File = append(set.File, shopFile())
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, condition := range []string{
		`request.duration == duration("60s")`,
		`request.time == timestamp("1970-01-01T00:00:01Z")`,
		`request.times[0] == request.time`,
		`request.struct.n == 1 && request.struct.l[0] == "e"`,
		`request.value == "v"`,
		`request.list[0] == true`,
		`request.string_value == "w" && request.int64_value == 5 && !has(request.bool_value)`,
		`request.items.exists(i, i.sku == "b")`,
	} {
		requirement, err := compileIn(files, newConditions(t), "Store", condition)
		if err != nil {
			t.Fatal(err)
		}
		for name, from := range map[string]*protoregistry.Files{"its own": files, "the linked ones": shop} {
			in := policy.Input{Info: ada(), Now: now, Message: messageOf(from, "StoreRequest", everything)}
			if got := judge(t, requirement, in); got != holds {
				t.Errorf("%s, %s: got %q", condition, name, got)
			}
		}
	}
}

// A message that is itself a well-known type is a value.
func TestWrapper(t *testing.T) {
	t.Parallel()
	requirement, err := compile(newConditions(t), "Find", `request == "x" && has(token.sub)`)
	if err != nil {
		t.Fatal(err)
	}
	found, err := shop.FindDescriptorByName(service)
	if err != nil {
		t.Fatal(err)
	}
	input := found.(protoreflect.ServiceDescriptor).Methods().ByName("Find").Input()
	linked, err := protoregistry.GlobalTypes.FindMessageByName(input.FullName())
	if err != nil {
		t.Fatal(err)
	}
	message := linked.New()
	message.Set(linked.Descriptor().Fields().ByName("value"), protoreflect.ValueOfString("x"))
	if got := judge(t, requirement, policy.Input{Info: ada(), Message: message.Interface()}); got != holds {
		t.Errorf("got %q", got)
	}
	if got := judge(t, requirement, policy.Input{Info: ada(), Message: linked.Zero().Interface()}); got != "1:9: "+null {
		t.Errorf("nil: got %q", got)
	}
}
