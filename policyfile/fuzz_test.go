package policyfile_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"buf.build/go/protoyaml"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// FuzzParse: what is accepted means what protoyaml reads, and has no key twice (RPC-6).
// What is refused has faults that name the file.
func FuzzParse(f *testing.F) {
	for _, row := range faultRows {
		if len(row.text) < 1000 {
			f.Add(row.text)
		}
	}
	for _, row := range ruleRows {
		f.Add(inRule(row.text))
	}
	f.Add("services:\n A:\n  rule:\n   max_age: 0")
	f.Add("!]000]%00")
	f.Add("{\"services\": {\"a.v1.A\": {\"methods\": {\"Get\": {\"public\": true}}}}}")
	f.Add(`{"services": {"a.v1.A": {"rule": {"maxAge": "5s", "reason": "\ud83d\ude00\/"}}}}`)
	f.Add("\ufeffimplies: [{scope: a, implies: [b, c]}]\nresources: {r: {services: [s]}}\n")
	source := regexp.MustCompile(`^p:\d+$`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := policyfile.Parse("p", []byte(text))
		if err != nil {
			count := 0
			for found := range fault.All(err) {
				count++
				line := found.Error()
				if (found.Source != "p" && !strings.HasPrefix(found.Source, "p:")) || len(line) > 2048 || strings.ContainsFunc(line, unicode.IsControl) {
					t.Errorf("%q: got %q", text, line)
				}
			}
			if count == 0 || count > 100 {
				t.Errorf("%q: got %d faults, %v", text, count, err)
			}
			return
		}
		text = strings.TrimPrefix(text, "\ufeff")
		message := new(drawbridgev1.Policy)
		switch isJSON := json.Valid([]byte(text)); {
		case isJSON && protojson.Unmarshal([]byte(text), message) != nil:
			return // It has a duration of YAML.
		case isJSON:
		case protoyaml.Unmarshal([]byte(text), message) != nil:
			t.Fatalf("%q: protoyaml refuses it", text)
		}
		// The faults of a policy, which Compile returns, have sources of their own.
		if want := policy.FromProto(message, nil); !reflect.DeepEqual(exported(withoutSources(p)), exported(withoutSources(want))) {
			t.Errorf("%q: got %+v, want %+v", text, p, want)
		}
		if err := yaml.Unmarshal([]byte(text), new(map[string]any)); err != nil && !strings.Contains(text, `\`) {
			t.Errorf("%q: a strict parser: %v", text, err)
		}
		for name, service := range p.Services {
			if !source.MatchString(service.Source) || !service.Rule.IsZero() && !source.MatchString(service.Rule.Source) {
				t.Errorf("%q: %q has the sources %q and %q", text, name, service.Source, service.Rule.Source)
			}
			for method, rule := range service.Methods {
				if !source.MatchString(rule.Source) {
					t.Errorf("%q: the rule of %q has the source %q", text, method, rule.Source)
				}
			}
		}
		_, _ = policy.Compile(p)
	})
}

// exported returns what everybody can see of a policy.
func exported(p policy.Policy) policy.Policy {
	return policy.Policy{Services: p.Services, Implies: p.Implies, Resources: p.Resources}
}
