package policy_test

import (
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

func scopesAt(source string, scopes ...string) policy.Rule {
	return policy.Rule{Scopes: scopes, Source: source}
}

// describedRules is a policy for the service described.
func describedRules(rule policy.Rule, methods map[string]policy.Rule) policy.Policy {
	return policy.Policy{Services: map[string]policy.Service{described: {Rule: rule, Methods: methods}}}
}

// TestOverride: rules are replaced one by one.
func TestOverride(t *testing.T) {
	t.Parallel()
	inGo := policy.Policy{
		Services: map[string]policy.Service{
			described: {Rule: scopesAt("go", "a"), Methods: map[string]policy.Rule{"Get": scopesAt("go", "get"), "Put": scopesAt("go", "put")}},
			"b.v1.B":  {Rule: scopesAt("go", "b"), NoDescriptor: true},
		},
		Implies:   map[string][]string{"all": {"a", "b"}, "put": {"get"}},
		Resources: map[string][]string{"https://h": {described}, "https://i": {"b.v1.B"}},
	}
	file := policy.Policy{
		Services: map[string]policy.Service{
			described: {Methods: map[string]policy.Rule{"Put": scopesAt("file", "put2"), "Watch": {Denied: true, Source: "file"}}},
			"b.v1.B":  {Rule: policy.Rule{Denied: true}},
			elsewhere: {Rule: scopesAt("file", "new"), NoDescriptor: true},
		},
		Implies:   map[string][]string{"all": {"a"}},
		Resources: map[string][]string{"https://h": {described, elsewhere}},
	}
	merged := inGo.Override(file)
	table := compile(t, merged)
	for _, tt := range []struct{ procedure, source string }{
		{"/" + described + "/Get", "go"},
		{"/" + described + "/Put", "file"},
		{"/" + elsewhere + "/Get", "file"},
	} {
		if got := table.Lookup(tt.procedure); got == nil || got.Source() != tt.source {
			t.Errorf("%s: got %v", tt.procedure, got)
		}
	}
	for _, procedure := range []string{"/" + described + "/Watch", "/b.v1.B/Get"} {
		if table.Lookup(procedure) != nil {
			t.Errorf("%s is not denied", procedure)
		}
	}
	if got := table.LookupService(described); got.Source() != "go" {
		t.Errorf("the rule of a service that the file does not mention: got %q", got.Source())
	}
	if got := merged.Implies; !slices.Equal(got["all"], []string{"a"}) || !slices.Equal(got["put"], []string{"get"}) {
		t.Errorf("Implies: got %v", got)
	}
	if got := table.Resources(); !slices.Equal(got["https://h"], []string{described, elsewhere}) || !slices.Equal(got["https://i"], []string{"b.v1.B"}) {
		t.Errorf("Resources: got %v", got)
	}
	if len(inGo.Services) != 2 || len(inGo.Services[described].Methods) != 2 || len(inGo.Implies["all"]) != 2 {
		t.Errorf("Override changed its receiver: %v", inGo)
	}
	if got := (policy.Policy{}).Override(file); len(got.Services) != 3 {
		t.Errorf("over nothing: got %v", got.Services)
	}
}

// TestWarnings has a policy for each warning.
func TestWarnings(t *testing.T) {
	t.Parallel()
	base := describedRules(scopesAt("a.proto:3", "a"), map[string]policy.Rule{"Put": scopesAt("a.proto:9", "put")})
	const service = `policy: /` + described
	for _, tt := range []struct {
		name   string
		policy policy.Policy
		want   []string
	}{
		{"nothing", base, nil},
		{
			"a method that nothing covers", describedRules(policy.Rule{}, map[string]policy.Rule{"Get": scopesAt("", "a"), "Put": {}}),
			[]string{`policy: Services["policy.test.v1.Described"].Methods["Watch"]: "Watch" has no rule, and neither has the service, so that every call is denied; set Denied if that is meant`},
		},
		{"tighter", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": scopesAt("p.yaml:2", "put", "more")})), nil},
		{"the same", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": scopesAt("p.yaml:2", "put")})), nil},
		{"denied", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": {Denied: true}})), nil},
		{
			"looser", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": {Public: true, Source: "p.yaml:2"}})),
			[]string{"p.yaml:2: " + service + "/Put: requires public, and replaces a rule that requires put at a.proto:9; make sure that fewer requirements are meant"},
		},
		{
			"different", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": scopesAt("p.yaml:2", "b")})),
			[]string{"p.yaml:2: " + service + "/Put: requires b, and replaces a rule that requires put at a.proto:9; make sure that fewer requirements are meant"},
		},
		{
			"a rule of a method in place of that of the service", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Get": {Authenticated: true, Source: "p.yaml:5"}})),
			[]string{"p.yaml:5: " + service + "/Get: requires a valid token, and replaces a rule that requires a at a.proto:3; make sure that fewer requirements are meant"},
		},
		{
			"a rule of a service, once", base.Override(describedRules(policy.Rule{Authenticated: true, Source: "p.yaml:1"}, nil)),
			[]string{"p.yaml:1: " + service + "/*: requires a valid token, and replaces a rule that requires a at a.proto:3; make sure that fewer requirements are meant"},
		},
		{
			"an implication", base.Override(policy.Policy{Implies: map[string][]string{"x": {"put"}}}),
			[]string{"a.proto:9: " + service + "/Put: requires put as before, which more tokens meet through Implies; make sure that fewer requirements are meant"},
		},
		{
			"what was denied", describedRules(policy.Rule{Denied: true}, nil).Override(describedRules(policy.Rule{Public: true, Source: "p.yaml:1"}, nil)),
			[]string{"p.yaml:1: " + service + "/*: requires public, and replaces a rule that requires what nobody has; make sure that fewer requirements are meant"},
		},
		{
			"two layers", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": {Public: true, Source: "b"}})).
				Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": scopesAt("c", "put")})), nil,
		},
		{
			"layers that were put together first", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": {Authenticated: true, Source: "b"}}).
				Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": scopesAt("c", "x")}))),
			[]string{"c: " + service + "/Put: requires x, and replaces a rule that requires put at a.proto:9; make sure that fewer requirements are meant"},
		},
		{
			"a method in place of the rule of a service without a descriptor",
			rules(scopesAt("a", "admin"), nil).Override(rules(policy.Rule{}, map[string]policy.Rule{"Delete": {Public: true, Source: "b"}})),
			[]string{"b: policy: /a.v1.A/Delete: requires public, and replaces a rule that requires admin at a; make sure that fewer requirements are meant"},
		},
		{
			"the lower of two layers", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": {Public: true, Source: "b"}})).
				Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Get": scopesAt("c", "a", "x")})),
			[]string{"b: " + service + "/Put: requires public, and replaces a rule that requires put at a.proto:9; make sure that fewer requirements are meant"},
		},
		{
			"both of two layers", base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": {Authenticated: true, Source: "b"}})).
				Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Put": {Public: true, Source: "c"}})),
			[]string{"c: " + service + "/Put: requires public, and replaces a rule that requires a valid token at b; make sure that fewer requirements are meant"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, warning := range compile(t, tt.policy).Warnings() {
				got = append(got, warning.Error())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%q, want\n%q", got, tt.want)
			}
		})
	}
}

// TestRequireRules: the warning of a method that nothing covers can be a fault.
func TestRequireRules(t *testing.T) {
	t.Parallel()
	p := describedRules(policy.Rule{}, map[string]policy.Rule{"Get": scopesAt("", "a"), "Put": {Denied: true}})
	if _, err := (policy.Compiler{RequireRules: true}).Compile(p); err == nil || err.Error() != compile(t, p).Warnings()[0].Error() {
		t.Errorf("got %v", err)
	}
}

// TestLayersAreComparedAsWritten: conditions of what is replaced are not compiled, and count in
// a comparison all the same.
func TestLayersAreComparedAsWritten(t *testing.T) {
	t.Parallel()
	const kept = "Put"
	var compiled []policy.Target
	compiler := policy.Compiler{Conditions: recording{&compiled}}
	base := describedRules(policy.Rule{}, map[string]policy.Rule{"Get": {Condition: "old", Source: "a"}, kept: {Condition: "kept"}, "Watch": {Denied: true}})
	table, err := compiler.Compile(base.Override(describedRules(policy.Rule{}, map[string]policy.Rule{"Get": {Authenticated: true, Source: "b"}})))
	if err != nil {
		t.Fatal(err)
	}
	if len(compiled) != 1 || compiled[0].Method != kept {
		t.Errorf("compiled for %+v", compiled)
	}
	if warnings := table.Warnings(); len(warnings) != 1 || warnings[0].Source != "b" {
		t.Errorf("got %v", warnings)
	}
}
