package authzen_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

func unmarshalText(text string, into proto.Message) error {
	return prototext.Unmarshal([]byte(text), into)
}

// TestValues: each value as it is sent, in the properties of the resource.
func TestValues(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	point := newPoint(t, p)
	info := &token.Info{
		Issuer: "https://login.example.com", Subject: "ada", ClientID: "app", Party: token.PartyUser, ACR: "gold", SessionID: "s1",
		Scopes: []string{"a", "b"}, Audience: []string{"https://api.example.com"}, Actor: &token.Actor{Subject: "robot"},
		AuthTime: time.Unix(1_700_000_000, 0), Claims: map[string]any{
			"tenant": "north", "n": 7.0, "big": json.Number("9007199254740993"), "null": nil, "https://example.com/x": true,
			"realm": map[string]any{"roles": []any{"r1", "<r2>"}, "b": 1.0, "a": nil}, "list": []string{"x"}, "bad": []any{"\xff"},
			"badname": map[string]any{"\xff": 1}, "badlist": []string{"\xff"}, "chan": make(chan int),
		},
	}
	message := `account_id: "a1" flag: true i32: -5 i64: -9007199254740993 u32: 5 u64: 18446744073709551615 s64: 3 f32: 0.1 f64: 1e21
		data: "\x00\xff" kind: GIRO at { seconds: 1700000000 } for { seconds: 1 nanos: 500000000 } free { fields { key: "k" value { bool_value: true } } }
		maybe { value: "m" } line { account_id: "l1" next { account_id: "l2" tags: "t" } } ids: "x" ids: "y" numbers: 1 numbers: 2 kinds: GIRO kinds: KIND_UNSPECIFIED f32s: 1.5
		labels { key: "z" value { amount: 1 } } labels { key: "b" value { } } lines { }`
	for _, tt := range []struct{ path, want string }{
		{"'a text'", `"a text"`},
		{"'say \"<é>\"'", `"say \"\u003cé\u003e\""`},
		{"''", `""`},
		{"token.iss", `"https://login.example.com"`},
		{"token.sub", `"ada"`},
		{"token.client_id", `"app"`},
		{"token.sid", `"s1"`},
		{"token.acr", `"gold"`},
		{"token.party", `"user"`},
		{"token.scopes", `["a","b"]`},
		{"token.aud", `["https://api.example.com"]`},
		{"token.auth_time", `"2023-11-14T22:13:20Z"`},
		{"token.iat", ""},
		{"token.actor.iss", `"https://login.example.com"`},
		{"token.actor.sub", `"robot"`},
		{"token.actor.client_id", ""},
		{"token.claims.tenant", `"north"`},
		{"token.claims.n", `7`},
		{"token.claims.big", `9007199254740993`},
		{"token.claims.null", ""},
		{"token.claims.absent", ""},
		{"token.claims.tenant.inside", ""},
		{"token.claims.realm.roles", `["r1","\u003cr2\u003e"]`},
		{"token.claims.realm", `{"a":null,"b":1,"roles":["r1","\u003cr2\u003e"]}`},
		{"token.claims.list", `["x"]`},
		{"token.claims['https://example.com/x']", `true`},
		{"token['claims'].realm['b']", `1`},
		{"token.claims.bad", failed},
		{"token.claims.badname", failed},
		{"token.claims.badlist", failed},
		{"token.claims.chan", failed},
		{"rpc.procedure", `"/bank.v1.Bank/Pay"`},
		{"rpc.service", `"bank.v1.Bank"`},
		{"rpc.method", `"Pay"`},
		{"request.account_id", `"a1"`},
		{"request.note", ""},
		{"request.flag", `true`},
		{"request.i32", `-5`},
		{"request.i64", `"-9007199254740993"`},
		{"request.i64_set", ""},
		{"request.u32", `5`},
		{"request.u64", `"18446744073709551615"`},
		{"request.s64", `"3"`},
		{"request.f32", `0.1`},
		{"request.f64", `1e+21`},
		{"request.data", `"AP8="`},
		{"request.kind", `"GIRO"`},
		{"request.nothing", ""},
		{"request.at", `"2023-11-14T22:13:20Z"`},
		{"request.for", `"1.500s"`},
		{"request.any", ""},
		{"request.free", `{"k":true}`},
		{"request.maybe", `"m"`},
		{"request.maybe.value", `"m"`},
		{"request.line.account_id", `"l1"`},
		{"request.line.next.account_id", `"l2"`},
		{"request.line.next.next.account_id", ""},
		{"request.line.next.amount", `"0"`},
		{"request.line", `{"accountId":"l1","amount":"0","tags":[],"next":{"accountId":"l2","amount":"0","tags":["t"]}}`},
		{"request.ids", `["x","y"]`},
		{"request.numbers", `["1","2"]`},
		{"request.kinds", `["GIRO","KIND_UNSPECIFIED"]`},
		{"request.f32s", `[1.5]`},
		{"request.lines", `[{"accountId":"","amount":"0","tags":[]}]`},
		{"request.labels", `{"b":{"accountId":"","amount":"0","tags":[]},"z":{"accountId":"","amount":"1","tags":[]}}`},
	} {
		t.Run(tt.path, func(t *testing.T) {
			q := about("'1'")
			q.Resource.Properties = map[string]string{"p": tt.path}
			c := condition(t, point, q)
			if c.NeedsMessage() != strings.HasPrefix(tt.path, "request") {
				t.Errorf("NeedsMessage is %t", c.NeedsMessage())
			}
			in := ada(pay(t, message))
			in.Info = info
			before := p.requests.Load()
			got := outcome(c.Holds(t.Context(), in))
			if tt.want == failed {
				if got != failed || p.requests.Load() != before {
					t.Errorf("got %s", got)
				}
				return
			}
			want := `{"subject":{"type":"user","id":"ada"},"action":{"name":"Pay"},"resource":{"type":"account","id":"1","properties":{"p":` + tt.want + `}}}`
			if tt.want == "" {
				want = strings.Replace(want, `"p":`, "", 1)
			}
			if got != met || p.body() != want {
				t.Errorf("%s:\n got %s\nwant %s", got, p.body(), want)
			}
		})
	}
}

// TestOddValues: values that text forms of messages cannot express.
func TestOddValues(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	point := newPoint(t, p)
	for _, tt := range []struct {
		field string
		value protoreflect.Value
		want  string
	}{
		{"f64", protoreflect.ValueOfFloat64(math.NaN()), `"NaN"`},
		{"f64", protoreflect.ValueOfFloat64(math.Inf(1)), `"Infinity"`},
		{"f32", protoreflect.ValueOfFloat32(float32(math.Inf(-1))), `"-Infinity"`},
		{"kind", protoreflect.ValueOfEnum(7), `7`},
		{"account_id", protoreflect.ValueOfString("a\xffb"), failed},
		{"account_id", protoreflect.ValueOfString("\u2028\x00"), `"\u2028\u0000"`},
	} {
		message := dynamicpb.NewMessage(bank(t))
		message.Set(bank(t).Fields().ByName(protoreflect.Name(tt.field)), tt.value)
		q := about("'1'")
		q.Context = map[string]string{"v": "request." + tt.field}
		got := outcome(condition(t, point, q).Holds(t.Context(), ada(message)))
		if got == met {
			got = p.body()[strings.LastIndex(p.body(), `"v":`)+4:]
			got, _, _ = strings.Cut(got, "}")
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.field, got, tt.want)
		}
	}
	for name, text := range map[string]string{
		"an Any of an unknown type":   `any { type_url: "x/secret.Type" value: "\x01" }`,
		"a number that no JSON has":   `free { fields { key: "k" value { number_value: nan } } }`,
		"a list of what is not UTF-8": "",
	} {
		q := about("'1'")
		q.Context = map[string]string{"v": "request.any", "w": "request.free"}
		message := pay(t, text)
		if text == "" {
			q.Context = map[string]string{"v": "request.ids"}
			list := message.ProtoReflect().Mutable(bank(t).Fields().ByName("ids")).List()
			list.Append(protoreflect.ValueOfString("\xff"))
		}
		_, err := condition(t, point, q).Holds(t.Context(), ada(message))
		if outcome(false, err) != failed || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestIDs: what an ID is made of, and that no question without one is sent.
func TestIDs(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	point := newPoint(t, p)
	for _, tt := range []struct {
		path, message string
		claims        map[string]any
		want          string
	}{
		{"request.account_id", `account_id: "a/b:c#d"`, nil, `"a/b:c#d"`},
		{"request.account_id", ``, nil, failed},
		{"request.note", ``, nil, failed},
		{"request.note", `note: ""`, nil, failed},
		{"request.note", `note: "n"`, nil, `"n"`},
		{"request.i64", `i64: 42`, nil, `"42"`},
		{"request.i64", ``, nil, `"0"`},
		{"request.i64_set", ``, nil, failed},
		{"request.i64_set", `i64_set: 0`, nil, `"0"`},
		{"request.u64", `u64: 18446744073709551615`, nil, `"18446744073709551615"`},
		{"request.u32", `u32: 1`, nil, `"1"`},
		{"request.kind", `kind: GIRO`, nil, `"GIRO"`},
		{"request.kind", `kind: 9`, nil, `"9"`},
		{"request.data", `data: "\x00\xff"`, nil, `"AP8="`},
		{"request.data", ``, nil, failed},
		{"request.line.account_id", `line { account_id: "l" }`, nil, `"l"`},
		{"request.line.account_id", ``, nil, failed},
		{"token.sub", ``, nil, `"ada"`},
		{"token.acr", ``, nil, failed},
		{"token.claims.t", ``, map[string]any{"t": "x"}, `"x"`},
		{"token.claims.t", ``, map[string]any{"t": ""}, failed},
		{"token.claims.t", ``, map[string]any{"t": 12.0}, `"12"`},
		{"token.claims.t", ``, map[string]any{"t": 12.5}, failed},
		{"token.claims.t", ``, map[string]any{"t": 1e300}, failed},
		{"token.claims.t", ``, map[string]any{"t": float64(1 << 53)}, failed},
		{"token.claims.t", ``, map[string]any{"t": json.Number("9007199254740993")}, `"9007199254740993"`},
		{"token.claims.t", ``, map[string]any{"t": json.Number("1.5")}, failed},
		{"token.claims.t", ``, map[string]any{"t": true}, failed},
		{"token.claims.t", ``, map[string]any{"t": []any{"x"}}, failed},
		{"token.claims.t", ``, map[string]any{"t": nil}, failed},
		{"token.claims.t", ``, nil, failed},
	} {
		t.Run(fmt.Sprintf("%s of %s %v", tt.path, tt.message, tt.claims), func(t *testing.T) {
			in := ada(pay(t, tt.message))
			in.Info.Claims = tt.claims
			before := p.requests.Load()
			got := outcome(condition(t, point, about(tt.path)).Holds(t.Context(), in))
			if got == met {
				_, got, _ = strings.Cut(p.body(), `"account","id":`)
				got = strings.TrimSuffix(got, "}}")
			}
			if got != tt.want || got == failed && p.requests.Load() != before {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestSubjects: whom the subject stands for.
func TestSubjects(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	point := newPoint(t, p)
	written := policy.Entity{Type: "person", ID: "token.claims.uid", Properties: map[string]string{"a": "'1'", "b": "token.acr", "c": "token.iss"}}
	for _, tt := range []struct {
		name    string
		subject policy.Entity
		info    token.Info
		want    string
	}{
		{"a user", policy.Entity{}, token.Info{Party: token.PartyUser, Subject: "ada", ClientID: "app"}, `{"type":"user","id":"ada"}`},
		{"a client", policy.Entity{}, token.Info{Party: token.PartyClient, Subject: "sub", ClientID: "app"}, `{"type":"client","id":"app"}`},
		{"unknown", policy.Entity{}, token.Info{Subject: "ada", ClientID: "app"}, failed},
		{"a user without a subject", policy.Entity{}, token.Info{Party: token.PartyUser, ClientID: "app"}, failed},
		{"a client without a name", policy.Entity{}, token.Info{Party: token.PartyClient, Subject: "ada"}, failed},
		{
			"properties alone", policy.Entity{Properties: map[string]string{"iss": "token.iss"}},
			token.Info{Party: token.PartyUser, Subject: "ada", Issuer: "https://i"}, `{"type":"user","id":"ada","properties":{"iss":"https://i"}}`,
		},
		{
			"written", written, token.Info{Claims: map[string]any{"uid": "u1"}, Issuer: "https://i"},
			`{"type":"person","id":"u1","properties":{"a":"1","c":"https://i"}}`,
		},
		{"written, absent", written, token.Info{Subject: "ada", Party: token.PartyUser}, failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := about("'1'")
			q.Subject = tt.subject
			in := policy.Input{Info: &tt.info, Procedure: "/bank.v1.Bank/Pay"}
			got := outcome(condition(t, point, q).Holds(t.Context(), in))
			if got == met {
				got = strings.TrimPrefix(p.body(), `{"subject":`)
				got, _, _ = strings.Cut(got, `,"action"`)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestActions: the action is the method unless the question names one, and the context is sent
// in the order of its names.
func TestActions(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	point := newPoint(t, p)
	q := about("'1'")
	q.Context = map[string]string{"b": "rpc.service", "a": "'x'"}
	const rest = `,"context":{"a":"x","b":"bank.v1.Bank"},"resource":{"type":"account","id":"1"}}`
	for _, tt := range []struct {
		name, action string
		target       policy.Target
		procedure    string
		want         string
	}{
		{"named", "can_pay", target(nil), "/bank.v1.Bank/Pay", `"can_pay"`},
		{"of a method", "", target(nil), "/bank.v1.Bank/Pay", `"Pay"`},
		{"of a service", "", policy.Target{Service: "bank.v1.Bank"}, "/bank.v1.Bank/List", `"List"`},
		{"of a plain HTTP request", "", policy.Target{Service: "bank.v1.Bank"}, "", failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q.Action = tt.action
			c, err := point.CompileQuestion(q, tt.target)
			if err != nil {
				t.Fatal(err)
			}
			in := ada(nil)
			in.Procedure = tt.procedure
			got := outcome(c.Holds(t.Context(), in))
			if got == met {
				_, got, _ = strings.Cut(p.body(), `"action":{"name":`)
				got = strings.TrimSuffix(got, "}"+rest)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestOtherMessages: a message has to be what the question was compiled for.
func TestOtherMessages(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	c := condition(t, newPoint(t, p), about("request.line.account_id"))
	version := func(change func(request *descriptorpb.DescriptorProto)) proto.Message {
		message := dynamicpb.NewMessage(newBank(t, func(file *descriptorpb.FileDescriptorProto) {
			if change != nil {
				change(file.GetMessageType()[1])
			}
		}))
		must(unmarshalText(`line { account_id: "l" }`, message))
		return message
	}
	lineField := func(request *descriptorpb.DescriptorProto) *descriptorpb.FieldDescriptorProto {
		for _, field := range request.GetField() {
			if field.GetName() == "line" {
				return field
			}
		}
		return nil
	}
	for _, tt := range []struct {
		name    string
		message proto.Message
		want    string
	}{
		{"the same", version(nil), met},
		{"another version", version(func(r *descriptorpb.DescriptorProto) { r.Field = slices.Delete(r.GetField(), 2, 3) }), met},
		{"another number", version(func(r *descriptorpb.DescriptorProto) { lineField(r).Number = new(int32(900)) }), failed},
		{"none", nil, failed},
		{"a nil message", (*wrapperspb.StringValue)(nil), failed},
		{"another type", wrapperspb.String("x"), failed},
	} {
		if got := outcome(c.Holds(t.Context(), ada(tt.message))); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := outcome(c.Holds(t.Context(), policy.Input{})); got != failed {
		t.Errorf("no token: got %s", got)
	}
}
