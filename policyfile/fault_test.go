package policyfile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

const (
	emptyText   = "is empty; write the rules of services; without any, every call would be denied"
	nothingText = "is empty, and would say nothing; write what is meant, or remove it"
	ruleFields  = "the fields are public, denied, reason, authenticated, scopes, any_scopes, any_scope_sets, claims, party, actors, " +
		"no_actor, acr_values, max_age, proof, condition, question"
)

// inRule is a file with one field of a rule, which begins in the third column of the
// fourth line.
func inRule(field string) string {
	return "services:\n a.v1.A:\n  rule:\n   " + strings.ReplaceAll(field, "\n", "\n   ") + "\n"
}

// faultRows are files with faults. The faults are without the name of the file, and have
// {rule} for the place of the rule of inRule.
var faultRows = []struct {
	name, text string
	want       []string
}{
	// RPC-6: a policy that says nothing is half written, more often than meant.
	{"empty", "", []string{": policyfile: " + emptyText}},
	{"white space", "\n \n", []string{": policyfile: " + emptyText}},
	{"a comment", "# to do\n", []string{": policyfile: " + emptyText}},
	{"null", "null\n", []string{":1:1: policyfile: " + emptyText}},
	{"an empty mapping", "{}\n", []string{":1:1: policyfile: " + emptyText}},
	{"services without a value", "services:\n", []string{":1:10: policyfile: services: has no value; write one, or remove it"}},
	{"services that are empty", "services: {}\n", []string{":1:11: policyfile: services: " + nothingText}},

	// What is not YAML.
	{"an indentation by a tab", "services:\n\ta.v1.A:\n", []string{":2:1: policyfile: is indented by a tab, which YAML does not allow; use spaces"}},
	{"an indentation by spaces and a tab", "services:\n  a.v1.A:\n  \trule:\n", []string{":3:3: policyfile: is indented by a tab, which YAML does not allow; use spaces"}},
	{"a tab in a block", "a: |\n\tx\n", []string{":2:1: policyfile: is indented by a tab, which YAML does not allow; use spaces"}},
	{"an open list", "services: [", []string{":1: policyfile: is not YAML: did not find expected node content"}},
	{"an open list further down", "services:\n  a: {b: [}\n", []string{":2: policyfile: is not YAML: did not find expected node content"}},
	{"two values", "services: {a: b: c}", []string{":1: policyfile: is not YAML: did not find expected ',' or '}'"}},
	{"a missing colon", "services:\n  a\n  b: c\n", []string{":3: policyfile: is not YAML: mapping values are not allowed in this context"}},
	{"half a text in quotes", "services:\n  a.v1.A: \"x\n", []string{":2: policyfile: is not YAML: found unexpected end of stream"}},
	{"half of a pair of escapes", `{"services": "\ud83d"}`, []string{":1: policyfile: is not YAML: found invalid Unicode character escape code"}},
	{"another version", "%YAML 3.0\n---\nservices: {}\n", []string{":1: policyfile: is not YAML: found incompatible YAML document"}},
	{"UTF-16", "\xff\xfes\x00", []string{":1:1: policyfile: is not UTF-8"}},
	{"a byte that is not UTF-8", "services:\n \"é\xff\"", []string{":2:4: policyfile: is not UTF-8"}},
	{"a control character", "services:\n  a\x01: b", []string{":2:4: policyfile: has the control character U+0001; remove it"}},
	{"text that looks like another", "# a\u202eb\n", []string{":1:4: policyfile: has U+202E, which changes the order in which text is shown; remove it"}},
	{"an end of a line that is none", "services: {}\u2028---\u2028a: b", []string{":1:13: policyfile: has U+2028, which ends a line for the parser alone; remove it"}},
	{"depth", strings.Repeat("[", 20_000), []string{":1: policyfile: is not YAML: exceeded max depth of 10000"}},
	{"size", strings.Repeat(" ", policyfile.MaxSize+1), []string{": policyfile: is larger than 4 MiB; split it, or correct the path"}},

	// Several documents, aliases, merge keys and tags.
	{"two documents", requiring("a") + "---\nservices: {}\n", []string{":6:1: policyfile: begins a second document; write one policy in each file, and name their directory"}},
	{"an empty document first", "---\n---\n" + requiring("a"), []string{":2:1: policyfile: begins a second document; write one policy in each file, and name their directory"}},
	{"a document that begins without a marker", requiring("a") + "...\nservices: {}\n", []string{":7: policyfile: is not YAML: did not find expected <document start>"}},
	{"an alias", inRule("scopes: &s [a]\nany_scopes: *s"), []string{":5:16: {rule}.any_scopes: \"*s\" is an alias, which a policy does not have; write out what it stands for"}},
	{"an alias without an anchor", inRule("scopes: *s"), []string{":4: policyfile: has the alias *s, and no anchor of that name; write out what it stands for"}},
	{"aliases of aliases", "a: &a [x]\nb: &b [*a, *a]\nservices: [*b, *b]\n", []string{
		":1:1: policyfile: \"a\" is not a field of Policy; the fields are services, implies, resources",
		":2:1: policyfile: \"b\" is not a field of Policy; the fields are services, implies, resources",
		":3:11: policyfile: services: is a list, not a mapping",
	}},
	{"an alias that contains itself", "services: &a {b: *a}\n", []string{":1:18: policyfile: services[\"b\"]: \"*a\" is an alias, which a policy does not have; write out what it stands for"}},
	{"a merge key", inRule("<<: {public: true}"), []string{":4:4: {rule}: \"<<\" merges mappings, which a policy does not do; write out what is merged"}},
	{"a tag of a mapping", "services: !all {a: b}\n", []string{":1:11: policyfile: services: \"!all\" is a tag that a policy does not have; remove it"}},
	{"a tag of a value", inRule("condition: !cel x"), []string{":4:15: {rule}.condition: \"!cel\" is a tag that a policy does not have; remove it"}},
	{"binary", inRule("condition: !!binary eA=="), []string{":4:15: {rule}.condition: \"eA==\" is a value with the tag !!binary, not a string; put it in quotes"}},

	// Fields.
	{"a field, misspelled", "servces: {}\n", []string{":1:1: policyfile: \"servces\" is not a field of Policy; write services"}},
	{"a field in capitals", inRule("Public: true"), []string{":4:4: {rule}: \"Public\" is not a field of Rule; write public"}},
	{"a field with a hyphen", inRule("any-scopes: [a]"), []string{":4:4: {rule}: \"any-scopes\" is not a field of Rule; write any_scopes"}},
	{"a field as in JSON, misspelled", inRule("anyScope: [a]"), []string{":4:4: {rule}: \"anyScope\" is not a field of Rule; write any_scopes"}},
	{"a field that is like none", inRule("qwertz: 1"), []string{":4:4: {rule}: \"qwertz\" is not a field of Rule; " + ruleFields}},
	{"a field with a long name", inRule(strings.Repeat("é", 45) + ": 1"), []string{":4:4: {rule}: \"" + strings.Repeat("é", 40) + "…\" is not a field of Rule; " + ruleFields}},
	{"a level left out", "services: {a.v1.A: {scopes: [a]}}\n", []string{":1:21: policyfile: services[\"a.v1.A\"]: \"scopes\" is not a field of Service; write it below rule"}},
	{"a number of a field", inRule("'5': [a]"), []string{":4:4: {rule}: \"5\" is not a field of Rule; " + ruleFields}},
	{"a field of a resource", "resources: {https://a.example: {service: [a]}}\n", []string{":1:33: policyfile: resources[\"https://a.example\"]: \"service\" is not a field of Reach; write services"}},
	{"a field twice", inRule("public: true\npublic: false"), []string{":5:4: {rule}: \"public\" is written twice, the first time at policy.yaml:4:4; keep one"}},
	{"a field under both of its names", inRule("any_scopes: [a]\nanyScopes: [b]"), []string{":5:4: {rule}: \"anyScopes\" is written twice, the first time at policy.yaml:4:4; keep one"}},
	{"a service twice", "services:\n a.v1.A: {rule: {denied: true}}\n a.v1.A: {rule: {public: true}}\n", []string{":3:2: policyfile: services: \"a.v1.A\" is written twice, the first time at policy.yaml:2:2; keep one"}},
	{"a method twice", "services:\n a.v1.A:\n  methods:\n   Get: {denied: true}\n   \"Get\": {public: true}\n", []string{":5:4: policyfile: services[\"a.v1.A\"].methods: \"Get\" is written twice, the first time at policy.yaml:4:4; keep one"}},
	{"three times", "services: {a.v1.A: {rule: {denied: true, denied: true, denied: true}}}\n", []string{
		":1:42: policyfile: services[\"a.v1.A\"].rule: \"denied\" is written twice, the first time at policy.yaml:1:28; keep one",
		":1:56: policyfile: services[\"a.v1.A\"].rule: \"denied\" is written twice, the first time at policy.yaml:1:28; keep one",
	}},

	// Keys that are no names.
	{"a list as a key", inRule("? [a]\n: x"), []string{":4:6: {rule}: is a list, not a name"}},
	{"an alias as a key", "services: &s\n ? *s\n : x\n", []string{":2:4: policyfile: services: is an alias, not a name"}},
	{"a number as a key", "services: {1: x}\n", []string{":1:12: policyfile: services: \"1\" is a number, not a name; put it in quotes if it is one"}},
	{"a boolean as a key", "services: {true: x}\n", []string{":1:12: policyfile: services: \"true\" is a boolean, not a name; put it in quotes if it is one"}},
	{"nothing as a key", "services: {~: x}\n", []string{":1:12: policyfile: services: is nothing, not a name"}},
	{"an empty key", "services: {'': x}\n", []string{":1:12: policyfile: services: has a name that is empty"}},

	// Values of the wrong kind.
	{"a text as the policy", "a\n", []string{":1:1: policyfile: is a string, not a mapping"}},
	{"a list as the policy", "- a\n", []string{":1:1: policyfile: is a list, not a mapping"}},
	{"a number as the policy", "12\n", []string{":1:1: policyfile: is a number, not a mapping"}},
	{"another file", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n", []string{":1:1: policyfile: is a string, not a mapping"}},
	{"a text as a service", "services: {a.v1.A: x}\n", []string{":1:20: policyfile: services[\"a.v1.A\"]: is a string, not a mapping"}},
	{"a text as a rule", "services: {a.v1.A: {rule: public}}\n", []string{":1:27: policyfile: services[\"a.v1.A\"].rule: is a string, not a mapping"}},
	{"a mapping as a list", inRule("claims: {path: [a]}"), []string{":4:12: {rule}.claims: is a mapping, not a list"}},
	{"a text as a list", inRule("scopes: a"), []string{":4:12: {rule}.scopes: \"a\" is a string, not a list; write [a]"}},
	{"a list as a text", inRule("condition: [a]"), []string{":4:15: {rule}.condition: is a list, not a single value"}},
	{"a list as a boolean", inRule("public: [true]"), []string{":4:12: {rule}.public: is a list, not a single value"}},
	{"an alias before its anchor", inRule("scopes: [1, 1.5, true, ~, a, 2026-01-01, [b], {c: d}, *x]\nreason: &x y"), []string{":4: policyfile: has the alias *x, and no anchor of that name; write out what it stands for"}},
	{"elements of every kind", inRule("scopes: [1, 1.5, true, ~, a, 2026-01-01, [b], {c: d}]"), []string{
		":4:13: {rule}.scopes[0]: \"1\" is a number, not a string; put it in quotes",
		":4:16: {rule}.scopes[1]: \"1.5\" is a number, not a string; put it in quotes",
		":4:21: {rule}.scopes[2]: \"true\" is a boolean, not a string; put it in quotes",
		":4:27: {rule}.scopes[3]: has no value; write one, or remove it",
		":4:33: {rule}.scopes[5]: \"2026-01-01\" is a date, not a string; put it in quotes",
		":4:45: {rule}.scopes[6]: is a list, not a single value",
		":4:50: {rule}.scopes[7]: is a mapping, not a single value",
	}},
	{"a text as an actor", inRule("actors: [a]"), []string{":4:13: {rule}.actors[0]: is a string, not a mapping"}},
	{"a number as a property", inRule("question: {context: {tier: 1}}"), []string{":4:31: {rule}.question.context[\"tier\"]: \"1\" is a number, not a string; put it in quotes"}},
	{"a list as a scope that implies", "implies: [{scope: [a]}]\n", []string{":1:19: policyfile: implies[0].scope: is a list, not a single value"}},

	// Values that are empty.
	{"a rule that is empty", "services: {a.v1.A: {rule: {}}}\n", []string{":1:27: policyfile: services[\"a.v1.A\"].rule: " + nothingText}},
	{"a method that ends early", "services:\n a.v1.A:\n  methods:\n   Get:\n", []string{":4:8: policyfile: services[\"a.v1.A\"].methods[\"Get\"]: has no value; write one, or remove it"}},
	{"a list that is empty", inRule("any_scopes: []"), []string{":4:16: {rule}.any_scopes: " + nothingText}},
	{"a text that is empty", inRule("condition: ''"), []string{":4:15: {rule}.condition: is empty, and would say nothing; write a value, or remove it"}},
	{"a question that is empty", inRule("question: {}"), []string{":4:14: {rule}.question: " + nothingText}},

	// Booleans, durations and enums.
	{"yes", inRule("public: yes"), []string{":4:12: {rule}.public: \"yes\" is not a boolean; write true or false, without quotes"}},
	{"True", inRule("public: True"), []string{":4:12: {rule}.public: \"True\" is not a boolean; write true or false, without quotes"}},
	{"true in quotes", inRule("public: 'true'"), []string{":4:12: {rule}.public: \"true\" is not a boolean; write true or false, without quotes"}},
	{"a number as a boolean", inRule("denied: 1"), []string{":4:12: {rule}.denied: \"1\" is not a boolean; write true or false, without quotes"}},
	{"a duration without a unit", inRule("max_age: 300"), []string{":4:13: {rule}.max_age: \"300\" has no unit; write 300s for seconds"}},
	{"a duration in words", inRule("max_age: 5 minutes"), []string{":4:13: {rule}.max_age: \"5 minutes\" is not a duration; write it such as 300s, 5m or 1h30m"}},
	{"a duration as a message", inRule("max_age: {seconds: 5}"), []string{":4:13: {rule}.max_age: is a mapping, not a single value"}},
	{"a party", inRule("party: user"), []string{":4:11: {rule}.party: \"user\" is not a value of Party; write PARTY_USER or PARTY_CLIENT"}},
	{"a number of a party", inRule("party: 257"), []string{":4:11: {rule}.party: \"257\" is not a value of Party; write PARTY_USER or PARTY_CLIENT"}},
	{"a proof", inRule("proof: PROOF_REQUIRE"), []string{":4:11: {rule}.proof: \"PROOF_REQUIRE\" is not a value of Proof; write PROOF_REQUIRED or PROOF_REFUSED"}},
	{"a list as a party", inRule("party: [PARTY_USER]"), []string{":4:11: {rule}.party: is a list, not a single value"}},

	// All at once, in the order of the file.
	{"several", "implies:\n- {scopes: [a]}\nservices:\n a.v1.A:\n  rule: {public: yes, max_age: 5}\n b.v1.B:\nresource: {}\n", []string{
		":2:4: policyfile: implies[0]: \"scopes\" is not a field of Implication; write scope",
		":5:18: policyfile: services[\"a.v1.A\"].rule.public: \"yes\" is not a boolean; write true or false, without quotes",
		":5:32: policyfile: services[\"a.v1.A\"].rule.max_age: \"5\" has no unit; write 5s for seconds",
		":6:9: policyfile: services[\"b.v1.B\"]: has no value; write one, or remove it",
		":7:1: policyfile: \"resource\" is not a field of Policy; write resources",
	}},
}

// TestFaults: each fault has its text, its line and, beyond the syntax, its column.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range faultRows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := policyfile.Parse("policy.yaml", []byte(tt.text))
			if p.Services != nil || p.Implies != nil || p.Resources != nil {
				t.Errorf("RPC-6: a policy beside faults: %v", p)
			}
			var want []string
			for _, text := range tt.want {
				want = append(want, "policy.yaml"+strings.Replace(text, "{rule}", `policyfile: services["a.v1.A"].rule`, 1))
			}
			if got := faultsOf(t, err); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestParserFails: a parser that panics does not end the server. It must run alone: it
// replaces the parser.
func TestParserFails(t *testing.T) {
	for want, unmarshal := range map[string]func([]byte, proto.Message) error{
		"policy.yaml: policyfile: makes the parser panic: oh": func([]byte, proto.Message) error { panic("oh") },
		"policy.yaml: policyfile: oh no":                      func([]byte, proto.Message) error { return errors.New("oh no") },
	} {
		restore := policyfile.ReplaceUnmarshal(unmarshal)
		_, err := policyfile.Parse("policy.yaml", []byte(requiring("read")))
		restore()
		if got := faultsOf(t, err); len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %s", got, want)
		}
	}
}

// TestManyFaults: a file that is another one altogether does not flood the log.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "key%d: 1\n", i)
	}
	_, err := policyfile.Parse("policy.yaml", []byte(text.String()))
	got := faultsOf(t, err)
	if len(got) != 100 || got[99] != "policy.yaml:100:1: policyfile: has further faults from here on; correct the others first" {
		t.Errorf("got %d faults, the last is %s", len(got), got[len(got)-1])
	}
}
