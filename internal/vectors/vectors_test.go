package vectors_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

type vector struct {
	ID   string `json:"id"`
	Want int    `json:"want"`
}

func TestRead(t *testing.T) {
	t.Parallel()
	got := vectors.Read[vector](t, "testdata/good.json")
	if want := []vector{{"RPC-5", 1}, {"RPC-6", 2}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// failing is a test that records its failure.
type failing struct {
	testing.TB

	text string
}

func (*failing) Helper() {}

func (f *failing) Fatal(args ...any) {
	f.text = fmt.Sprint(args...)
	runtime.Goexit()
}

func (f *failing) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }

// TestReadFails: vectors that test nothing fail the test.
func TestReadFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, content, want string }{
		{"no file", "", "no such file"},
		{"no vectors", "[]", "holds no vectors"},
		{"null", "null", "holds no vectors"},
		{"an unknown field", `[{"id": "RPC-5", "wants": 1}]`, `unknown field "wants"`},
		{"another type", `{"id": "RPC-5"}`, "cannot unmarshal object"},
		{"not JSON", `[`, "unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "vectors.json")
			if tt.content != "" {
				if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			inner := new(failing)
			done := make(chan struct{})
			go func() {
				defer close(done)
				vectors.Read[vector](inner, path)
			}()
			<-done
			if !strings.Contains(inner.text, tt.want) || !strings.Contains(inner.text, path) {
				t.Errorf("got %q, want %q", inner.text, tt.want)
			}
		})
	}
}
