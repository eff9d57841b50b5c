package cel_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/debug"
	"cel.dev/cel-go/parser"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// texts are conditions that are compiled, judged and changed.
var texts = []string{
	`request.a_string == token.sub`, `request.items.all(i, i.warehouse in token.claims.warehouses)`, `request.labels["k"] == "v"`,
	`request.by_int32[1].sku == "one"`, `request.by_uint64[1u] == "U"`, `has(request.item) && request.item.part.sku != ""`,
	`request.color == shop.v1.Color.COLOR_RED`, `request.time < now && request.duration > duration("1s")`, `request.struct.n >= 1`,
	`request.value == token.claims.level`, `request.list[0] == true`, `request.string_value == "w"`, `type(request) == type(request.item)`,
	`token.claims.level >= 3 || "admin" in token.claims.roles`, `token.claims.tenant.matches("^a.*$")`, `sets.contains(token.scopes, request.names)`,
	`request.names.map(n, n.lowerAscii()).filter(n, n != "").exists_one(n, n == "x")`, `int(token.claims.level) / request.an_int64 > 1`,
	`rpc.method == "Store" ? true : token.acr == 'gold'`, `now.getHours("Europe/Berlin") < 18`, `[1, 2.5, "x"].exists(x, x == token.claims.level)`,
	`{"a": 1}.a == request.an_int32`, `type(request.a_bytes) == bytes`, `string(request.a_bytes).size() > 1`, `-request.a_double < 1 && !request.a_bool`,
	"request.\n  names[0] == r'\\x'", `request.times.exists(t, t.getFullYear() == 1970)`, `dyn(request.names).size() == 0`, `b"\xff" == request.a_bytes`,
}

// FuzzCompile: no text makes the compiler panic, and what is compiled judges calls.
func FuzzCompile(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	conditions := newConditions(f)
	target := policy.Target{Service: service, Method: "Store", Request: messageIn(shop, "StoreRequest")}
	full, empty := stored(everything), stored("")
	f.Fuzz(func(t *testing.T, text string) {
		condition, err := conditions.CompileCondition(text, target)
		if err != nil {
			if strings.Contains(err.Error(), "panic") {
				t.Fatal(err)
			}
			return
		}
		for _, message := range []proto.Message{full, empty} {
			held, err := condition.Holds(t.Context(), policy.Input{Info: ada(), Now: now, Procedure: "/shop.v1.ShopService/Store", Message: message})
			if err != nil && (held || strings.Contains(err.Error(), "panic")) {
				t.Errorf("held %v, %v", held, err)
			}
		}
	})
}

// FuzzHolds judges random claims and messages.
func FuzzHolds(f *testing.F) {
	encoded, err := proto.Marshal(stored(everything))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded, `{"level": 3, "roles": ["admin"], "warehouses": ["north"], "tenant": "acme"}`)
	f.Add([]byte{}, `{"level": "3", "roles": {"admin": true}, "warehouses": null, "tenant": 1}`)
	conditions := newConditions(f)
	var requirements []*policy.Requirement
	for _, text := range texts {
		requirement, err := compile(conditions, "Store", text)
		if err != nil {
			f.Fatalf("%s: %v", text, err)
		}
		requirements = append(requirements, requirement)
	}
	f.Fuzz(func(t *testing.T, encoded []byte, claims string) {
		info := ada()
		message := dynamicpb.NewMessage(messageIn(shop, "StoreRequest"))
		if proto.Unmarshal(encoded, message) != nil || json.Unmarshal([]byte(claims), &info.Claims) != nil {
			return
		}
		for i, requirement := range requirements {
			err := requirement.Check(t.Context(), policy.Input{Info: info, Now: now, Message: message})
			if shortfall, ok := errors.AsType[*policy.ShortfallError](err); ok && strings.Contains(shortfall.Cause.Error(), "panic") {
				t.Errorf("%s: %v", texts[i], shortfall.Cause)
			}
		}
	})
}

// FuzzParser compares the parser of the package with the one that CEL uses by default:
// what both read, they read alike. The first one also reads the 0X of hexadecimal numbers.
func FuzzParser(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	var parsers []*parser.Parser
	for _, fast := range []bool{true, false} {
		p, err := parser.NewParser(parser.Macros(parser.AllMacros...), parser.EnableHiddenAccumulatorName(true), parser.EnablePrattParser(fast))
		if err != nil {
			f.Fatal(err)
		}
		parsers = append(parsers, p)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1_000 || strings.Contains(text, "0X") {
			return
		}
		fast, failed := parsers[0].Parse(common.NewTextSource(text))
		if len(failed.GetErrors()) > 0 {
			return
		}
		slow, failed := parsers[1].Parse(common.NewTextSource(text))
		if len(failed.GetErrors()) > 0 {
			t.Fatalf("%q is no CEL: %v", text, failed.ToDisplayString())
		}
		if got, want := debug.ToDebugString(fast.Expr()), debug.ToDebugString(slow.Expr()); got != want {
			t.Errorf("%q is\n%s\nand not\n%s", text, got, want)
		}
	})
}
