package authzen_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
)

// TestLists: every element has to be allowed, in one request (AuthZEN §7).
func TestLists(t *testing.T) {
	t.Parallel()
	q := about("request.ids")
	q.Resource.Properties = map[string]string{"tenant": "'n'"}
	q.Context = map[string]string{"note": "request.note"}
	lines, numbers := about("request.lines.account_id"), about("request.numbers")
	below := about("request.line.tags")
	for _, tt := range []struct {
		name     string
		question policy.Question
		message  string
		want     string
		asked    int64
	}{
		{"one", q, `ids: "a"`, met, 1},
		{"three", q, `ids: "a" ids: "b" ids: "c"`, met, 3},
		{"the same twice", q, `ids: "a" ids: "a"`, met, 2},
		{"the last is denied", q, `ids: "a" ids: "no"`, notMet, 2},
		{"the first is denied", q, `ids: "no" ids: "a" ids: "b"`, notMet, 1},
		{"AuthZEN §7.1 none", q, ``, failed, 0},
		{"an empty element", q, `ids: "a" ids: ""`, failed, 0},
		{"fifty", q, strings.Repeat(`ids: "a" `, 50), met, 50},
		{"more than fifty", q, strings.Repeat(`ids: "a" `, 51), failed, 0},
		{"repeated messages", lines, `lines { account_id: "a" } lines { account_id: "b" }`, met, 2},
		{"repeated messages, one denied", lines, `lines { account_id: "a" } lines { account_id: "no" }`, notMet, 2},
		{"repeated messages, one without", lines, `lines { account_id: "a" } lines { }`, failed, 0},
		{"no repeated messages", lines, `ids: "a"`, failed, 0},
		{"numbers", numbers, `numbers: 0 numbers: 1`, met, 2},
		{"in a message", below, `line { tags: "a" }`, met, 1},
		{"in a message that is not set", below, ``, failed, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPDP(t)
			p.decide = func(q question) bool { return q.Resource.ID != "no" }
			got := outcome(condition(t, newPoint(t, p), tt.question).Holds(t.Context(), ada(pay(t, tt.message))))
			if got != tt.want || p.asked.Load() != tt.asked || p.requests.Load() > 1 {
				t.Errorf("got %s, and %d questions in %d requests, want %s and %d", got, p.asked.Load(), p.requests.Load(), tt.want, tt.asked)
			}
			if tt.name == "three" {
				const resource = `{"resource":{"type":"account","id":"%s","properties":{"tenant":"n"}}}`
				want := `{"subject":{"type":"user","id":"ada"},"action":{"name":"Pay"},"context":{},"evaluations":[` + fmt.Sprintf(resource, "a") + "," +
					fmt.Sprintf(resource, "b") + "," + fmt.Sprintf(resource, "c") + `],"options":{"evaluations_semantic":"deny_on_first_deny"}}`
				if p.body() != want {
					t.Errorf("got %s\nwant %s", p.body(), want)
				}
			}
		})
	}
}

// TestListAnswers: an answer about three elements.
func TestListAnswers(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	c := condition(t, newPoint(t, p), about("request.ids"))
	in := ada(pay(t, `ids: "a" ids: "b" ids: "c"`))
	const yes, no = `{"decision":true}`, `{"decision":false,"context":{"reason":"x"}}`
	of := func(decisions ...string) string { return `{"evaluations":[` + strings.Join(decisions, ",") + `]}` }
	for _, tt := range []struct{ name, body, want string }{
		{"all", of(yes, yes, yes), met},
		{"the last denied", of(yes, yes, no), notMet},
		{"all asked nevertheless", of(no, yes, no), notMet},
		{"ends with the denial", of(yes, no), notMet},
		{"AuthZEN §7.2 a decision beside them", `{"decision":false,"evaluations":[` + yes + `,` + yes + `,` + yes + `]}`, met},
		{"too few", of(yes, yes), unavailable},
		{"too many", of(yes, yes, yes, yes), unavailable},
		{"too many with a denial", of(yes, yes, yes, no), unavailable},
		{"none", of(), unavailable},
		{"one that is none", of(yes, yes, `{}`), unavailable},
		{"a denial, then one that is none", of(no, `{}`), unavailable},
		{"a bare boolean", of(yes, yes, `true`), unavailable},
		{"null", of(yes, yes, `null`), unavailable},
		{"a text", of(yes, yes, `{"decision":"true"}`), unavailable},
		{"twice", of(yes, yes, `{"decision":false,"decision":true}`), unavailable},
		{"an array inside", of(yes, yes, `[`+yes+`]`), unavailable},
		{"an object", `{"evaluations":{"0":` + yes + `,"1":` + yes + `,"2":` + yes + `}}`, unavailable},
		{"null in place of the list", `{"evaluations":null}`, unavailable},
		{"a text in place of the list", `{"evaluations":"[]"}`, unavailable},
		{"one decision", yes, unavailable},
		{"another case", `{"Evaluations":[` + yes + `,` + yes + `,` + yes + `]}`, unavailable},
		{"two lists", `{"evaluations":[` + no + `],"evaluations":[` + yes + `,` + yes + `,` + yes + `]}`, unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.answer(saysJSON(tt.body))
			if got := outcome(c.Holds(t.Context(), in)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestLongQuestions: the length of a question is bounded.
func TestLongQuestions(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	point := newPoint(t, p, func(c *authzen.Config) { c.MaxElements = 1000 })
	long := strings.Repeat("x", 1<<16)
	half := strings.Repeat("x", 1<<10)
	for name, tt := range map[string]struct {
		question policy.Question
		message  string
	}{
		"an ID":   {about("request.account_id"), `account_id: "` + long + `"`},
		"a list":  {about("request.ids"), strings.Repeat(`ids: "`+half+`" `, 100)},
		"a claim": {about("token.claims.t"), ``},
	} {
		in := ada(pay(t, tt.message))
		in.Info.Claims = map[string]any{"t": long}
		if _, err := condition(t, point, tt.question).Holds(t.Context(), in); outcome(false, err) != failed || len(err.Error()) > 300 {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if p.requests.Load() != 0 {
		t.Errorf("%d requests were sent", p.requests.Load())
	}
	if got := outcome(condition(t, point, about("request.ids")).Holds(t.Context(), ada(pay(t, strings.Repeat(`ids: "x" `, 1000))))); got != met {
		t.Errorf("a thousand elements: got %s", got)
	}
}
