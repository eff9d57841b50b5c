package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/check/checktest"
)

var update = flag.Bool("update", false, "write what is found into testdata/want, to be reviewed")

// A lintCase is a directory of testdata to check, and how. What is found stands in
// testdata/want, under the name of the case: in NAME.buf.txt by buf, and in
// NAME.checktest.txt by package checktest, whose compiler locates more of what is inside
// of a literal.
type lintCase struct {
	name    string
	dir     string
	file    string
	options map[string]any
	// isPart leaves the other files of the directory to be imported.
	isPart bool
	// isNewer gives Rule another field, quota.
	isNewer bool
}

var lintCases = []lintCase{
	{name: "clean", dir: "clean", file: "clean.proto"},
	{name: "options_valid", dir: "options_valid", file: "options.proto"},
	{name: "options_valid_newer", dir: "newer", file: "newer.proto", isNewer: true},
	{name: "rpc_has_rule", dir: "rpc_has_rule", file: "rules.proto"},
	{
		name: "rpc_has_rule_allowed", dir: "rpc_has_rule", file: "rules.proto",
		options: map[string]any{allowServicesWithoutRules: true},
	},
	{name: "scope_pattern", dir: "scope_pattern", file: "scopes.proto"},
	{
		name: "scope_pattern_option", dir: "scope_pattern", file: "scopes.proto",
		options: map[string]any{scopePatternOption: "scopes:(read|write)|https://example.com/.*"},
	},
	{name: "public_has_reason", dir: "public_has_reason", file: "public.proto"},
	{name: "weaker_method_has_reason", dir: "weaker_method", file: "weaker.proto"},
	{name: "imports", dir: "imports", file: "importing.proto", isPart: true},
}

// workspace makes a directory with the files of a case in module, and the schema of the
// options in proto.
func (c lintCase) workspace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	schemaFile := filepath.Join("proto", "drawbridge", "v1", "policy.proto")
	schemaText, err := os.ReadFile(filepath.Join("..", "..", schemaFile))
	if err != nil {
		t.Fatal(err)
	}
	if c.isNewer {
		schemaText = bytes.Replace(schemaText, []byte("\nmessage Rule {\n"), []byte("\nmessage Rule {\n  string quota = 1000;\n"), 1)
	}
	err = os.MkdirAll(filepath.Dir(filepath.Join(dir, schemaFile)), 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, schemaFile), schemaText, 0o600)
	}
	if err == nil {
		err = os.CopyFS(filepath.Join(dir, "module"), os.DirFS(filepath.Join("testdata", c.dir)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// check asks package check for what is wrong with the files of a case.
func (c lintCase) check(t *testing.T) (check.Response, error) {
	t.Helper()
	dir := c.workspace(t)
	request, err := (&checktest.RequestSpec{
		Files: &checktest.ProtoFileSpec{
			DirPaths:  []string{filepath.Join(dir, "module"), filepath.Join(dir, "proto")},
			FilePaths: []string{c.file},
		},
		Options: c.options,
	}).ToRequest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := check.NewClientForSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	return client.Check(t.Context(), request)
}

// finding returns what is found at a line and a column, which count from one, with the
// text that stands there.
func (c lintCase) finding(t *testing.T, file string, line, column int, rule, message string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", c.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Split(string(source), "\n")[line-1][column-1:]
	return fmt.Sprintf("%s:%d:%d: %s\n\t%s\n\t%s\n", file, line, column, rule, text, message)
}

// wants compares what was found with what is to be found.
func (c lintCase) wants(t *testing.T, by string, found []string) {
	t.Helper()
	got, name := strings.Join(found, ""), filepath.Join("testdata", "want", c.name+"."+by+".txt")
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
}

func TestSpec(t *testing.T) {
	checktest.SpecTest(t, spec)
}

func TestCheck(t *testing.T) {
	for _, c := range lintCases {
		t.Run(c.name, func(t *testing.T) {
			response, err := c.check(t)
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, a := range response.Annotations() {
				l := a.FileLocation()
				found = append(found, c.finding(t, l.FileDescriptor().ProtoreflectFileDescriptor().Path(),
					l.StartLine()+1, l.StartColumn()+1, a.RuleID(), a.Message()))
			}
			c.wants(t, "checktest", found)
		})
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		name    string
		options map[string]any
		want    []string
	}{
		{"unknown", map[string]any{"scope_patern": "a"}, []string{
			"options: scope_patern: is not an option of this plugin; the options are allow_services_without_rules and scope_pattern",
		}},
		{"all at once", map[string]any{scopePatternOption: true, allowServicesWithoutRules: "true"}, []string{
			"options: scope_pattern: is not a string",
			"options: allow_services_without_rules: is not a boolean",
		}},
		{"not an expression", map[string]any{scopePatternOption: "a:["}, []string{
			`options: scope_pattern: "a:[" is not a regular expression: missing closing ]; see https://github.com/google/re2/wiki/Syntax`,
		}},
		{"not an expression by itself", map[string]any{scopePatternOption: "a)|(b"}, []string{
			`options: scope_pattern: "a)|(b" is not a regular expression: unexpected ); see https://github.com/google/re2/wiki/Syntax`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := lintCases[0]
			c.options = test.options
			_, err := c.check(t)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
		})
	}
}
