package drawbridge_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// requirement is the id at the beginning of a line of REQUIREMENTS.md.
var requirement = regexp.MustCompile(`(?m)^- ([A-Z]+\d*-\d[0-9a-z.]*) `)

// TestRequirements: a test names each requirement in REQUIREMENTS.md.
func TestRequirements(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("REQUIREMENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := proofs(t)
	found := requirement.FindAllStringSubmatch(string(list), -1)
	if len(found) < 50 {
		t.Errorf("found only %d requirements", len(found))
	}
	for _, match := range found {
		// R6750-3.a is not named by R6750-3.ab, nor MCP-1 by MCP-10.
		named := regexp.MustCompile(regexp.QuoteMeta(match[1]) + `($|[^0-9a-zA-Z.]|\.[^0-9a-z])`)
		if !slices.ContainsFunc(tests, named.MatchString) {
			t.Errorf("no test names %s", match[1])
		}
	}
}

// proofs returns the text of every test and test vector.
func proofs(t *testing.T) []string {
	t.Helper()
	var texts []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return filepath.SkipDir
		case strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") && strings.HasSuffix(path, ".json"):
			text, err := os.ReadFile(path)
			texts = append(texts, string(text))
			return err
		default:
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
