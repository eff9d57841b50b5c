package policy_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestFromProto has a row for each field of the schema: a field that is not converted is a
// requirement that nobody checks.
func TestFromProto(t *testing.T) {
	t.Parallel()
	rows := map[string]struct {
		text string
		want policy.Rule
	}{
		"public":         {`public: true`, policy.Rule{Public: true}},
		"denied":         {`denied: true`, policy.Rule{Denied: true}},
		"reason":         {`reason: "because"`, policy.Rule{Reason: "because", Denied: true}},
		"authenticated":  {`authenticated: true`, policy.Rule{Authenticated: true}},
		"scopes":         {`scopes: ["a", "b"]`, policy.Rule{Scopes: []string{"a", "b"}}},
		"any_scopes":     {`any_scopes: ["a", "b"]`, policy.Rule{AnyScopes: []string{"a", "b"}}},
		"any_scope_sets": {`any_scope_sets: {scopes: ["a", "b"]} any_scope_sets: {scopes: "c"}`, policy.Rule{AnyScopeSets: [][]string{{"a", "b"}, {"c"}}}},
		"claims":         {`claims: {path: ["x", "y"], any_of: ["a", "b"]}`, policy.Rule{Claims: []policy.ClaimCondition{{Path: []string{"x", "y"}, AnyOf: []string{"a", "b"}}}}},
		"party":          {`party: PARTY_CLIENT`, policy.Rule{Party: token.PartyClient}},
		"actors":         {`actors: {issuer: "https://i", subject: "s", client_id: "c"}`, policy.Rule{Actors: []policy.Actor{{Issuer: "https://i", Subject: "s", ClientID: "c"}}}},
		"no_actor":       {`no_actor: true`, policy.Rule{NoActor: true}},
		"acr_values":     {`acr_values: "gold"`, policy.Rule{ACRValues: []string{"gold"}}},
		"max_age":        {`max_age: {seconds: 300}`, policy.Rule{MaxAge: 5 * time.Minute}},
		"proof":          {`proof: PROOF_REFUSED`, policy.Rule{Proof: policy.ProofRefused}},
		"condition":      {`condition: "true"`, policy.Rule{Condition: "true"}},
		"question": {
			`question: {subject: {type: "u", id: "token.sub", properties: {key: "p", value: "'v'"}} action: "read"
			  resource: {type: "account", id: "request.id", properties: {key: "q", value: "'w'"}} context: {key: "c", value: "rpc.method"} cache_for: {seconds: 7}}`,
			policy.Rule{Question: &policy.Question{
				Subject: policy.Entity{Type: "u", ID: "token.sub", Properties: map[string]string{"p": "'v'"}}, Action: "read",
				Resource: policy.Entity{Type: "account", ID: "request.id", Properties: map[string]string{"q": "'w'"}},
				Context:  map[string]string{"c": "rpc.method"}, CacheFor: 7 * time.Second,
			}},
		},
	}
	fields := (&drawbridgev1.Rule{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		row, ok := rows[name]
		if !ok {
			t.Errorf("%s has no row", name)
			continue
		}
		rule := new(drawbridgev1.Rule)
		if err := prototext.Unmarshal([]byte(row.text), rule); err != nil {
			t.Fatal(err)
		}
		message := &drawbridgev1.Policy{Services: map[string]*drawbridgev1.Service{"a.v1.A": {
			Rule: rule, Methods: map[string]*drawbridgev1.Rule{"Get": rule}, NoDescriptor: true,
		}}}
		service := policy.FromProto(message, func(service, method string) string { return service + "#" + method }).Services["a.v1.A"]
		want, wantMethod := row.want, row.want
		want.Source, wantMethod.Source = "a.v1.A#", "a.v1.A#Get"
		if !reflect.DeepEqual(service.Rule, want) || !reflect.DeepEqual(service.Methods["Get"], wantMethod) || !service.NoDescriptor || service.Source != "a.v1.A#" {
			t.Errorf("%s: got %+v, want %+v", name, service.Rule, want)
		}
		if row.want.IsZero() {
			t.Errorf("%s counts for nothing", name)
		}
	}
	if got, want := fields.Len(), len(rows); got != want {
		t.Errorf("%d fields, %d rows", got, want)
	}
	if got, want := reflect.TypeFor[policy.Rule]().NumField(), len(rows)+1; got != want { // and Source
		t.Errorf("a Rule has %d fields, of which the schema has %d", got, len(rows))
	}
}

// TestPolicyFromProto: what is no rule.
func TestPolicyFromProto(t *testing.T) {
	t.Parallel()
	message := new(drawbridgev1.Policy)
	const text = `services: {key: "a.v1.A" value: {methods: {key: "Get" value: {public: true}}}}
		implies: {scope: "w" implies: ["r", "s"]} implies: {scope: "w" implies: ["s", "t"]}
		resources: {key: "https://h" value: {services: "a.v1.A"}}`
	if err := prototext.Unmarshal([]byte(text), message); err != nil {
		t.Fatal(err)
	}
	want := policy.Policy{
		Services:  map[string]policy.Service{"a.v1.A": {Methods: map[string]policy.Rule{"Get": {Public: true}}}},
		Implies:   map[string][]string{"w": {"r", "s", "t"}},
		Resources: map[string][]string{"https://h": {"a.v1.A"}},
	}
	if got := policy.FromProto(message, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	message.GetServices()["a.v1.A"].GetMethods()["Get"].ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 500, protowire.VarintType), 1))
	_, err := policy.Compile(policy.FromProto(message, nil))
	if !strings.Contains(errorText(err), "policy: a policy: has a field of drawbridge.v1.Rule that this version does not know; update this module") {
		t.Errorf("got %v", err)
	}
}

// TestFaultsOfMessages: what a rule would ask for is never lost.
func TestFaultsOfMessages(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`party: 256`:             "p.yaml:1: policy: a.v1.A.Get: party is no value of Party",
		`proof: 257`:             "p.yaml:1: policy: a.v1.A.Get: proof is no value of Proof",
		`public: true proof: -1`: "p.yaml:1: policy: a.v1.A.Get: proof is no value of Proof",
		`max_age: {}`:            "p.yaml:1: policy: a.v1.A.Get: max_age is 0, and would ask for nothing; remove it, or set at least 1s",
		`max_age: {nanos: 5}`:    `p.yaml:1: policy: Services["a.v1.A"].Methods["Get"].MaxAge: "5ns" is not in whole seconds`,
	} {
		rule := new(drawbridgev1.Rule)
		if err := prototext.Unmarshal([]byte(text), rule); err != nil {
			t.Fatal(err)
		}
		message := &drawbridgev1.Policy{Services: map[string]*drawbridgev1.Service{"a.v1.A": {Methods: map[string]*drawbridgev1.Rule{"Get": rule}, NoDescriptor: true}}}
		_, err := policy.Compile(policy.FromProto(message, func(string, string) string { return "p.yaml:1" }))
		if !strings.HasPrefix(errorText(err), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestSources: faults of what is no rule have a source, too.
func TestSources(t *testing.T) {
	t.Parallel()
	base := policy.Policy{
		Services:  map[string]policy.Service{"a.v1.A": {Source: "a:1", Rule: policy.Rule{Public: true, Source: "a:2"}, Methods: map[string]policy.Rule{"Get": {Scopes: []string{" "}}, "no method": {}}}},
		Implies:   map[string][]string{"x": {"y z"}, "v": {"w w"}},
		Resources: map[string][]string{"https://h": {"b.v1.B"}, "https://i": {"b.v1.B"}},
		Sources:   map[string]string{`Implies["x"]`: "a:3", `Resources["https://h"]`: "a:4"},
	}
	want := []string{
		`policy: Implies["v"]: "w w" is`, `a:3: policy: Implies["x"]: "y z" is`, `a:1: policy: Services["a.v1.A"]: "a.v1.A" is not the name`,
		`policy: Services["a.v1.A"].Methods["Get"].Scopes: " " is`, `a:1: policy: Services["a.v1.A"].Methods["no method"]: "no method" is`,
		`a:4: policy: Resources["https://h"][0]: "b.v1.B" is`, `policy: Resources["https://i"][0]: "b.v1.B" is`,
	}
	got := faultsOf(t, base)
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	over := policy.Policy{Implies: map[string][]string{"x": {"q q"}}, Resources: map[string][]string{"https://h": {"c.v1.C"}}, Sources: map[string]string{`Resources["https://h"]`: "b:1"}}
	got = faultsOf(t, base.Override(over))
	if !slices.ContainsFunc(got, func(text string) bool { return strings.HasPrefix(text, `policy: Implies["x"]: "q q"`) }) ||
		!slices.ContainsFunc(got, func(text string) bool {
			return strings.HasPrefix(text, `b:1: policy: Resources["https://h"][0]: "c.v1.C"`)
		}) {
		t.Errorf("after Override: got\n%s", strings.Join(got, "\n"))
	}
}

// TestEnums: the values of the schema are those of Go.
func TestEnums(t *testing.T) {
	t.Parallel()
	for value, name := range drawbridgev1.Proof_name {
		if got := policy.Proof(value).String(); value != 0 && "PROOF_"+strings.ToUpper(got) != name {
			t.Errorf("%s is %s", name, got)
		}
	}
	for value, name := range drawbridgev1.Party_name {
		if got := token.Party(value).String(); value != 0 && "PARTY_"+strings.ToUpper(got) != name {
			t.Errorf("%s is %s", name, got)
		}
	}
}

// TestRuleText: what a table shows.
func TestRuleText(t *testing.T) {
	t.Parallel()
	for want, rule := range map[string]policy.Rule{
		"denied":                             {},
		"public":                             {Public: true, Reason: "x"},
		"a valid token":                      {Authenticated: true},
		"a":                                  {Scopes: []string{"a"}},
		"a and b":                            {Scopes: []string{"a", "b"}},
		"a or b":                             {AnyScopes: []string{"a", "b"}},
		"b":                                  {AnyScopes: []string{"b"}},
		"a and (b or c)":                     {Scopes: []string{"a"}, AnyScopes: []string{"b", "c"}},
		"(a and b) or c":                     {AnyScopeSets: [][]string{{"a", "b"}, {"c"}}},
		"(a or b) and ((c and d) or e)":      {AnyScopes: []string{"a", "b"}, AnyScopeSets: [][]string{{"c", "d"}, {"e"}}},
		"a user, acr gold|silver":            {Party: token.PartyUser, ACRValues: []string{"gold", "silver"}},
		"a, authenticated within 5m0s":       {Scopes: []string{"a"}, MaxAge: 5 * time.Minute},
		"through bot|x[c]@https://i":         {Actors: []policy.Actor{{Subject: "bot"}, {Issuer: "https://i", Subject: "x", ClientID: "c"}}},
		"a client, no actor, proof required": {Party: token.PartyClient, NoActor: true, Proof: policy.ProofRequired},
		"realm_access.roles: admin|root":     {Claims: []policy.ClaimCondition{{Path: []string{"realm_access", "roles"}, AnyOf: []string{"admin", "root"}}}},
		"if request.delta < 5":               {Condition: "request.delta < 5"},
		"a decision about account 'a', proof refused": {Question: &policy.Question{Resource: policy.Entity{Type: "account", ID: "'a'"}}, Proof: policy.ProofRefused},
	} {
		if got := rule.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
