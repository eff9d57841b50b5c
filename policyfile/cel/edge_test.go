package cel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// verdict compiles and judges a condition about a message and a user with further claims.
func verdict(t *testing.T, condition string, message proto.Message, claims map[string]any) string {
	t.Helper()
	requirement, err := compile(newConditions(t), "Store", condition)
	if err != nil {
		t.Fatal(err)
	}
	info := ada()
	maps.Copy(info.Claims, claims)
	return judge(t, requirement, policy.Input{Info: info, Now: now, Message: message})
}

// A duration or time that protobuf or CEL does not have is none that it wraps to.
func TestRanges(t *testing.T) {
	t.Parallel()
	const most = 1<<63 - 1
	for _, tt := range []struct {
		field, value, condition, want string
	}{
		{"duration", "seconds: 18446744074", `request.duration <= duration("15m")`, beyond},
		{"duration", "seconds: 9300000000", `request.duration <= duration("15m")`, beyond},
		{"duration", "seconds: -9300000000", `request.duration <= duration("15m")`, beyond},
		{"duration", "seconds: 315576000000", `request.duration > duration("15m")`, beyond},
		{"duration", fmt.Sprint("seconds: ", 1<<62), `request.duration >= duration("0s") && request.duration <= duration("15m")`, beyond},
		{"duration", "seconds: 1 nanos: -1", `request.duration <= duration("15m")`, beyond},
		{"duration", "seconds: -1 nanos: 1", `request.duration <= duration("15m")`, beyond},
		{"duration", "nanos: 1000000000", `request.duration <= duration("15m")`, beyond},
		{"duration", "nanos: -1000000000", `request.duration <= duration("15m")`, beyond},
		{"duration", "seconds: 900", `request.duration <= duration("15m")`, holds},
		{"duration", "seconds: 900 nanos: 1", `request.duration <= duration("15m")`, not},
		{"duration", "seconds: -1 nanos: -1", `request.duration < duration("-1s")`, holds},
		{"duration", "seconds: 9223372035 nanos: 999999999", `request.duration > duration("15m")`, holds},
		{"duration", fmt.Sprint("seconds: ", 1<<62), `has(request.duration)`, holds},
		{"time", fmt.Sprint("seconds: ", most), `request.time < now + duration("1h")`, beyond},
		{"time", fmt.Sprint("seconds: ", most, " nanos: 2000000000"), `request.time < now`, beyond},
		{"time", fmt.Sprint("seconds: ", -most), `request.time < now`, beyond},
		{"time", "seconds: 253402300800", `request.time > now`, beyond},
		{"time", "seconds: -62135596801", `request.time < now`, beyond},
		{"time", "nanos: -1", `request.time < now`, beyond},
		{"time", "nanos: 1000000000", `request.time < now`, beyond},
		{"time", "seconds: 253402300799 nanos: 999999999", `request.time > now`, holds},
		{"time", "seconds: -62135596800", `request.time < now`, holds},
		{"times", fmt.Sprint("seconds: ", most), `request.times.all(t, t < now)`, beyond},
		{"times", fmt.Sprint("seconds: ", most), `request.times[0] < now`, beyond},
		{"times", fmt.Sprint("seconds: ", most), `request.times == [now]`, beyond},
		{"times", fmt.Sprint("seconds: ", most), `now in request.times`, beyond},
	} {
		got := verdict(t, tt.condition, stored(tt.field+" { "+tt.value+" }"), nil)
		if !strings.HasSuffix(got, tt.want) || tt.want == holds && got != holds {
			t.Errorf("%s of %s: got %q, want %q", tt.condition, tt.value, got, tt.want)
		}
	}
}

// A double that may stand for several integers is beside none.
func TestRounded(t *testing.T) {
	t.Parallel()
	claims := map[string]any{
		"account": 9007199254740992.0, "negative": -9007199254740992.0, "exact": 9007199254740991.0,
		"accounts": []any{9007199254740992.0, 5.0}, "object": map[string]any{"account": 9007199254740992.0},
	}
	message := stored(`an_int64: 9007199254740993 a_uint64: 9007199254740993 an_int32: 5 a_double: 1e18 by_int64 { key: 9007199254740992 value: "v" }`)
	for _, tt := range []struct{ condition, want string }{
		{`token.claims.account == request.an_int64`, rounded},
		{`request.an_int64 == token.claims.account`, rounded},
		{`token.claims.account != request.an_int64`, rounded},
		{`token.claims.account == request.a_uint64`, rounded},
		{`token.claims.negative == -request.an_int64`, rounded},
		{`token.claims.account == 5`, rounded},
		{`request.an_int64 in token.claims.accounts`, rounded},
		{`!(request.an_int64 in token.claims.accounts)`, rounded},
		{`request.an_int32 in token.claims.accounts`, holds},
		{`request.an_int64 <= token.claims.account`, rounded},
		{`request.an_int64 < token.claims.account || request.an_int64 > token.claims.account`, rounded},
		{`dyn(request.an_int64) >= token.claims.account`, rounded},
		{`request.a_uint64 <= token.claims.account`, rounded},
		{`request.an_int64 < request.a_double`, rounded},
		{`sets.contains(token.claims.accounts, [request.an_int64])`, rounded},
		{`sets.intersects(token.claims.accounts, [request.an_int64])`, rounded},
		{`sets.equivalent(token.claims.accounts, [request.an_int64, request.an_int32])`, rounded},
		{`[request.an_int64] == [token.claims.account]`, rounded},
		{`[request.an_int64, 1] == [token.claims.account, 2]`, not},
		{`token.claims.object == {"account": request.an_int64}`, rounded},
		{`token.claims.account in [1, 2, 9007199254740993]`, rounded},
		{`token.claims.account in request.by_int64`, rounded},
		{`!(token.claims.account in {9007199254740993: true})`, rounded},
		{`request.by_int64[token.claims.account] == "v"`, noMember},
		{`int(token.claims.account) == request.an_int64`, rounded},
		{`uint(token.claims.account) == request.a_uint64`, rounded},
		{`double(request.an_int64) == token.claims.account`, rounded},
		{`double(-request.an_int64) == token.claims.negative`, rounded},
		{`double(request.a_uint64) == token.claims.account`, rounded},
		{`double(dyn(request.an_int64)) == token.claims.account`, rounded},
		{`int(token.claims.exact) == 9007199254740991 && token.claims.exact == 9007199254740991`, holds},
		{`token.claims.exact < request.an_int64 && double(request.an_int32) == 5.0`, holds},
		{`token.claims.account == 9007199254740992.0 && token.claims.account > token.claims.exact`, holds},
	} {
		got := verdict(t, tt.condition, message, claims)
		if !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.condition, got, tt.want)
		}
	}
}

// What is null is equal to nothing, be it of a claim or of a message.
func TestNull(t *testing.T) {
	t.Parallel()
	claims := map[string]any{
		"tenant": nil, "other": nil, "tenants": []any{nil, "a"}, "typed": map[string]map[string]any{"a": {"b": nil}},
		"maps": []map[string]any{{"a": nil}}, "numbers": []int64{1, 2}, "bytes": []byte("b"), "channels": map[string]chan int{"a": nil},
	}
	nulls := `value { null_value: NULL_VALUE } list { values { null_value: NULL_VALUE } } struct { fields { key: "a" value { null_value: NULL_VALUE } } }`
	for _, tt := range []struct{ fields, condition, want string }{
		{"", `token.claims.tenant == request.string_value`, noMember},
		{"", `token.claims.tenant == request.value`, noMember},
		{"", `token.claims.tenant == token.claims.other`, noMember},
		{"", `request.string_value in token.claims.tenants`, null},
		{"", `request.string_value == request.value`, null},
		{"", `request.string_value.startsWith("a")`, null},
		{"", `request.int64_value != 5`, null},
		{"", `request.int64_value < 5`, null},
		{"", `!has(request.int64_value) || request.int64_value < 5`, holds},
		{`int64_value {}`, `has(request.int64_value) && request.int64_value == 0`, holds},
		{nulls, `request.value != 1`, null},
		{nulls, `has(request.value)`, not},
		{nulls, `request.list[0] == request.value`, null},
		{nulls, `request.list.all(v, v != 1)`, null},
		{nulls, `request.struct.a != 1`, noMember},
		{nulls, `has(request.struct.a) || "a" in request.struct`, not},
		{nulls, `request.struct == request.struct`, null},
		{nulls, `{"b": 1} == request.struct`, not},
		{nulls, `token.claims.typed.a.b == request.value`, noMember},
		{nulls, `token.claims.typed.a.b == token.claims.typed.a.b`, noMember},
		{nulls, `has(token.claims.typed.a.b) || has(token.claims.maps[0].a)`, not},
		{nulls, `token.claims.maps == token.claims.maps`, null},
		{nulls, `2 in token.claims.numbers && token.claims.bytes == b"b"`, holds},
		{nulls, `token.claims.channels.a == token.claims.channels.a`, not},
		{`value { string_value: "v" }`, `has(request.value)`, holds},
	} {
		got := verdict(t, tt.condition, stored(tt.fields), claims)
		if !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.condition, got, tt.want)
		}
	}
}

func wire(encoded []byte) proto.Message {
	message := dynamicpb.NewMessage(messageIn(shop, "StoreRequest"))
	if err := proto.Unmarshal(encoded, message); err != nil {
		panic(err)
	}
	return message
}

func field(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

// lists is a google.protobuf.ListValue of 316 lists of bools, of which the last one is last.
func lists(length int, last byte) []byte {
	var inner, outer []byte
	for range length - 1 {
		inner = field(inner, 1, []byte{0x20, 1})
	}
	inner = field(inner, 1, []byte{0x20, last})
	for range 316 {
		outer = field(outer, 1, field(nil, 6, inner))
	}
	return outer
}

// What one step costs is bounded as well, whatever it is that it goes through.
func TestSteps(t *testing.T) {
	const costly = "it costs more than its limit"
	pairs := wire(field(field(nil, 33, lists(1_600, 0)), 32, field(nil, 6, lists(1_600, 1))))
	var long, times []byte
	for range 60 {
		long = field(long, 20, []byte(strings.Repeat("a", 16_000)))
	}
	long = field(long, 15, []byte(strings.Repeat("a", 16_000)))
	for range 25_000 {
		times = field(times, 40, []byte{8, 1})
	}
	for _, tt := range []struct {
		condition string
		message   proto.Message
		want      string
	}{
		{`sets.intersects(request.list, request.value)`, pairs, costly},
		{`sets.contains(request.list, request.value)`, pairs, costly},
		{`sets.equivalent(request.list, request.value)`, pairs, costly},
		{`[1].exists(x, sets.intersects(request.list, request.value))`, pairs, costly},
		{`request.value in request.list`, pairs, not},
		{`request.names.exists(n, n.matches("(.{1,400})z$"))`, wire(long), costly},
		{`request.names.exists(n, n.matches("^[a-z]+z$"))`, wire(long), costly},
		{`request.a_string.matches("(.{1,400})z$")`, wire(long), costly},
		{`request.a_string.matches("^[a-z]+z$")`, wire(long), not},
		{`request.times.all(x, x.getHours("Europe/Berlin") < 25)`, wire(times), costly},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			// It is some milliseconds, and was a minute before each step was bounded.
			start := time.Now()
			if got := verdict(t, tt.condition, tt.message, nil); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if took := time.Since(start); took > slowness*5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A call that ends while sets are compared is not judged to the end.
func TestSetsCanceled(t *testing.T) {
	t.Parallel()
	requirement, err := compile(newConditions(t), "Store", `sets.contains(request.names, request.names)`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := requirement.Check(ctx, policy.Input{Info: ada(), Message: names(1_000)}); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
