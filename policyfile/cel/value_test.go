package cel_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

const everything = `
	a_bool: true a_bytes: "bytes" a_double: 1.5 a_float: 2.5
	an_int32: -1 an_int64: -2 a_sint32: -3 a_sint64: -4 an_sfixed32: -5 an_sfixed64: -6
	a_uint32: 1 a_uint64: 2 a_fixed32: 3 a_fixed64: 4
	a_string: "text" an_optional: "" color: COLOR_RED
	item { sku: "s" tags: "t" size: SIZE_BIG part { sku: "p" } }
	items { sku: "a" warehouse: "north" } items { sku: "b" warehouse: "south" }
	names: "x" names: "y" colors: COLOR_RED
	labels { key: "k" value: "v" } by_int32 { key: 1 value { sku: "one" } } by_int64 { key: -1 value: "minus" }
	by_uint32 { key: 1 value: "u" } by_uint64 { key: 1 value: "U" } by_bool { key: true value: "yes" }
	duration { seconds: 60 } time { seconds: 1 }
	struct { fields { key: "n" value { number_value: 1 } } fields { key: "l" value { list_value { values { string_value: "e" } } } } }
	value { string_value: "v" } list { values { bool_value: true } }
	string_value { value: "w" } int64_value { value: 5 } right: 3
	times { seconds: 1 }
`

func TestFields(t *testing.T) {
	t.Parallel()
	conditions := newConditions(t)
	for _, tt := range []struct {
		condition string
		full      string
		empty     string
	}{
		{`request.a_bool`, holds, not},
		{`request.a_bytes == b"bytes"`, holds, not},
		{`request.a_double == 1.5 && request.a_float == 2.5`, holds, not},
		{`request.an_int32 == -1 && request.an_int64 == -2 && request.a_sint32 == -3 && request.a_sint64 == -4`, holds, not},
		{`request.an_sfixed32 == -5 && request.an_sfixed64 == -6`, holds, not},
		{`request.a_uint32 == 1u && request.a_uint64 == 2u && request.a_fixed32 == 3u && request.a_fixed64 == 4u`, holds, not},
		{`request.a_uint32 > 0`, holds, not},
		{`request.a_double > 1`, holds, not},
		{`request.a_string == "text"`, holds, not},
		{`has(request.a_string)`, holds, not},
		{`has(request.an_optional)`, holds, not},
		{`request.an_optional == ""`, holds, holds},
		{`request.color == 1`, holds, not},
		{`request.color == shop.v1.Color.COLOR_RED`, holds, not},
		{`request.item.size == shop.v1.Item.Size.SIZE_BIG`, holds, not},
		{`request.item.sku == "s" && request.item.part.sku == "p"`, holds, not},
		{`has(request.item) && has(request.item.part) && !has(request.item.part.part)`, holds, not},
		{`request.item.part.part.sku == ""`, holds, holds},
		{`request.items.all(item, item.warehouse in token.claims.warehouses)`, holds, holds},
		{`request.items.exists(i, i.sku == "b")`, holds, not},
		{`request.items.exists_one(i, i.sku == "b")`, holds, not},
		{`request.items.map(i, i.sku) == ["a", "b"]`, holds, not},
		{`request.items[1].sku == "b"`, holds, "1:17: " + noMember},
		{`"x" in request.names`, holds, not},
		{`request.names == ["x", "y"]`, holds, not},
		{`sets.contains(["x", "y", "z"], request.names)`, holds, holds},
		{`shop.v1.Color.COLOR_RED in request.colors`, holds, not},
		{`request.labels.k == "v"`, holds, "1:15: " + noMember},
		{`request.labels["k"] == "v"`, holds, "1:15: " + noMember},
		{`"k" in request.labels`, holds, not},
		{`has(request.labels.k)`, holds, not},
		{`has(request.labels)`, holds, not},
		{`request.labels.size() == 1`, holds, not},
		{`request.labels.all(k, request.labels[k] == "v")`, holds, holds},
		{`request.labels == {"k": "v"}`, holds, not},
		{`request.labels == {"k": "w"}`, not, not},
		{`request.labels == {"l": "v"}`, not, not},
		{`{"k": "v"} == request.labels`, holds, not},
		{`request.labels == dyn([1])`, not, not},
		{`type(request.labels) == map`, holds, holds},
		{`request.labels[dyn(1)] == "v"`, "1:15: " + noMember, "1:15: " + noMember},
		{`request.by_int32[1].sku == "one"`, holds, "1:20: " + noMember},
		{`4294967297 in request.by_int32`, not, not},
		{`dyn(1u) in request.by_int32 && dyn(1.0) in request.by_int32 && !(dyn(1.5) in request.by_int32)`, holds, not},
		{`request.by_int64[-1] == "minus"`, holds, "1:17: " + noMember},
		{`dyn(18446744073709551615u) in dyn(request.by_int64)`, not, not},
		{`request.by_uint32[1u] == "u" && request.by_uint64[1u] == "U"`, holds, "1:18: " + noMember},
		{`dyn(-1) in dyn(request.by_uint64) || dyn(4294967297u) in dyn(request.by_uint32) || "x" in dyn(request.by_uint64)`, not, not},
		{`dyn(1) in dyn(request.by_uint64)`, holds, not},
		{`request.by_bool[true] == "yes"`, holds, "1:16: " + noMember},
		{`request.duration == duration("60s")`, holds, not},
		{`request.time == timestamp("1970-01-01T00:00:01Z")`, holds, not},
		{`request.time < now`, holds, holds},
		{`has(request.time)`, holds, not},
		{`request.times.all(t, t < now)`, holds, holds},
		{`request.struct.n == 1 && request.struct.l[0] == "e"`, holds, "1:15: " + noMember},
		{`has(request.struct.n)`, holds, not},
		{`request.value == "v"`, holds, "1:8: " + null},
		{`request.list[0] == true`, holds, "1:13: " + noMember},
		{`request.string_value == "w"`, holds, "1:8: " + null},
		{`request.string_value != "guest"`, holds, "1:8: " + null},
		{`has(request.string_value) && has(request.value)`, holds, not},
		{`request.int64_value == 5`, holds, "1:8: " + null},
		{`request.int64_value > 4`, holds, "1:8: " + null},
		{`request.bool_value`, "1:8: " + null, "1:8: " + null},
		{`!request.bool_value`, "1:9: " + null, "1:9: " + null},
		{`!has(request.bool_value)`, holds, holds},
		{`has(request.right) && !has(request.left)`, holds, not},
		// Values whose types are not known before.
		{`request.struct == {"n": 1.0, "l": ["e"]}`, holds, not},
		{`{"n": 1.0, "l": ["f"]} == request.struct`, not, not},
		{`request.list == [true]`, holds, not},
		{`request.a_bytes in [b"bytes", b"b"]`, holds, not},
		{`dyn(request.a_bytes) in ["a", "b"]`, not, not},
		{`dyn(request.a_bytes) in request.labels`, "1:22: " + wrong, "1:22: " + wrong},
		{`dyn(1) in dyn("a")`, "1:8: " + wrong, "1:8: " + wrong},
		{`1 in request.by_int32 && token.claims.level in {1: true, 3: true}`, holds, not},
		{`dyn(request.names) == dyn(request.labels) || dyn(request.labels) == dyn(1)`, not, not},
		{`dyn(request.time).getHours("Europe/Berlin") == 1 && request.time.getHours("+01:30") == 1 && request.time.getMinutes("-00:30") == 30`, holds, holds},
		{`dyn(request.duration).getHours("Europe/Berlin") == 1`, "1:31: " + wrong, "1:31: " + wrong},
		{`request.labels.exists(k, k == "k" && request.labels[k] == "v")`, holds, not},
		{`request.by_int32.all(k, k == 1)`, holds, holds},
		{`request.by_bool.map(k, k) == [true]`, holds, not},
		{`type(request.item) == type(request.item.part)`, holds, holds},
		{`string(dyn(request.labels)) == "x"`, "1:7: " + wrong, "1:7: " + wrong},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			t.Parallel()
			requirement, err := compile(conditions, "Store", tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			for message, want := range map[string]string{everything: tt.full, "": tt.empty} {
				if got := judge(t, requirement, policy.Input{Info: ada(), Now: now, Message: stored(message)}); got != want {
					t.Errorf("%.20q: got %q, want %q", message, got, want)
				}
			}
		})
	}
}
