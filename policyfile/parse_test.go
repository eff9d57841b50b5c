package policyfile_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"buf.build/go/protoyaml"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"github.com/drawbridge-rpc/drawbridge/token"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// ruleRows have each field of drawbridge.v1.Rule, and what it becomes.
var ruleRows = map[protoreflect.Name]struct {
	text string
	want policy.Rule
}{
	"public":         {"public: true", policy.Rule{Public: true}},
	"denied":         {"denied: true", policy.Rule{Denied: true}},
	"reason":         {"reason: \"for: probes\"", policy.Rule{Reason: "for: probes", Denied: true}},
	"authenticated":  {"authenticated: true", policy.Rule{Authenticated: true}},
	"scopes":         {"scopes: [a, \"2\"]", policy.Rule{Scopes: []string{"a", "2"}}},
	"any_scopes":     {"any_scopes:\n- a\n- b", policy.Rule{AnyScopes: []string{"a", "b"}}},
	"any_scope_sets": {"any_scope_sets: [{scopes: [a, b]}, {scopes: [c]}]", policy.Rule{AnyScopeSets: [][]string{{"a", "b"}, {"c"}}}},
	"claims": {"claims: [{path: [realm_access, roles], any_of: [admin, 'true']}]", policy.Rule{
		Claims: []policy.ClaimCondition{{Path: []string{"realm_access", "roles"}, AnyOf: []string{"admin", "true"}}},
	}},
	"party": {"party: PARTY_CLIENT", policy.Rule{Party: token.PartyClient}},
	"actors": {"actors: [{issuer: i, subject: s, client_id: c}, {client_id: d}]", policy.Rule{
		Actors: []policy.Actor{{Issuer: "i", Subject: "s", ClientID: "c"}, {ClientID: "d"}},
	}},
	"no_actor":   {"no_actor: true", policy.Rule{NoActor: true}},
	"acr_values": {"acr_values: [phrh, phr]", policy.Rule{ACRValues: []string{"phrh", "phr"}}},
	"max_age":    {"max_age: 1h30m", policy.Rule{MaxAge: 90 * time.Minute}},
	"proof":      {"proof: PROOF_REFUSED", policy.Rule{Proof: policy.ProofRefused}},
	"condition":  {"condition: >-\n  request.delta < 100 ||\n  'bulk' in token.scopes", policy.Rule{Condition: "request.delta < 100 || 'bulk' in token.scopes"}},
	"question": {"question:\n  subject: {type: user, id: token.sub}\n  action: read\n  resource: {type: account, id: request.id, properties: {tier: \"'gold'\"}}\n" +
		"  context: {ip: rpc.peer}\n  cache_for: 30s", policy.Rule{Question: &policy.Question{
		Subject: policy.Entity{Type: "user", ID: "token.sub"}, Action: "read",
		Resource: policy.Entity{Type: "account", ID: "request.id", Properties: map[string]string{"tier": "'gold'"}},
		Context:  map[string]string{"ip": "rpc.peer"}, CacheFor: 30 * time.Second,
	}}},
}

// TestRuleFields: every field that a rule can have is read as what it says, and so is the
// JSON of the same message.
func TestRuleFields(t *testing.T) {
	t.Parallel()
	fields := (*drawbridgev1.Rule)(nil).ProtoReflect().Descriptor().Fields()
	set := make(map[string]bool)
	for i := range fields.Len() {
		name := fields.Get(i).Name()
		row, ok := ruleRows[name]
		if !ok {
			t.Errorf("the field %s has no row", name)
			continue
		}
		t.Run(string(name), func(t *testing.T) {
			row.want.Source = "policy.yaml:3"
			if got := parse(t, inRule(row.text)).Services[service].Rule; !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			row.want.Source = "policy.yaml:1"
			message := new(drawbridgev1.Policy)
			if err := protoyaml.Unmarshal([]byte(inRule(row.text)), message); err != nil {
				t.Fatal(err)
			}
			for _, options := range []protojson.MarshalOptions{{}, {UseProtoNames: true}} {
				encoded, _ := options.Marshal(message)
				if got := parse(t, string(encoded)).Services[service].Rule; !reflect.DeepEqual(got, row.want) {
					t.Errorf("%s: got %+v, want %+v", encoded, got, row.want)
				}
			}
		})
		rule := reflect.ValueOf(row.want)
		for i := range rule.NumField() {
			if !rule.Field(i).IsZero() {
				set[rule.Type().Field(i).Name] = true
			}
		}
	}
	for field := range reflect.TypeFor[policy.Rule]().Fields() {
		if !set[field.Name] && field.Name != "Source" {
			t.Errorf("no row sets %s of policy.Rule", field.Name)
		}
	}
}

func parse(tb testing.TB, text string) policy.Policy {
	tb.Helper()
	p, err := policyfile.Parse("policy.yaml", []byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return p
}

// TestSources: a rule knows the line of its key.
func TestSources(t *testing.T) {
	t.Parallel()
	p := parse(t, `# The first line.
services:

  a.v1.A:
    methods:
      Get: # a comment
        public: true
      "Put": {denied: true}
    rule:
      scopes:
      - a
  b.v1.B:
    no_descriptor: true
    rule: {authenticated: true}
  c.v1.C: {methods: {Get: {public: true},
    Put: {public: true}}, rule: {public: true}}
`)
	for _, tt := range []struct{ service, method, want string }{
		{"a.v1.A", "", "9"}, {"a.v1.A", "Get", "6"}, {"a.v1.A", "Put", "8"},
		{"b.v1.B", "", "14"}, {"c.v1.C", "", "16"}, {"c.v1.C", "Get", "15"}, {"c.v1.C", "Put", "16"},
	} {
		rule := p.Services[tt.service].Rule
		if tt.method != "" {
			rule = p.Services[tt.service].Methods[tt.method]
		}
		if rule.IsZero() || rule.Source != "policy.yaml:"+tt.want {
			t.Errorf("%s/%s: got the rule %v at %q, want line %s", tt.service, tt.method, rule, rule.Source, tt.want)
		}
	}
	if !p.Services["b.v1.B"].NoDescriptor || p.Services["a.v1.A"].NoDescriptor {
		t.Error("NoDescriptor is not that of the file")
	}
}

// TestSourceInFaults: the faults of Compile name the line.
func TestSourceInFaults(t *testing.T) {
	t.Parallel()
	_, err := policy.Compile(parse(t, `services:
  a.v1.A: {methods: {Get: {public: true}}}
  b.v1.B:
    no_descriptor: true
    methods:
      Get:
        scopes: ["a b"]
implies:
- scope: a
  implies: [b]
- {scope: b, implies: [a]}
- {scope: a, implies: [c]}
resources:
  https://h/r:
    services: [c.v1.C]
`))
	want := map[string]string{
		"policy.yaml:2":  `Services["a.v1.A"]`,
		"policy.yaml:7":  "", // The line of the key is 6.
		"policy.yaml:6":  `Services["b.v1.B"].Methods["Get"].Scopes`,
		"policy.yaml:9":  "Implies",
		"policy.yaml:14": `Resources["https://h/r"][0]`,
	}
	count := 0
	for f := range fault.All(err) {
		if place := want[f.Source]; place == "" || f.Place != "policy: "+place {
			t.Errorf("got %v", f)
		}
		count++
	}
	if count != len(want)-1 {
		t.Errorf("got %d faults: %v", count, err)
	}
}

// TestForms: the same policy in every form in which it may be written.
func TestForms(t *testing.T) {
	t.Parallel()
	const policyText = "services: {a.v1.A: {no_descriptor: true, rule: {any_scopes: [a]}}}\nimplies: [{scope: b, implies: [a]}]\nresources: {https://h/r: {services: [a.v1.A]}}\n"
	want := parse(t, policyText)
	if !reflect.DeepEqual(want.Implies, map[string][]string{"b": {"a"}}) || !reflect.DeepEqual(want.Resources, map[string][]string{"https://h/r": {"a.v1.A"}}) {
		t.Errorf("got %v and %v", want.Implies, want.Resources)
	}
	if _, err := policy.Compile(want); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"a byte order mark": "\ufeff" + policyText,
		"line feeds of DOS": strings.ReplaceAll(policyText, "\n", "\r\n"),
		"markers":           "%YAML 1.1\n---\n" + policyText + "...\n# end\n",
		"no line at end":    strings.TrimSpace(policyText),
		"names as in JSON":  strings.NewReplacer("any_scopes", "anyScopes", "no_descriptor", "noDescriptor").Replace(policyText),
		"quotes":            strings.NewReplacer("a.v1.A", "'a.v1.A'", "[a]", `["a"]`, "scope:", `"scope":`).Replace(policyText),
		"explicit tags":     "!!map\n" + strings.NewReplacer("[a]", "!!seq [!!str a]", ": true", ": !!bool true").Replace(policyText),
		"an anchor":         strings.ReplaceAll(policyText, "[a]", "&a [a]"),
		"JSON, indented by tabs": "{\n\t\"services\": {\n\t\t\"a.v1.A\": {\"noDescriptor\": true, \"rule\": {\n\t\t\t\"anyScopes\": [\"\\u0061\"]}}},\n" +
			"\t\"implies\": [{\"scope\": \"b\", \"implies\": [\"a\"]}],\n\t\"resources\": {\"https:\\/\\/h/r\": {\"services\": [\"a.v1.A\"]}}\n}\n",
	} {
		got := withoutSources(parse(t, text))
		if !reflect.DeepEqual(got, withoutSources(want)) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestEscapes: the escapes of JSON that YAML does not know.
func TestEscapes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`\/`: "/", `a\/b\/`: "a/b/", `\\`: `\`, `\\/`: `\/`, `\"\/`: `"/`, `\u00e9`: "é", `\ud83d\ude00`: "😀", `\uD83D\uDE00\/\ud83d\ude00x`: "😀/😀x",
		`\\ud83d\\ude00`: `\ud83d\ude00`, `\t`: "\t", "é": "é",
	} {
		document := func(text string) string {
			return "{\n\"services\":\n{\"a.v1.A\": {\"rule\": {\"condition\": \"" + text + "\"}}}}"
		}
		if got := parse(t, document(text)).Services[service].Rule; got.Condition != want || got.Source != "policy.yaml:3" {
			t.Errorf("%s: got %q at %s, want %q", text, got.Condition, got.Source, want)
		}
	}
	for _, text := range []string{`\ud83d`, `\ud83d\u0041`, `\ude00\ud83d`, `\ud83dxxude00`} {
		_, err := policyfile.Parse("policy.yaml", []byte(`{"services": {"a.v1.A": {"rule": {"condition": "`+text+`"}}}}`))
		if got := faultsOf(t, err); len(got) != 1 || got[0] != "policy.yaml:1: policyfile: is not YAML: found invalid Unicode character escape code" {
			t.Errorf("%s: got %q", text, got)
		}
	}
}

// withoutSources returns a policy whose rules have no Source.
func withoutSources(p policy.Policy) policy.Policy {
	services := make(map[string]policy.Service)
	for name, service := range p.Services {
		service.Source, service.Rule.Source = "", ""
		methods := make(map[string]policy.Rule)
		for method, rule := range service.Methods {
			rule.Source = ""
			methods[method] = rule
		}
		service.Methods = methods
		services[name] = service
	}
	p.Services, p.Sources = services, nil
	return p
}
