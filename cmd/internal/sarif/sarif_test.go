package sarif_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/sarif"
)

// required are the properties that objects of the format must have: those of the schema of
// SARIF 2.1.0, and those that GitHub asks for besides. "[]" stands for every element.
var required = map[string][]string{
	"":                           {"version", "$schema", "runs"},
	"runs[]":                     {"tool", "results"},
	"runs[].tool":                {"driver"},
	"runs[].tool.driver":         {"name", "rules"},
	"runs[].tool.driver.rules[]": {"id", "shortDescription", "fullDescription", "help", "defaultConfiguration"},
	"runs[].tool.driver.rules[].shortDescription":                    {"text"},
	"runs[].tool.driver.rules[].fullDescription":                     {"text"},
	"runs[].tool.driver.rules[].help":                                {"text"},
	"runs[].results[]":                                               {"ruleId", "message", "locations", "partialFingerprints"},
	"runs[].results[].message":                                       {"text"},
	"runs[].results[].locations[]":                                   {"physicalLocation"},
	"runs[].results[].locations[].physicalLocation":                  {"artifactLocation", "region"},
	"runs[].results[].locations[].physicalLocation.artifactLocation": {"uri"},
	"runs[].results[].locations[].physicalLocation.region":           {"startLine"},
}

func TestSARIF(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	findings := []finding.Finding{
		{Rule: finding.Scope, File: "proto/a b/ä.proto", Line: 12, Column: 3, Subject: "policy: a", Message: `"x y" is not a scope`},
		{Rule: finding.NoRule, IsWarning: true, File: filepath.Join(directory, "a.proto"), Line: 1, Message: "has no rule"},
		{Rule: finding.PolicyFile, File: "../other/policy.yaml", Message: "is empty"},
		{Rule: finding.Resource, Message: "no place"},
		{Rule: finding.UnknownName, File: "a:b.yaml", Line: 1, Message: "a colon"},
	}
	log := write(t, findings, directory)
	check(t, log, "")
	run := log["runs"].([]any)[0].(map[string]any)
	rules := run["tool"].(map[string]any)["driver"].(map[string]any)["rules"].([]any)
	var uris []string
	for i, element := range run["results"].([]any) {
		result := element.(map[string]any)
		index := int(result["ruleIndex"].(float64))
		if id := rules[index].(map[string]any)["id"]; id != result["ruleId"] || id != findings[i].Rule.ID {
			t.Errorf("result %d is of rule %v, %v", i, id, result["ruleId"])
		}
		if level := result["level"]; (level == "warning") != findings[i].IsWarning {
			t.Errorf("result %d has level %v", i, level)
		}
		location := result["locations"].([]any)[0].(map[string]any)["physicalLocation"].(map[string]any)
		if line := location["region"].(map[string]any)["startLine"].(float64); line < 1 {
			t.Errorf("result %d is at line %v", i, line)
		}
		uris = append(uris, location["artifactLocation"].(map[string]any)["uri"].(string))
	}
	want := []string{"proto/a%20b/%C3%A4.proto", "a.proto", "file://" + filepath.Join(filepath.Dir(directory), "other", "policy.yaml"), ".", "./a:b.yaml"}
	if fmt.Sprint(uris) != fmt.Sprint(want) {
		t.Errorf("the files are %q, want %q", uris, want)
	}
}

// check checks the required properties of an object and of those inside of it.
func check(t *testing.T, value any, path string) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for _, name := range required[path] {
			if member, ok := value[name]; !ok || member == "" {
				t.Errorf("%s has no %s", path, name)
			}
		}
		for name, member := range value {
			check(t, member, strings.TrimPrefix(path+"."+name, "."))
		}
	case []any:
		for _, element := range value {
			check(t, element, path+"[]")
		}
	}
}

// TestFingerprints makes sure that a finding stays the same when lines before it move.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	of := func(line int, message string) any {
		log := write(t, []finding.Finding{{Rule: finding.Scope, File: "a.proto", Line: line, Message: message}}, "/")
		return log["runs"].([]any)[0].(map[string]any)["results"].([]any)[0].(map[string]any)["partialFingerprints"].(map[string]any)["drawbridge/v1"]
	}
	if of(1, "a") != of(2, "a") || of(1, "a") == of(1, "b") {
		t.Error("the fingerprint does not follow the finding")
	}
}

// TestNothing checks that a log without findings has an empty list of results: a code host
// then closes its alerts.
func TestNothing(t *testing.T) {
	t.Parallel()
	log := write(t, nil, "/")
	check(t, log, "")
	if results := log["runs"].([]any)[0].(map[string]any)["results"].([]any); len(results) != 0 {
		t.Errorf("the results are %v", results)
	}
}

// TestRuleIDs lists the IDs, which must not change.
func TestRuleIDs(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, rule := range finding.Rules() {
		ids = append(ids, strings.TrimPrefix(rule.ID, "drawbridge/"))
	}
	want := "proto-file policy-file unknown-name unknown-field no-rule weaker contradiction scope implication resource " +
		"claim identity authentication proof condition question unchecked"
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("the IDs are %s, want %s", got, want)
	}
}

func write(t *testing.T, findings []finding.Finding, directory string) map[string]any {
	t.Helper()
	var text bytes.Buffer
	if err := sarif.Write(&text, findings, directory, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	var log map[string]any
	if err := json.Unmarshal(text.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	return log
}
