package cel_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

const bulk = `request.delta < 100 || "shop:bulk" in token.scopes`

// judged are conditions, each with a call that meets it.
var judged = []struct {
	name, method, condition string
	message                 proto.Message
	allocations             float64
}{
	{"the example, first half", "AdjustStock", bulk, messageOf(shop, "AdjustStockRequest", "delta: 99"), 0},
	{"the example, second half", "AdjustStock", bulk, messageOf(shop, "AdjustStockRequest", "delta: 1000"), 1},
	{"a claim", "AdjustStock", `token.claims.tenant == "acme"`, nil, 1},
	{"a number", "AdjustStock", `token.claims.level >= 3`, nil, 1},
	{"claim and field", "Store", `request.a_string in token.claims.accounts`, stored(`a_string: "a2"`), 3},
	{"a pattern", "Store", `rpc.method.matches("^(Get|Store)")`, nil, 3},
	{"a loop through the text", "AdjustStock", `["A", "B"].exists(p, request.sku.startsWith(p))`, messageOf(shop, "AdjustStockRequest", `sku: "B1"`), 20},
	{"a loop", "Store", `request.items.all(i, i.warehouse in token.claims.warehouses)`, stored(everything), 24},
}

func TestAllocations(t *testing.T) {
	conditions := newConditions(t)
	for _, tt := range judged {
		t.Run(tt.name, func(t *testing.T) {
			requirement, err := compile(conditions, tt.method, tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			in := policy.Input{Info: granted(), Now: now, Message: tt.message, Procedure: "/shop.v1.ShopService/Store"}
			got := testing.AllocsPerRun(100, func() {
				if err := requirement.Check(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			})
			if got > tt.allocations+poolDrift {
				t.Errorf("got %v allocations, want %v", got, tt.allocations)
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	conditions := newConditions(b)
	for _, bb := range judged {
		b.Run(bb.name, func(b *testing.B) {
			requirement, err := compile(conditions, bb.method, bb.condition)
			if err != nil {
				b.Fatal(err)
			}
			benchmark(b, requirement, bb.message)
		})
	}
	b.Run("a generated message", func(b *testing.B) {
		table, err := policy.Compiler{Conditions: conditions}.Compile(policy.Policy{Services: map[string]policy.Service{
			testService: {Methods: map[string]policy.Rule{"UnaryCall": {Condition: `request.response_size < 100 || "shop:bulk" in token.scopes`}}},
		}})
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, table.Lookup(procedure), &grpc_testing.SimpleRequest{ResponseSize: 1_000})
	})
	b.Run("no condition", func(b *testing.B) {
		table, err := policy.Compiler{Descriptors: shop}.Compile(policy.Policy{Services: map[string]policy.Service{service: {Rule: policy.Rule{Scopes: []string{"shop:write"}}}}})
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, table.LookupService(service), nil)
	})
}

func benchmark(b *testing.B, requirement *policy.Requirement, message proto.Message) {
	b.Helper()
	in := policy.Input{Info: granted(), Now: now, Message: message, Procedure: "/shop.v1.ShopService/Store"}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := requirement.Check(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
}

// large returns a policy of methods, each with a text of its own, and, unless they share
// one, a message of its own.
func large(methods int, shareMessage bool) (policy.Policy, *protoregistry.Files) {
	file := shopFile()
	message := file.GetMessageType()[0]
	described := &descriptorpb.ServiceDescriptorProto{Name: new("LargeService")}
	rules := make(map[string]policy.Rule, methods)
	for i := range methods {
		name := fmt.Sprintf("Do%d", i)
		input := message.GetName()
		if !shareMessage {
			own := proto.CloneOf(message)
			own.Name = new(name + "Request")
			file.MessageType = append(file.MessageType, own)
			input = own.GetName()
		}
		described.Method = append(described.Method, &descriptorpb.MethodDescriptorProto{
			Name: new(name), InputType: new(".shop.v1." + input), OutputType: new(".google.protobuf.Empty"),
		})
		rules[name] = policy.Rule{Scopes: []string{"shop:write"}, Condition: fmt.Sprintf(`request.delta < %d || "shop:bulk" in token.scopes`, i)}
	}
	file.Service = append(file.Service, described)
	return policy.Policy{Services: map[string]policy.Service{"shop.v1.LargeService": {Methods: rules}}}, load(file, protoregistry.GlobalFiles)
}

// BenchmarkCompile compiles 10,000 methods with 10,000 texts.
func BenchmarkCompile(b *testing.B) {
	for _, shareMessage := range []bool{true, false} {
		rules, files := large(10_000, shareMessage)
		for _, reload := range []bool{false, true} {
			b.Run(fmt.Sprintf("shared message=%t/reload=%t", shareMessage, reload), func(b *testing.B) {
				compiler := policy.Compiler{Descriptors: files, Conditions: newConditions(b)}
				kept, err := compiler.Compile(rules)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if !reload {
						compiler.Conditions = newConditions(b)
					}
					if _, err := compiler.Compile(rules); err != nil {
						b.Fatal(err)
					}
				}
				runtime.KeepAlive(kept)
			})
		}
	}
}
