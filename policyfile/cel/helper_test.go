package cel_test

import (
	"context"
	"crypto/tls"
	_ "embed"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/anypb"
	_ "google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/policyfile/cel"
)

// The file shop.proto as a descriptor set, which
//
//	buf build --exclude-imports --exclude-source-info -o shop.txtpb
//
// makes.
//
//go:embed testdata/shop.txtpb
var shopText []byte

const service = "shop.v1.ShopService"

var shop = load(shopFile(), protoregistry.GlobalFiles)

func shopFile() *descriptorpb.FileDescriptorProto {
	var set descriptorpb.FileDescriptorSet
	if err := (prototext.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(shopText, &set); err != nil {
		panic(err)
	}
	return set.GetFile()[0]
}

// load returns a registry with a file, whose imports are looked up in resolver.
func load(file *descriptorpb.FileDescriptorProto, resolver protodesc.Resolver) *protoregistry.Files {
	files := new(protoregistry.Files)
	linked, err := protodesc.NewFile(file, resolver)
	if err == nil {
		err = files.RegisterFile(linked)
	}
	if err != nil {
		panic(err)
	}
	return files
}

// messageIn returns the descriptor of a message of the shop.
func messageIn(files *protoregistry.Files, name string) protoreflect.MessageDescriptor {
	found, err := files.FindDescriptorByName(protoreflect.FullName("shop.v1." + name))
	if err != nil {
		panic(err)
	}
	return found.(protoreflect.MessageDescriptor)
}

// messageOf returns a message of the shop with fields in the text format.
func messageOf(files *protoregistry.Files, name, fields string) proto.Message {
	m := dynamicpb.NewMessage(messageIn(files, name))
	if err := prototext.Unmarshal([]byte(fields), m); err != nil {
		panic(err)
	}
	return m
}

func stored(fields string) proto.Message { return messageOf(shop, "StoreRequest", fields) }

func newConditions(tb testing.TB) *cel.Conditions {
	tb.Helper()
	conditions, err := cel.New(cel.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return conditions
}

// compile compiles a policy with a condition on a method of the shop.
func compile(conditions *cel.Conditions, method, condition string) (*policy.Requirement, error) {
	return compileIn(shop, conditions, method, condition)
}

func compileIn(files *protoregistry.Files, conditions *cel.Conditions, method, condition string) (*policy.Requirement, error) {
	rule := policy.Rule{Condition: condition}
	rules := policy.Service{Methods: map[string]policy.Rule{method: rule}}
	if method == "" {
		rules = policy.Service{Rule: rule}
	}
	table, err := policy.Compiler{Descriptors: files, Conditions: conditions}.Compile(policy.Policy{
		Services: map[string]policy.Service{service: rules},
	})
	if err != nil {
		return nil, err
	}
	if method == "" {
		return table.LookupService(service), nil
	}
	return table.Lookup("/" + service + "/" + method), nil
}

// now is when the calls of the tests happen.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// ada is the token of a user.
func ada() *token.Info {
	return &token.Info{
		Issuer: "https://login.example.com", Subject: "ada", ClientID: "cli", SessionID: "s-1", Party: token.PartyUser,
		Audience: []string{"https://api.example.com"}, Scopes: []string{"shop:read", "shop:write"},
		ACR: "gold", AuthTime: now.Add(-time.Minute), IssuedAt: now.Add(-30 * time.Second),
		Actor: &token.Actor{Subject: "bot", ClientID: "agent"},
		Claims: map[string]any{
			"tenant": "acme", "level": 3.0, "ratio": 0.5, "admin": true, "none": nil,
			"nulls": map[string]any{"a": nil}, "holes": []any{"a", nil, "b"},
			"roles": []any{"admin", "dev"}, "levels": []any{1.0, 3.0}, "accounts": []string{"a1", "a2"},
			"realm_access": map[string]any{"roles": []any{"owner"}}, "https://acme.com/tenant": "acme",
			"warehouses": []any{"north", "south"}, "email": "Ada@example.com", "project": "p1", "big": 9e18,
		},
	}
}

// header is the header of a request as a drawbridge.Transport.
type header map[string][]string

func (h header) Values(_ context.Context, name string) []string { return h[name] }
func (header) Host(context.Context) string                      { return "" }

func (header) Connection(context.Context) (string, *tls.ConnectionState) { return "", nil }

// granted is the token of a user who may move much at once.
func granted() *token.Info {
	info := ada()
	info.Scopes = append(info.Scopes, "shop:bulk")
	return info
}
