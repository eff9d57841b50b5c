package cel_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// names returns a message with a list of distinct names.
func names(count int) proto.Message {
	var fields strings.Builder
	for i := range count {
		fmt.Fprintf(&fields, "names: 'n%d' ", i)
	}
	return stored(fields.String())
}

// What a caller sends makes no condition cost more than its limit.
func TestLimits(t *testing.T) {
	t.Parallel()
	conditions := newConditions(t)
	const costly = "it costs more than its limit"
	long := proto.CloneOf(stored(""))
	for _, tt := range []struct {
		name, condition string
		message         proto.Message
		want            string
	}{
		{"one loop", `request.names.all(n, n != "")`, names(1_000), holds},
		{"one long loop", `request.names.all(n, n != "")`, names(50_000), costly},
		{"two loops", `request.names.all(a, request.names.exists(b, a == b))`, names(20), holds},
		{"two long loops", `request.names.all(a, request.names.exists(b, a == b))`, names(1_000), costly},
		{"a list in a loop", `request.names.all(a, a in request.names)`, names(1_000), costly},
		{"sets", `sets.contains(request.names, request.names)`, names(300), holds},
		{"large sets", `sets.contains(request.names, request.names)`, names(1_000), costly},
		{"sets that differ", `sets.equivalent(request.names, ["a"]) || sets.intersects(["a"], request.names)`, names(3), not},
		{"a text in a loop", `["a", "b"].exists(p, request.a_string.startsWith(p))`, stored(`a_string: "b"`), holds},
		{"a text", `request.a_string.matches("^a*$")`, stored(`a_string: "` + strings.Repeat("a", 16<<10) + `"`), holds},
		{"a long text", `request.a_string.matches("^a*$")`, stored(`a_string: "` + strings.Repeat("a", 16<<10+1) + `"`), "1:25: a text of more than 16384 bytes is not matched"},
		{"a long text in a loop", `["b", "c"].exists(x, request.a_string.contains(x))`, stored(`a_string: "` + strings.Repeat("a", 2<<20) + `"`), costly},
		{"nothing", `request.names.all(n, n != "")`, long, holds},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requirement, err := compile(conditions, "Store", tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			if got := judge(t, requirement, policy.Input{Info: ada(), Message: tt.message}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestWork: what a limit stops takes no long time, whatever the loop does. A list of many
// names and long texts is all that a caller can send.
func TestWork(t *testing.T) {
	conditions := newConditions(t)
	long := strings.Repeat("a", 2<<20)
	message := names(20_000)
	proto.Merge(message, stored(`a_string: "`+long+`" a_bytes: "`+long+`b" item { sku: "`+long+`" warehouse: "`+long+`" }`+
		` struct { fields { key: "k" value { string_value: "`+long+`" } } }`))
	labels := message.ProtoReflect().Mutable(message.ProtoReflect().Descriptor().Fields().ByName("labels")).Map()
	for i := range 20_000 {
		labels.Set(protoreflect.ValueOfString(strconv.Itoa(i)).MapKey(), protoreflect.ValueOfString("v"))
	}
	for _, work := range []string{
		`n != request.a_string`, `n < request.a_string || true`, `request.a_string.size() != 0`, `string(request.a_string) != "x"`,
		`request.a_bytes != bytes(request.a_string)`, `!request.a_string.startsWith(n)`, `!request.a_string.endsWith(n)`,
		`!request.a_string.contains(n)`, `!request.a_string.contains(request.item.sku + "x")`, `!(request.a_string in [n])`,
		`!(request.a_string in request.names)`, `!(n in request.labels)`, `(request.a_string + n).size() != 0`,
		`request.a_string.lowerAscii() != n`, `!request.a_string.matches("x")`, `request.names != ["a"]`, `request.names == request.names`,
		`[request.item.sku] == [request.item.warehouse]`, `[request.item.sku] in [[request.item.warehouse]]`,
		`{n: request.item.sku} == {n: request.item.warehouse}`, `request.labels == request.labels`, `request.labels.exists(k, true)`,
		`request.labels.exists(k, k == n) || true`, `request.labels.size() > 0`, `[request.item.sku].map(s, dyn(s)) == [request.item.warehouse].map(s, dyn(s))`,
		`request.struct.k != n`, `request.struct == request.struct`, `sets.contains(request.names, request.names)`,
		`request.names.map(m, m).size() > 1`, `request.names.filter(m, m != n).size() > 1`, `[request.a_string].exists(s, s != n)`,
		`!(n in dyn(request.a_string))`, `dyn(request.names) != dyn(request.a_string)`, `double(request.a_string) > 1.0 || true`,
		`token.claims.tenant != request.a_string`, `request.a_string > token.claims.tenant || true`,
	} {
		t.Run(work, func(t *testing.T) {
			requirement, err := compile(conditions, "Store", `request.names.all(n, `+work+`)`)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			got := judge(t, requirement, policy.Input{Info: ada(), Message: message})
			if got != "it costs more than its limit" {
				t.Errorf("got %q", got)
			}
			// It is some milliseconds, and was ten seconds and more before there was a meter.
			if took := time.Since(start); took > slowness*2*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A call that has ended is not judged to the end.
func TestCanceled(t *testing.T) {
	t.Parallel()
	requirement, err := compile(newConditions(t), "Store", `request.names.all(n, n != "")`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client is gone")
	cancel(gone)
	err = requirement.Check(ctx, policy.Input{Info: ada(), Message: names(1_000)})
	shortfall, ok := errors.AsType[*policy.ShortfallError](err)
	if !ok || shortfall.Reason != challenge.ReasonUnavailable || !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

// TestSecrets: nothing of a token or a message is in an error.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const secret = "kid-4711"
	info := ada()
	info.Claims = map[string]any{"secret": secret, "list": []any{secret}, "number": 4711.5, secret: map[string]any{secret: secret}}
	message := stored(`a_string: "kid-4711" labels { key: "kid-4711" value: "kid-4711" } an_int64: 4711 names: "kid-4711"`)
	conditions := newConditions(t)
	for _, condition := range []string{
		`token.claims[request.a_string + "x"] == 1`,
		`token.claims.list[request.an_int64] == 1`,
		`token.claims.list[token.claims.secret] == 1`,
		`request.labels[request.a_string + "x"] == ""`,
		`request.labels[token.claims.secret + "x"] == ""`,
		`request.names[request.an_int64] == ""`,
		`int(token.claims.secret) == 1`,
		`int(request.a_string) == 1`,
		`uint(-request.an_int64) == 1u`,
		`double(request.a_string) == 1.0`,
		`duration(request.a_string) == duration("1s")`,
		`timestamp(request.a_string) == now`,
		`timestamp(token.claims.secret) == now`,
		`bool(request.a_string)`,
		`bytes(token.claims.number) == b""`,
		`token.claims.secret < 1`,
		`token.claims.secret.x == 1`,
		`token.claims.secret.all(x, x == 1)`,
		`token.claims.number.matches("x")`,
		`token.claims.secret - 1 == 1`,
		`token.claims.number + token.claims.secret == 1`,
		`sets.contains(token.claims.secret, [1])`,
		`string(b"\xff" + bytes(request.a_string)) == "x"`,
		`now.getHours() / (request.an_int64 - 4711) == 1`,
		`request.an_int64 * 9223372036854775807 == 1`,
	} {
		requirement, err := compile(conditions, "Store", condition)
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		got := judge(t, requirement, policy.Input{Info: info, Now: now, Message: message})
		if got == holds || got == not {
			t.Errorf("%s: got %s, want an error", condition, got)
		}
		if strings.Contains(got, "4711") {
			t.Errorf("%s: %s", condition, got)
		}
	}
}
