package authzen_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestQuestionFaults has a question for each fault.
func TestQuestionFaults(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	point := newPoint(t, p)
	of := func(change func(q *policy.Question)) policy.Question {
		q := about("request.account_id")
		change(&q)
		return q
	}
	property := func(path string) policy.Question {
		return of(func(q *policy.Question) { q.Context = map[string]string{"p": path} })
	}
	for _, tt := range []struct {
		name     string
		question policy.Question
		want     string
	}{
		{"a misspelled field", about("request.acount_id"), `Resource.ID "request.acount_id": bank.v1.PayRequest has no field "acount_id"; write account_id`},
		{"a JSON name", about("request.accountId"), `Resource.ID "request.accountId": bank.v1.PayRequest has no field "accountId"; write account_id`},
		{"a misspelled field inside", about("request.line.acount"), `Resource.ID "request.line.acount": bank.v1.Line has no field "acount"; write amount`},
		{"an unknown field", about("request.zzzzzzzzzzzz"), `Resource.ID "request.zzzzzzzzzzzz": bank.v1.PayRequest has no field "zzzzzzzzzzzz"; there are account_id, note, flag, i32, i64, u32, u64, s64, …`},
		{"a very long name", about("request." + strings.Repeat("z", 100)), `Resource.ID "request.` + strings.Repeat("z", 100) + `": bank.v1.PayRequest has no field`},
		{"a field of a text", about("request.account_id.x"), `Resource.ID "request.account_id.x" has "x" behind a field that is no message`},
		{"a field of a map", property("request.labels.x"), `Context["p"] "request.labels.x" has "x" behind a field that is no message`},
		{"the message", about("request"), `Resource.ID "request" is the whole message; name a field of it`},
		{"the token", about("token"), `Resource.ID "token" is not a fact of the call; `},
		{"the claims", about("token.claims"), `Resource.ID "token.claims" names no claim; write token.claims.tenant or the like`},
		{"a misspelled fact", about("token.sbu"), `Resource.ID "token.sbu" is not a fact of the call; write token.`},
		{"a misspelled fact of the RPC", about("rpc.metod"), `Resource.ID "rpc.metod" is not a fact of the call; write rpc.method`},
		{"a field without request", about("account_id"), `Resource.ID "account_id" begins neither with token, rpc or request, nor with a single quote; write request.account_id`},
		{"another root", about("caller.sub"), `Resource.ID "caller.sub" begins neither with token, rpc or request, nor with a single quote`},
		{"no path", about("a b"), `Resource.ID "a b" is neither a path such as request.account_id nor a text in single quotes`},
		{"an open quote", about("'a"), `Resource.ID "'a" is neither a path`},
		{"a quote inside", about("'a'b'"), `Resource.ID "'a'b'" is neither a path`},
		{"a text that is not UTF-8", about("'\xff'"), `Resource.ID "'\xff'" is neither a path`},
		{"an open bracket", about("token.claims['a"), `Resource.ID "token.claims['a" is neither a path`},
		{"an empty bracket", about("token.claims['']"), `Resource.ID "token.claims['']" is neither a path`},
		{"a bracket first", about("['token'].sub"), `Resource.ID "['token'].sub" is neither a path`},
		{"two dots", about("token..sub"), `Resource.ID "token..sub" is neither a path`},
		{"a dot at the end", about("token.sub."), `Resource.ID "token.sub." is neither a path`},
		{"an empty text", about("''"), `Resource.ID "''" is empty`},
		{"no ID", about(""), `Resource.ID is required`},
		{"no value", property(""), `Context["p"] is required`},
		{"a bool as ID", about("request.flag"), `Resource.ID "request.flag" is of a type that is no ID: text, bytes, an integer and an enum are`},
		{"a float as ID", about("request.f32"), `Resource.ID "request.f32" is of a type that is no ID`},
		{"a message as ID", about("request.line"), `Resource.ID "request.line" is of a type that is no ID`},
		{"messages as ID", about("request.lines"), `Resource.ID "request.lines" is of a type that is no ID`},
		{"a map as ID", about("request.labels"), `Resource.ID "request.labels" is of a type that is no ID`},
		{"null as ID", about("request.nothing"), `Resource.ID "request.nothing" is of a type that is no ID`},
		{"scopes as ID", about("token.scopes"), `Resource.ID "token.scopes" is not a single text`},
		{"a time as ID", about("token.iat"), `Resource.ID "token.iat" is not a single text`},
		{"repeated twice", about("request.lines.tags"), `Resource.ID "request.lines.tags" is repeated twice`},
		{"a property of repeated messages", property("request.lines.account_id"), `Context["p"] "request.lines.account_id" goes through a repeated field, which only the ID of the resource may`},
		{
			"a repeated subject", of(func(q *policy.Question) { q.Subject = policy.Entity{Type: "user", ID: "request.ids"} }),
			`Subject.ID "request.ids" is repeated, which only the ID of the resource may be`,
		},
		{
			"a subject without a type", of(func(q *policy.Question) { q.Subject = policy.Entity{ID: "token.sub"} }),
			`Subject.Type is required`,
		},
		{"a type in quotes", of(func(q *policy.Question) { q.Resource.Type = "'account'" }), `Resource.Type "'account'" is a plain text, which has no quotes`},
		{"an action that is not UTF-8", of(func(q *policy.Question) { q.Action = "\xff" }), `Action "\xff" has a character that does not belong into a name`},
		{"an action with a line break", of(func(q *policy.Question) { q.Action = "a\nb" }), `Action "a\nb" has a character that does not belong into a name`},
		{
			"a property without a name", of(func(q *policy.Question) { q.Resource.Properties = map[string]string{"": "'x'"} }),
			`Resource.Properties[""] is required`,
		},
		{
			"several", of(func(q *policy.Question) {
				q.Resource.Type, q.Resource.ID = "", "x"
				q.Subject.Properties = map[string]string{"b": "y", "a": "z"}
			}),
			`Subject.Properties["a"] "z" begins neither with token, rpc or request, nor with a single quote; ` +
				`Subject.Properties["b"] "y" begins neither with token, rpc or request, nor with a single quote; ` +
				`Resource.Type is required; Resource.ID "x" begins neither with token, rpc or request, nor with a single quote`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			compiled, err := point.CompileQuestion(tt.question, target(bank(t)))
			if err == nil || compiled != nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, %v,\nwant %s", compiled, err, tt.want)
			}
		})
	}
	_, err := point.CompileQuestion(about("request.account_id"), target(nil))
	if err == nil || err.Error() != `Resource.ID "request.account_id" is read from the message, which is known to the rule of a unary method with a descriptor alone` {
		t.Errorf("without a descriptor: got %v", err)
	}
	if n := p.requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestPlaces: a fault of a question names its rule.
func TestPlaces(t *testing.T) {
	t.Parallel()
	point := newPoint(t, newPDP(t))
	q := about("request.valu")
	_, err := policy.Compiler{Questions: point}.Compile(policy.Policy{Services: map[string]policy.Service{
		rpctest.GuardedService: {Methods: map[string]policy.Rule{
			rpctest.Unary:  {Question: &q, Source: "policy.yaml:12"},
			rpctest.Server: {Question: &q, Source: "policy.yaml:20"},
		}},
	}})
	var got []string
	for f := range fault.All(err) {
		got = append(got, f.Error())
	}
	want := []string{
		`policy.yaml:20: policy: Services["drawbridge.test.v1.GuardedService"].Methods["Server"].Question: ` +
			`Resource.ID "request.valu" is read from the message, which is known to the rule of a unary method with a descriptor alone`,
		`policy.yaml:12: policy: Services["drawbridge.test.v1.GuardedService"].Methods["Unary"].Question: ` +
			`Resource.ID "request.valu": google.protobuf.StringValue has no field "valu"; write value`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCacheForIsBounded: whatever a question says, an answer is used for a minute at most.
func TestCacheForIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cacheFor, later time.Duration
		want            int64
	}{
		{time.Hour, time.Minute, 2},
		{time.Hour, time.Minute - 1, 1},
		{-time.Hour, 0, 2},
	} {
		p, now := newPDP(t), newClock()
		point, err := newPointAt(p, now)
		if err != nil {
			t.Fatal(err)
		}
		q := about("'1'")
		q.CacheFor = tt.cacheFor
		c := condition(t, point, q)
		for range 2 {
			if got := outcome(c.Holds(t.Context(), ada(nil))); got != met {
				t.Errorf("got %s", got)
			}
			now.Move(tt.later)
		}
		if n := p.asked.Load(); n != tt.want {
			t.Errorf("%v: asked %d times, want %d", tt, n, tt.want)
		}
	}
}
