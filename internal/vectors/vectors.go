// Package vectors reads test vectors.
package vectors

import (
	"encoding/json"
	"os"
	"testing"
)

// Read returns the vectors in a JSON file. It fails the test if there are none,
// or if one has a field that V lacks.
func Read[V any](tb testing.TB, path string) []V {
	tb.Helper()
	file, err := os.Open(path) //nolint:gosec // The path is one of a test.
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var all []V
	if err := decoder.Decode(&all); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	if len(all) == 0 {
		tb.Fatalf("%s holds no vectors", path)
	}
	return all
}
