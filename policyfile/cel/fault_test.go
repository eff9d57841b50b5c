package cel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"

	"github.com/drawbridge-rpc/drawbridge/policyfile/cel"
)

// Every fault names line and column in the text, both counted from one.
func TestFaults(t *testing.T) {
	t.Parallel()
	conditions := newConditions(t)
	const (
		unary    = "request is known to the rule of a unary method alone, whose message is decoded before it is judged"
		noWhole  = "a message is not compared as a whole; compare its fields, or use has()"
		tooMuch  = "is too costly: it would cost more than 100000 if each list, map and text of the call had 32 elements"
		noNull   = "nothing is equal to null; use has()"
		loses    = "a message is read by its fields, and loses its type here"
		noKey    = "the key may be a double; convert it, such as with int()"
		anyField = "the type of what a google.protobuf.Any holds is not known"
	)
	for _, tt := range []struct{ method, condition, want string }{
		{"AdjustStock", `request.delat < 100`, `is no condition: 1:9: shop.v1.AdjustStockRequest has no field "delat"; the nearest is "delta"`},
		{"AdjustStock", "true &&\n  request . \tdelat < 100", `is no condition: 2:14: shop.v1.AdjustStockRequest has no field "delat"; the nearest is "delta"`},
		{"AdjustStock", "request\n.delat < 100", `is no condition: 2:2: shop.v1.AdjustStockRequest has no field "delat"; the nearest is "delta"`},
		{"AdjustStock", "request.\ndelat < 100", `is no condition: 1:8: shop.v1.AdjustStockRequest has no field "delat"; the nearest is "delta"`},
		{"AdjustStock", `has(request.delat)`, `is no condition: 1:13: shop.v1.AdjustStockRequest has no field "delat"; the nearest is "delta"`},
		{"AdjustStock", `"ü" == "ü" && request.x == 1`, `is no condition: 1:23: shop.v1.AdjustStockRequest has no field "x"`},
		{"AdjustStock", `request.completely_else == 1`, `is no condition: 1:9: shop.v1.AdjustStockRequest has no field "completely_else"`},
		{"Store", `request.items.all(i, i.skuu == "a")`, `is no condition: 1:24: shop.v1.Item has no field "skuu"; the nearest is "sku"`},
		{"Store", `request.by_int32[1].sk == "a"`, `is no condition: 1:21: shop.v1.Item has no field "sk"; the nearest is "sku"`},
		{"Store", `request.aString == "a"`, `is no condition: 1:9: shop.v1.StoreRequest has no field "aString"; the nearest is "a_string"`},
		{"", `token.subb == "a"`, `is no condition: 1:7: the token has no field "subb"; the nearest is "sub"`},
		{"", `token.actor.subb == "a"`, `is no condition: 1:13: the actor has no field "subb"; the nearest is "sub"`},
		{"", `rpc.methd == "a"`, `is no condition: 1:5: the RPC has no field "methd"; the nearest is "method"`},
		{"", `tokn.sub == "a"`, `is no condition: 1:1: there is no "tokn"; the nearest is "token"`},
		{"", `token.iss.lowerAsci() == "a"`, `is no condition: 1:20: there is no "lowerAsci"; the nearest is "lowerAscii"`},
		{"", `token.iss.replace("a", "b") == "a"`, `is no condition: 1:18: there is no "replace"`},
		{"", `reqest.x == "a"`, `is no condition: 1:1: there is no "reqest"`},
		{"AdjustStock", `reqest.sku == "a"`, `is no condition: 1:1: there is no "reqest"; the nearest is "request"`},
		{"AdjustStock", `request.sku == 1 || request.delta == "x"`, `is no condition: 1:13: == does not take (string, int); 1:35: == does not take (int, string)`},
		{"Store", `request.a_uint32 == 1`, `is no condition: 1:18: == does not take (uint, int); a number without a sign is written like 10u`},
		{"AdjustStock", `request.delta.inner == 1`, `is no condition: 1:14: type 'int' does not support field selection`},
		{"AdjustStock", `request.delta + "x" == 1`, `is no condition: 1:15: + does not take (int, string)`},
		{"Store", `request.color == shop.v1.Color.COLOR_BLUE`, `is no condition: 1:18: there is no "shop"`},
		// The message is known to the rule of a unary method alone.
		{"", `request.delta < 100`, "is no condition: 1:1: " + unary},
		{"Watch", `request.delta < 100`, "is no condition: 1:1: " + unary},
		{"Import", `request.delta < 100`, "is no condition: 1:1: " + unary},
		{"Reconcile", `request.delta < 100`, "is no condition: 1:1: " + unary},
		// The result.
		{"", `token.sub`, "is no condition: it is of type string, not bool"},
		{"", `1`, "is no condition: it is of type int, not bool"},
		{"", `token.claims.admin`, "is no condition: the type of its result is not known; compare it, such as with == true"},
		{"", `token.claims.admin || token.claims`, "is no condition: 1:28: expected type 'bool' but found 'map(string, dyn)'"},
		{"Find", `request`, "is no condition: it is of type wrapper(string), not bool"},
		// The syntax.
		{"", ` `, "is no condition: it is empty"},
		{"", `token.sub ==`, "is no condition: 1:13: mismatched input '<EOF>' expecting expression"},
		{"", `(true`, "is no condition: 1:6: expected ')'"},
		{"", `token.sub == "a`, "is no condition: 1:14: unterminated string literal"},
		{"", strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300), "is no condition: expression recursion limit exceeded: 250"},
		{"", `true || "` + strings.Repeat("a", 8<<10) + `" == "a"`, "is no condition: it has more than 8192 characters"},
		// What a condition must not do.
		{"AdjustStock", `token.sub.matches(request.sku)`, "is no condition: 1:26: the pattern of matches has to be a literal"},
		{"AdjustStock", `matches(token.sub, "^" + request.sku)`, "is no condition: 1:24: the pattern of matches has to be a literal"},
		{"", `token.sub.matches(token.claims.pattern)`, "is no condition: 1:31: the pattern of matches has to be a literal"},
		{"", `token.sub.matches("(")`, "is no condition: 1:19: is no pattern: error parsing regexp: missing closing ): `(`"},
		{"", `token.sub.matches("(a{100}){10}")`, "is no condition: 1:19: is a pattern of 1022 steps, more than 1000"},
		{"AdjustStock", `now.getHours(request.sku) < 8`, "is no condition: 1:21: the time zone has to be a literal"},
		{"", `now.getHours("Europe/Atlantis") < 8`, "is no condition: 1:14: there is no such time zone"},
		{"Store", `request.item == request.item`, "is no condition: 1:14: " + noWhole},
		{"Store", `request.item != null`, "is no condition: 1:14: " + noWhole + "; 1:17: " + noNull},
		{"Store", `request.item in request.items`, "is no condition: 1:14: " + noWhole},
		{"Store", `request.items == []`, "is no condition: 1:15: " + noWhole},
		{"Store", `request.by_int32 == {}`, "is no condition: 1:18: " + noWhole},
		{"Store", `[[request.item]] == [[request.item]]`, "is no condition: 1:18: " + noWhole},
		{"Store", `{"a": [request.item]} == {"a": request.items}`, "is no condition: 1:23: " + noWhole},
		{"Store", `[request.item] in [[request.item]]`, "is no condition: 1:16: " + noWhole},
		{"Store", `sets.contains(request.items, request.items)`, "is no condition: 1:14: " + noWhole},
		{"Store", `sets.intersects([[request.item]], [])`, "is no condition: 1:16: " + noWhole},
		{"Store", `sets.equivalent([], request.items)`, "is no condition: 1:16: " + noWhole},
		{"Store", `dyn(request).any.type_url == "x"`, "is no condition: 1:4: " + loses},
		{"Store", `dyn([request]).size() == 1`, "is no condition: 1:4: " + loses},
		{"Store", `[request.item, 1].size() == 1`, "is no condition: 1:1: " + loses},
		{"Store", `{"a": request.item, "b": 1}.a == 1`, "is no condition: 1:1: " + loses},
		{"Store", `(request.a_bool ? request.item : dyn(1)) == 1`, "is no condition: 1:17: " + loses},
		{"Store", `([request.item] + [dyn(1)])[0] == 1`, "is no condition: 1:17: " + loses},
		{"", `token.claims.tenant == null`, "is no condition: 1:24: " + noNull},
		{"", `[null].size() == 1`, "is no condition: 1:2: " + noNull},
		{"", `{9007199254740992: "a"}[token.claims.level] == "a"`, "is no condition: 1:37: " + noKey},
		{"", `{1: "a"}[1.5] == "a"`, "is no condition: 1:9: _[_] does not take (map(int, string), double)"},
		{"", `double(9007199254740993) == 1.0`, "is no condition: a double from 2^53 on stands beside an integer, which it may be rounded from"},
		{"", `now.getHours("+24:00") < 8`, "is no condition: 1:14: there is no such time zone"},
		{"Store", `request.any == 1`, "is no condition: 1:8: " + anyField},
		{"Store", `request.anys == [1]`, "is no condition: 1:8: " + anyField},
		{"Store", `request.anys.size() == 1`, "is no condition: 1:8: " + anyField},
		{"Store", `request.any.sku == 1`, "is no condition: 1:8: " + anyField},
		{"Store", `request.anys.all(a, a == 1)`, "is no condition: 1:8: " + anyField + "; 1:21: " + anyField},
		{"Store", `request.item.sku == shop.v1.Item{sku: "a"}.sku`, "is no condition: 1:33: a condition makes no messages"},
		{"", `dyn(token) == 1`, "is no condition: 1:4: " + loses + "; 1:5: token is no value; read one of its fields"},
		{"", `[rpc].size() == 1`, "is no condition: 1:2: rpc is no value; read one of its fields"},
		{"", `[1].all(token, token > 0)`, "is no condition: 1:8: token is the name of a variable already; 1:16: token is no value; read one of its fields"},
		{"", `[1].all(now, now > 0)`, "is no condition: 1:8: now is the name of a variable already"},
		{"AdjustStock", `[1].all(request, request > 0)`, "is no condition: 1:8: request is the name of a variable already"},
		{"", `timestamp("yesterday") < now`, `is no condition: invalid RFC 3339 timestamp "yesterday"`},
		// What would cost too much.
		{"", loops("token.scopes", 4), tooMuch},
		{"Store", loops("request.names", 4), tooMuch},
		{"", loops("token.claims.roles", 4), tooMuch},
		{"", loops("["+strings.Repeat("1,", 50)+"1]", 3), tooMuch},
		{"Store", `sets.contains(request.names.map(a, request.names.map(b, b))[0], request.names)` + strings.Repeat(" && sets.contains(request.names, request.names)", 100), tooMuch},
		{"", many("token.x == 1", 7), strings.Repeat(`; #: the token has no field "x"`, 5) + "; and 2 more"},
	} {
		t.Run(fmt.Sprintf("%s/%.60s", tt.method, tt.condition), func(t *testing.T) {
			t.Parallel()
			_, err := compile(conditions, tt.method, tt.condition)
			var reasons []string
			for f := range fault.All(err) {
				if f.Value != tt.condition {
					t.Errorf("value %q", f.Value)
				}
				reasons = append(reasons, f.Reason)
			}
			if got := strings.Join(reasons, "\n"); got != tt.want && !isLike(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// isLike compares without the places, for which want has a #.
func isLike(got, want string) bool {
	if !strings.Contains(want, "#") {
		return false
	}
	for i := range strings.Count(want, "#") {
		want = strings.Replace(want, "#", fmt.Sprintf("1:%d", 7+i*len("token.x == 1 || ")), 1)
	}
	return got == "is no condition: "+strings.TrimPrefix(want, "; ")
}

// loops goes through a list at several depths.
func loops(list string, depth int) string {
	text := "a0 == a0"
	for i := range depth {
		text = fmt.Sprintf("%s.all(a%d, %s)", list, i, text)
	}
	return strings.ReplaceAll(text, "a0 == a0", fmt.Sprintf("a0 == a%d", depth-1))
}

func many(term string, count int) string {
	return strings.TrimSuffix(strings.Repeat(term+" || ", count), " || ")
}

// A condition without a compiler is a fault of the policy; see package policy.
func TestPlace(t *testing.T) {
	t.Parallel()
	_, err := policy.Compiler{Descriptors: shop, Conditions: newConditions(t)}.Compile(policy.Policy{
		Services: map[string]policy.Service{service: {Methods: map[string]policy.Rule{
			"AdjustStock": {Condition: "request.delat < 1", Source: "policy.yaml:12"},
			"Store":       {Condition: "request.delta < 1", Source: "policy.yaml:13"},
		}}},
	})
	const want = `policy.yaml:12: policy: Services["shop.v1.ShopService"].Methods["AdjustStock"].Condition: "request.delat < 1" ` +
		`is no condition: 1:9: shop.v1.AdjustStockRequest has no field "delat"; the nearest is "delta"
policy.yaml:13: policy: Services["shop.v1.ShopService"].Methods["Store"].Condition: "request.delta < 1" ` +
		`is no condition: 1:9: shop.v1.StoreRequest has no field "delta"`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := cel.New(cel.Config{MaxCost: 10_000_001})
	if err == nil || err.Error() != `cel: MaxCost: "10000001" is more than 10000000` {
		t.Errorf("got %v", err)
	}
	conditions, err := cel.New(cel.Config{MaxCost: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compile(conditions, "", many(`"a" in token.scopes`, 20)); err == nil || !strings.Contains(err.Error(), "more than 10 if") {
		t.Errorf("got %v", err)
	}
}
