package drawbridge_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// snippet is a block of code in the README, and the comment above it that names
// the file it was taken from.
var snippet = regexp.MustCompile("(?s)(<!-- from (\\S+) -->\n)?```(?:go|proto|yaml)\n(.*?)```\n")

// TestREADME: every line of code that the README shows is compiled and tested
// elsewhere.
func TestREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := snippet.FindAllStringSubmatch(string(readme), -1)
	want := strings.Count(string(readme), "```go\n") + strings.Count(string(readme), "```proto\n") + strings.Count(string(readme), "```yaml\n")
	if len(found) != want || want < 7 {
		t.Errorf("found %d of %d snippets", len(found), want)
	}
	for _, match := range found {
		file, code := match[2], match[3]
		if file == "" {
			t.Errorf("no file is named for\n%s", code)
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(dedent(string(source)), dedent(code)) {
			t.Errorf("%s does not contain\n%s", file, code)
		}
	}
}

// dedent removes the indentation of every line, so that a part of a function may
// stand flush in the README.
func dedent(code string) string {
	lines := strings.Split(code, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}
