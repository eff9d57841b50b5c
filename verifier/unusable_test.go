package verifier_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// publish makes the issuer serve its keys and the given ones.
func (f *fixture) publish(t *testing.T, further ...map[string]any) {
	t.Helper()
	var set struct {
		Keys []any `json:"keys"`
	}
	if err := json.Unmarshal(f.issuer.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range further {
		set.Keys = append(set.Keys, key)
	}
	document, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	f.issuer.HandleKeySet(authtest.Answer(200, "application/json", string(document)))
}

// refresh makes the verifier fetch the key set again.
func (f *fixture) refresh(t *testing.T) {
	t.Helper()
	f.Advance(interval)
	f.fetches(t, 1, func() { f.accepts(t, f.mint()) })
}

// TestUnusableKeysAreLogged proves that a key that is passed over is logged, once
// until something changes.
func TestUnusableKeysAreLogged(t *testing.T) {
	x5t := map[string]any{"kty": "EC", "kid": "x5t", "x5t": "abc"}
	enc := map[string]any{"kty": "RSA", "kid": "enc", "use": "enc", "e": "AQAB", "n": strings.Repeat("_", 342) + "8"}
	nameless := map[string]any{"kty": "AKP"}
	number := map[string]any{"kty": "EC", "kid": 7}
	newline := map[string]any{"kty": "EC\n", "kid": "a\nb"}
	for _, row := range []struct {
		name  string
		steps [][]map[string]any
		want  []string // a part of each record; none for the others
	}{
		{"R7517-5 x5t", [][]map[string]any{{x5t}, {x5t}, {x5t}}, []string{`level=WARN msg="unusable keys of the issuer are passed over" issuer=ISS number=1 keys="kid \"x5t\": `}},
		{"R7517-5 encryption key", [][]map[string]any{{enc}, {enc}}, []string{`level=INFO msg="unusable keys of the issuer are passed over" issuer=ISS number=1 keys="kid \"enc\": use is \"enc\""`}},
		{"R7517-5 both", [][]map[string]any{{enc, x5t}}, []string{`level=WARN msg="unusable keys of the issuer are passed over" issuer=ISS number=2`}},
		{"R7517-5 another order", [][]map[string]any{{enc, x5t, nameless}, {nameless, x5t, enc}}, []string{"number=3"}},
		{"R7517-5 no kid", [][]map[string]any{{nameless}}, []string{`keys="no kid: `}},
		{"R7517-5 kid is no string", [][]map[string]any{{number}}, []string{`keys="no kid: `}},
		{"R7517-5 control characters", [][]map[string]any{{newline}}, []string{`keys="kid \"a\\nb\": `}},
		{"R7517-5 one more", [][]map[string]any{{x5t}, {x5t, enc}, {x5t, enc}}, []string{"number=1", "number=2"}},
		{"R7517-5 gone and back", [][]map[string]any{{x5t}, {}, {x5t}}, []string{"number=1", "number=1"}},
		{"R7517-5 none", [][]map[string]any{{}, {}}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			lines := make(logLines, 10)
			f := newFixture(t, verifier.Config{Logger: slog.New(slog.NewTextHandler(lines, nil))})
			for _, keys := range row.steps {
				f.publish(t, keys...)
				f.refresh(t)
			}
			// The outage ends the log, so that the records before it are complete.
			f.issuer.Down()
			f.Advance(coolDown)
			f.refuses(t, f.mint(unknownKey(1)), token.ErrUnavailable)
			for _, want := range append(slices.Clone(row.want), "cannot be fetched") {
				line, want := <-lines, strings.ReplaceAll(want, "ISS", f.issuer.URL)
				if !strings.Contains(line, want) {
					t.Errorf("log has %q, want %q in it", line, want)
				}
			}
		})
	}
}

// TestUnusableKeysAreBounded proves that a key set cannot flood the log.
func TestUnusableKeysAreBounded(t *testing.T) {
	for _, row := range []struct{ kty, kid, want string }{
		{"x", "k", "; 992 more"},
		{strings.Repeat("x", 300), strings.Repeat("\x01", 50), "kid"},
	} {
		lines := make(logLines, 10)
		f := newFixture(t, verifier.Config{Logger: slog.New(slog.NewTextHandler(lines, nil))})
		var keys []map[string]any
		for i := range 1000 {
			keys = append(keys, map[string]any{"kty": row.kty, "kid": fmt.Sprint(row.kid, i)})
		}
		f.publish(t, keys...)
		f.refresh(t)
		line := <-lines
		if !strings.Contains(line, "number=1000") || !strings.Contains(line, row.want) || len(line) > 2<<10 {
			t.Errorf("log has %d bytes: %q", len(line), line)
		}
	}
}

// TestTokenOfUnusableKey proves that the error of a token says that its key was
// passed over.
func TestTokenOfUnusableKey(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	raw := f.mint()
	f.issuer.RotateKeys()
	f.editKeySet(t, func(key map[string]any) {
		if key["kid"] == "ES256-1" {
			key["x5t"] = "abc"
		}
	})
	f.accepts(t, f.mint())
	f.Advance(coolDown)
	for range 2 {
		_, err := f.verify(t, raw)
		if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), `the key with kid "ES256-1" is passed over`) || !strings.Contains(err.Error(), "x5t") {
			t.Errorf("got %v", err)
		}
		f.Advance(coolDown)
		_, err = f.verify(t, f.mint(unknownKey(1)))
		if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), "is not in the key set") {
			t.Errorf("another key: got %v", err)
		}
		f.Advance(coolDown)
	}
}
