package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestCompileFaults has one policy for each fault, and what is said of it.
func TestCompileFaults(t *testing.T) {
	t.Parallel()
	scopes := func(scopes ...string) policy.Rule { return policy.Rule{Scopes: scopes} }
	service := func(name string, s policy.Service) policy.Policy {
		return policy.Policy{Services: map[string]policy.Service{name: s}}
	}
	implies := func(scope string, implied ...string) policy.Policy {
		return policy.Policy{Implies: map[string][]string{scope: implied}}
	}
	const inA = `policy: Services["a.v1.A"]`
	for _, tt := range []struct {
		name   string
		policy policy.Policy
		want   string
	}{
		{"service name is empty", service("", policy.Service{Rule: scopes("a")}), `policy: Services[""]: "" is not a protobuf service name`},
		{"service name with a slash", service("/a.v1.A", policy.Service{Rule: scopes("a")}), `policy: Services["/a.v1.A"]: "/a.v1.A" is not a protobuf service name`},
		{"service name would end a header", service("a\r\nb", policy.Service{Rule: scopes("a")}), `policy: Services["a\r\nb"]: "a\r\nb" is not a protobuf service name`},
		{"service without rules", service("a.v1.A", policy.Service{Undescribed: true}), inA + ": has neither a rule nor methods"},
		{"service nobody knows", service("a.v1.A", policy.Service{Rule: scopes("a")}), inA + `: no service "a.v1.A" is linked into this program`},
		{"service in the wrong case", service(strings.ToLower(rpctest.GuardedService), policy.Service{Rule: scopes("a")}), `policy: Services["drawbridge.test.v1.guardedservice"]: no service`},
		{"message for a service", service("google.protobuf.StringValue", policy.Service{Rule: scopes("a")}), `policy: Services["google.protobuf.StringValue"]: "google.protobuf.StringValue" is a protobuf`},
		{"message for a service that is undescribed", service("google.protobuf.StringValue", policy.Service{Rule: scopes("a"), Undescribed: true}), `policy: Services["google.protobuf.StringValue"]: "google.protobuf.StringValue" is a protobuf`},
		{"method for a service", service(rpctest.GuardedService+".Unary", policy.Service{Rule: scopes("a")}), `policy: Services["drawbridge.test.v1.GuardedService.Unary"]: "drawbridge.test.v1.GuardedService.Unary" is a protobuf`},
		{"method nobody knows", service(rpctest.GuardedService, policy.Service{Methods: map[string]policy.Rule{"Nary": scopes("a")}}), `policy: Services["drawbridge.test.v1.GuardedService"].Methods["Nary"]: service drawbridge.test.v1.GuardedService has no method "Nary"`},
		{"method nobody knows, though undescribed", service(rpctest.GuardedService, policy.Service{Undescribed: true, Methods: map[string]policy.Rule{"Nary": scopes("a")}}), `policy: Services["drawbridge.test.v1.GuardedService"].Methods["Nary"]: service`},
		{"method in the wrong case", service(rpctest.GuardedService, policy.Service{Methods: map[string]policy.Rule{"unary": scopes("a")}}), `policy: Services["drawbridge.test.v1.GuardedService"].Methods["unary"]: service`},
		{"method by its procedure", rules(policy.Rule{}, map[string]policy.Rule{"/a.v1.A/Get": scopes("a")}), inA + `.Methods["/a.v1.A/Get"]: "/a.v1.A/Get" is not the plain name of a method`},
		{"method by its full name", rules(policy.Rule{}, map[string]policy.Rule{"a.v1.A.Get": scopes("a")}), inA + `.Methods["a.v1.A.Get"]: "a.v1.A.Get" is not the plain name`},
		{"method is empty", rules(policy.Rule{}, map[string]policy.Rule{"": scopes("a")}), inA + `.Methods[""]: "" is not the plain name`},
		{"public and authenticated", rules(policy.Rule{Public: true, Authenticated: true}, nil), inA + ".Rule: is public and asks for a token at once"},
		{"public with scopes", rules(policy.Rule{Public: true, Scopes: []string{"a"}}, nil), inA + ".Rule: is public and asks for a token at once"},
		{"public with any scopes", rules(policy.Rule{}, map[string]policy.Rule{"Get": {Public: true, AnyScopes: []string{"a"}}}), inA + `.Methods["Get"]: is public and asks for a token at once`},
		{"authenticated with scopes", rules(policy.Rule{Authenticated: true, Scopes: []string{"a"}}, nil), inA + ".Rule: sets Authenticated beside scopes"},
		{"scope is empty", rules(scopes(""), nil), inA + `.Rule.Scopes: "" is not a scope`},
		{"R6750-3.c scope with a space", rules(scopes("a b"), nil), inA + `.Rule.Scopes: "a b" is not a scope`},
		{"R6750-3.c scope with a quote", rules(scopes(`a"b`), nil), inA + `.Rule.Scopes: "a\"b" is not a scope`},
		{"R6750-3.c scope with a backslash", rules(scopes(`a\b`), nil), inA + `.Rule.Scopes: "a\\b" is not a scope`},
		{"R6750-3.c scope with a line break", rules(policy.Rule{AnyScopes: []string{"a\n"}}, nil), inA + `.Rule.AnyScopes: "a\n" is not a scope`},
		{"R6750-3.c scope beyond ASCII", rules(scopes("é"), nil), inA + `.Rule.Scopes: "é" is not a scope`},
		{"scope twice", rules(scopes("a", "b", "a"), nil), inA + `.Rule.Scopes: names "a" twice`},
		{"MCP-6 offline_access", rules(scopes("offline_access"), nil), inA + `.Rule.Scopes: "offline_access" asks for a refresh token`},
		{"MCP-6 offline_access as an alternative", rules(policy.Rule{AnyScopes: []string{"a", "offline_access"}}, nil), inA + `.Rule.AnyScopes: "offline_access" asks for a refresh token`},
		{"MCP-6 offline_access implied", implies("a", "offline_access"), `policy: Implies["a"]: "offline_access" asks for a refresh token`},
		{"MCP-6 offline_access implies", implies("offline_access", "a"), `policy: Implies["offline_access"]: "offline_access" asks for a refresh token`},
		{"implies nothing", implies("a"), `policy: Implies["a"]: implies nothing`},
		{"implies what is not a scope", implies("a", "b c"), `policy: Implies["a"]: "b c" is not a scope`},
		{"implies one twice", implies("a", "b", "b"), `policy: Implies["a"]: names "b" twice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := faultsOf(t, tt.policy)
			if len(got) != 1 || !strings.HasPrefix(got[0], tt.want) {
				t.Errorf("got %q, want one fault: %q", got, tt.want)
			}
		})
	}
}

// many is a policy with every kind of fault at once.
func many() policy.Policy {
	return policy.Policy{
		Services: map[string]policy.Service{
			"b.v1.B":  {Rule: policy.Rule{Public: true, Authenticated: true, Scopes: []string{"a b", "offline_access", "c", "c"}}},
			"a.v1.A":  {},
			"not one": {Rule: policy.Rule{Public: true}},
			rpctest.GuardedService: {Methods: map[string]policy.Rule{
				"Zero": {Public: true}, "No": {Public: true}, "n o": {Public: true}, rpctest.Unary: {Public: true},
			}},
			"google.protobuf.StringValue": {Rule: policy.Rule{Public: true}},
		},
		Implies: map[string][]string{"x": {"y"}, "y": {"x"}, "b": {}},
	}
}

// TestCompileReportsEverything: nobody repairs a policy one error at a time,
// and nobody wants another order each time.
func TestCompileReportsEverything(t *testing.T) {
	t.Parallel()
	want := []string{
		`Implies["b"]: implies nothing`,
		`Implies: scopes imply each other in a circle: x → y → x`,
		`Services["a.v1.A"]: has neither`,
		`Services["a.v1.A"]: no service`,
		`Services["b.v1.B"]: no service`,
		`Services["b.v1.B"].Rule: is public`,
		`Services["b.v1.B"].Rule: sets Authenticated`,
		`Services["b.v1.B"].Rule.Scopes: "a b" is not a scope`,
		`Services["b.v1.B"].Rule.Scopes: "offline_access" asks`,
		`Services["b.v1.B"].Rule.Scopes: names "c" twice`,
		`Services["drawbridge.test.v1.GuardedService"].Methods["No"]: service`,
		`Services["drawbridge.test.v1.GuardedService"].Methods["Zero"]: service`,
		`Services["drawbridge.test.v1.GuardedService"].Methods["n o"]: "n o" is not`,
		`Services["google.protobuf.StringValue"]: "google.protobuf.StringValue" is a`,
		`Services["not one"]: "not one" is not`,
	}
	first := faultsOf(t, many())
	matches := slices.EqualFunc(first, want, func(got, want string) bool { return strings.HasPrefix(got, "policy: "+want) })
	if !matches {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(first, "\n"), strings.Join(want, "\n"))
	}
	for range 20 {
		if again := faultsOf(t, many()); !slices.Equal(again, first) {
			t.Fatalf("another order:\n%s", strings.Join(again, "\n"))
		}
	}
}

func TestErrorAs(t *testing.T) {
	t.Parallel()
	_, err := policy.Compile(many())
	var first *policy.Error
	if !errors.As(err, &first) {
		t.Fatalf("%T holds no *policy.Error", err)
	}
	if first.Where != `Implies["b"]` || first.Reason != "implies nothing" {
		t.Errorf("got %+v", first)
	}
	if want := `policy: Implies["b"]: implies nothing`; first.Error() != want {
		t.Errorf("got %q, want %q", first.Error(), want)
	}
}

// TestDescribed: services with descriptors need no option, and an option that
// is not needed does no harm.
func TestDescribed(t *testing.T) {
	t.Parallel()
	for _, undescribed := range []bool{false, true} {
		table := compile(t, policy.Policy{Services: map[string]policy.Service{
			rpctest.GuardedService: {Undescribed: undescribed, Methods: map[string]policy.Rule{rpctest.Bidi: {Authenticated: true}}},
		}})
		if table.Lookup(rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi)) == nil {
			t.Errorf("Undescribed %t: no rule", undescribed)
		}
	}
}
