package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestCompileFaults has a policy for each fault.
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
		{"service name is empty", service("", policy.Service{Rule: scopes("a")}), `policy: Services[""]: is not a protobuf service name`},
		{"service name with a slash", service("/a.v1.A", policy.Service{Rule: scopes("a")}), `policy: Services["/a.v1.A"]: "/a.v1.A" is not a protobuf service name`},
		{"service name would end a header", service("a\r\nb", policy.Service{Rule: scopes("a")}), `policy: Services["a\r\nb"]: "a\r\nb" is not a protobuf service name`},
		{"service without rules", service("a.v1.A", policy.Service{NoDescriptor: true}), inA + ": has neither a rule nor methods; remove it to deny every call"},
		{"service without a descriptor", service("a.v1.A", policy.Service{Rule: scopes("a")}), inA + `: "a.v1.A" is not the name of a service whose descriptor is linked into this program; import its generated package, or set NoDescriptor`},
		{
			"health of connectrpc.com/grpchealth", service("grpc.health.v1.Health", policy.Service{Rule: policy.Rule{Public: true}}),
			`policy: Services["grpc.health.v1.Health"]: "grpc.health.v1.Health" is not the name of a service whose descriptor is linked into this program; ` +
				"import its generated package, or set NoDescriptor if the program has none, as of a plain HTTP handler, " +
				"a service that is served elsewhere, or the handlers of connectrpc.com/grpchealth and connectrpc.com/grpcreflect",
		},
		{"service in the wrong case", service(strings.ToLower(described), policy.Service{Rule: scopes("a")}), `policy: Services["policy.test.v1.described"]: "policy.test.v1.described" is not the name of a service`},
		{"message for a service", service("google.protobuf.StringValue", policy.Service{Rule: scopes("a")}), `policy: Services["google.protobuf.StringValue"]: "google.protobuf.StringValue" is a protobuf`},
		{"message for a service with NoDescriptor", service("google.protobuf.StringValue", policy.Service{Rule: scopes("a"), NoDescriptor: true}), `policy: Services["google.protobuf.StringValue"]: "google.protobuf.StringValue" is a protobuf`},
		{"method for a service", service(described+".Get", policy.Service{Rule: scopes("a")}), `policy: Services["policy.test.v1.Described.Get"]: "policy.test.v1.Described.Get" is a protobuf`},
		{"method that does not exist", service(described, policy.Service{Methods: map[string]policy.Rule{"Nary": scopes("a")}}), `policy: Services["policy.test.v1.Described"].Methods["Nary"]: "Nary" is not a method of service policy.test.v1.Described`},
		{"method that does not exist, with NoDescriptor", service(described, policy.Service{NoDescriptor: true, Methods: map[string]policy.Rule{"Nary": scopes("a")}}), `policy: Services["policy.test.v1.Described"].Methods["Nary"]: "Nary" is not a method`},
		{"method in the wrong case", service(described, policy.Service{Methods: map[string]policy.Rule{"get": scopes("a")}}), `policy: Services["policy.test.v1.Described"].Methods["get"]: "get" is not a method`},
		{"method by its procedure", rules(policy.Rule{}, map[string]policy.Rule{"/a.v1.A/Get": scopes("a")}), inA + `.Methods["/a.v1.A/Get"]: "/a.v1.A/Get" is not the plain name of a method`},
		{"method by its full name", rules(policy.Rule{}, map[string]policy.Rule{"a.v1.A.Get": scopes("a")}), inA + `.Methods["a.v1.A.Get"]: "a.v1.A.Get" is not the plain name`},
		{"method is empty", rules(policy.Rule{}, map[string]policy.Rule{"": scopes("a")}), inA + `.Methods[""]: is not the plain name`},
		{"public and authenticated", rules(policy.Rule{Public: true, Authenticated: true}, nil), inA + ".Rule: is public and requires a token"},
		{"public with scopes", rules(policy.Rule{Public: true, Scopes: []string{"a"}}, nil), inA + ".Rule: is public and requires a token"},
		{"public with any scopes", rules(policy.Rule{}, map[string]policy.Rule{"Get": {Public: true, AnyScopes: []string{"a"}}}), inA + `.Methods["Get"]: is public and requires a token`},
		{"authenticated with scopes", rules(policy.Rule{Authenticated: true, Scopes: []string{"a"}}, nil), inA + ".Rule: sets both Authenticated and scopes"},
		{"scope is empty", rules(scopes(""), nil), inA + `.Rule.Scopes: contains an empty scope`},
		{"R6750-3.c scope with a space", rules(scopes("a b"), nil), inA + `.Rule.Scopes: "a b" is not a scope`},
		{"R6750-3.c scope with a quote", rules(scopes(`a"b`), nil), inA + `.Rule.Scopes: "a\"b" is not a scope`},
		{"R6750-3.c scope with a backslash", rules(scopes(`a\b`), nil), inA + `.Rule.Scopes: "a\\b" is not a scope`},
		{"R6750-3.c scope with a line break", rules(policy.Rule{AnyScopes: []string{"a\n"}}, nil), inA + `.Rule.AnyScopes: "a\n" is not a scope`},
		{"R6750-3.c scope beyond ASCII", rules(scopes("é"), nil), inA + `.Rule.Scopes: "é" is not a scope`},
		{"scope twice", rules(scopes("a", "b", "a"), nil), inA + `.Rule.Scopes: "a" is listed twice`},
		{"MCP-6 offline_access", rules(scopes("offline_access"), nil), inA + `.Rule.Scopes: "offline_access" asks for a refresh token`},
		{"MCP-6 offline_access as an alternative", rules(policy.Rule{AnyScopes: []string{"a", "offline_access"}}, nil), inA + `.Rule.AnyScopes: "offline_access" asks for a refresh token`},
		{"MCP-6 offline_access implied", implies("a", "offline_access"), `policy: Implies["a"]: "offline_access" asks for a refresh token`},
		{"MCP-6 offline_access implies", implies("offline_access", "a"), `policy: Implies["offline_access"]: "offline_access" asks for a refresh token`},
		{"denied and public", rules(policy.Rule{Denied: true, Public: true}, nil), inA + ".Rule: is denied and allows callers"},
		{"denied with scopes", rules(policy.Rule{Denied: true, Scopes: []string{"a"}}, nil), inA + ".Rule: is denied and allows callers"},
		{"public with a claim", rules(policy.Rule{Public: true, Claims: []policy.ClaimCondition{{Path: []string{"a"}, AnyOf: []string{"b"}}}}, nil), inA + ".Rule: is public and requires a token"},
		{"claim without a name", rules(policy.Rule{Claims: []policy.ClaimCondition{{AnyOf: []string{"b"}}}}, nil), inA + ".Rule.Claims[0].Path: is required"},
		{"claim with an empty name", rules(policy.Rule{Claims: []policy.ClaimCondition{{Path: []string{"a", ""}, AnyOf: []string{"b"}}}}, nil), inA + ".Rule.Claims[0].Path: contains an empty name"},
		{"claim without values", rules(policy.Rule{Claims: []policy.ClaimCondition{{Path: []string{"a"}}}}, nil), inA + ".Rule.Claims[0].AnyOf: is empty"},
		{"claim with a value twice", rules(policy.Rule{Claims: []policy.ClaimCondition{{Path: []string{"a"}, AnyOf: []string{"b", "b"}}}}, nil), inA + `.Rule.Claims[0].AnyOf: "b" is listed twice`},
		{"set of no scopes", rules(policy.Rule{AnyScopeSets: [][]string{{"a"}, {}}}, nil), inA + ".Rule.AnyScopeSets[1]: is empty"},
		{"set with what is no scope", rules(policy.Rule{AnyScopeSets: [][]string{{"a b"}}}, nil), inA + `.Rule.AnyScopeSets[0]: "a b" is not a scope`},
		{"condition without a compiler", rules(policy.Rule{Condition: "true"}, nil), inA + `.Rule.Condition: "true" is a condition, and there is nothing to compile it`},
		{"question without a compiler", rules(policy.Rule{Question: &policy.Question{Resource: policy.Entity{Type: "t", ID: "'i'"}}}, nil), inA + ".Rule.Question: is set, and there is nothing to ask"},
		{"resource without services", policy.Policy{Resources: map[string][]string{"https://h": nil}}, `policy: Resources["https://h"]: has no services`},
		{"resource with a service that is not there", policy.Policy{Resources: map[string][]string{"https://h": {"a.v1.A"}}}, `policy: Resources["https://h"][0]: "a.v1.A" is not a service of the policy`},
		{"source of a rule", rules(policy.Rule{Scopes: []string{"a b"}, Source: "policy.yaml:7"}, nil), "policy.yaml:7: " + inA + `.Rule.Scopes: "a b" is not a scope`},
		{"implies nothing", implies("a"), `policy: Implies["a"]: implies nothing`},
		{"implies what is not a scope", implies("a", "b c"), `policy: Implies["a"]: "b c" is not a scope`},
		{"implies one twice", implies("a", "b", "b"), `policy: Implies["a"]: "b" is listed twice`},
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
			described: {Methods: map[string]policy.Rule{
				"Zero": {Public: true}, "No": {Public: true}, "n o": {Public: true}, "Get": {Public: true},
			}},
			"google.protobuf.StringValue": {Rule: policy.Rule{Public: true}},
		},
		Implies: map[string][]string{"x": {"y"}, "y": {"x"}, "b": {}},
	}
}

// TestCompileReportsEverything: all faults are reported at once, in a stable
// order.
func TestCompileReportsEverything(t *testing.T) {
	t.Parallel()
	want := []string{
		`Implies["b"]: implies nothing`,
		`Implies: "x → y → x" is a cycle`,
		`Services["a.v1.A"]: has neither`,
		`Services["a.v1.A"]: "a.v1.A" is not the name`,
		`Services["b.v1.B"]: "b.v1.B" is not the name`,
		`Services["b.v1.B"].Rule: is public`,
		`Services["b.v1.B"].Rule: sets both`,
		`Services["b.v1.B"].Rule.Scopes: "a b" is not a scope`,
		`Services["b.v1.B"].Rule.Scopes: "offline_access" asks`,
		`Services["b.v1.B"].Rule.Scopes: "c" is listed twice`,
		`Services["google.protobuf.StringValue"]: "google.protobuf.StringValue" is a`,
		`Services["not one"]: "not one" is not`,
		`Services["policy.test.v1.Described"].Methods["No"]: "No" is not a method`,
		`Services["policy.test.v1.Described"].Methods["Zero"]: "Zero" is not a method`,
		`Services["policy.test.v1.Described"].Methods["n o"]: "n o" is not`,
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

// TestFault: place, value, reason and remedy are apart.
func TestFault(t *testing.T) {
	t.Parallel()
	_, err := policy.Compile(many())
	var first *fault.Fault
	if !errors.As(err, &first) {
		t.Fatalf("%T holds no *fault.Fault", err)
	}
	if want := (fault.Fault{Place: `policy: Implies["b"]`, Reason: "implies nothing", Remedy: "remove it"}); *first != want {
		t.Errorf("got %+v, want %+v", *first, want)
	}
	values := make(map[string]string)
	for f := range fault.All(err) {
		values[f.Place] += f.Value + "|"
	}
	for place, want := range map[string]string{
		`Implies`:                                      "x → y → x|",
		`Services["a.v1.A"]`:                           "|a.v1.A|",
		`Services["b.v1.B"].Rule`:                      "||",
		`Services["b.v1.B"].Rule.Scopes`:               "a b|offline_access|c|",
		`Services["not one"]`:                          "not one|",
		`Services["` + described + `"].Methods["n o"]`: "n o|",
	} {
		if got := values["policy: "+place]; got != want {
			t.Errorf("%s: got the values %q, want %q", place, got, want)
		}
	}
}

// TestServiceThatIsNotThere: a public rule for a service that the program does not
// have is legal (RPC-8).
func TestServiceThatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
		"xds.service.orca.v3.OpenRcaService",
	} {
		table := compile(t, policy.Policy{Services: map[string]policy.Service{name: {Rule: policy.Rule{Public: true}, NoDescriptor: true}}})
		if requirement := table.Lookup("/" + name + "/Anything"); requirement == nil || !requirement.Public() {
			t.Errorf("RPC-8: %s is not public", name)
		}
	}
}

// TestDescribed: services with descriptors need no option, and NoDescriptor makes
// no difference to them.
func TestDescribed(t *testing.T) {
	t.Parallel()
	for _, noDescriptor := range []bool{false, true} {
		table := compile(t, policy.Policy{Services: map[string]policy.Service{
			described: {NoDescriptor: noDescriptor, Rule: policy.Rule{Public: true}, Methods: map[string]policy.Rule{"Watch": {Authenticated: true}}},
		}})
		if table.Lookup("/"+described+"/Watch") == nil {
			t.Errorf("NoDescriptor %t: no rule", noDescriptor)
		}
		if table.Lookup("/"+described+"/Misspelled") != nil {
			t.Errorf("RPC-6: NoDescriptor %t: a method that does not exist has a rule", noDescriptor)
		}
	}
}
