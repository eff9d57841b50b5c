package jwt_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// decoded returns the object in a text.
func decoded(t *testing.T, text string) jwt.Object {
	t.Helper()
	object, err := jwt.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// TestMembers: a member that is not what it has to be is an error, and none is not.
func TestMembers(t *testing.T) {
	o := decoded(t, `{"text":"a","empty":"","number":1,"null":null,"list":["a","b"],"mixed":["a",1],"spaced":"a b"}`)
	for name, want := range map[string][4]bool{ // has, Text, RequiredText, Texts
		"text": {true, true, true, true}, "empty": {true, true, false, true}, "number": {true, false, false, false}, "null": {true, false, false, false},
		"list": {true, false, false, true}, "mixed": {true, false, false, false}, "absent": {false, true, false, false},
	} {
		_, text := o.Text(name)
		_, required := o.RequiredText(name)
		_, texts := o.Texts(name, strings.Fields)
		if got := [4]bool{o.Has(name), text == nil, required == nil, texts == nil}; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if got, _ := o.Texts("spaced", strings.Fields); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
}

// TestPeriod: dates are numbers of seconds, each of which may be absent.
func TestPeriod(t *testing.T) {
	p, err := decoded(t, `{"exp":1800000000,"iat":1.5}`).Period()
	if err != nil || !p.Expiry.Present || p.NotBefore.Present || p.Expiry.At.Unix() != 1_800_000_000 || !p.IssuedAt.At.Equal(time.Unix(1, 500_000_000)) {
		t.Errorf("got %+v and %v", p, err)
	}
	for _, text := range []string{`{"exp":"1"}`, `{"nbf":-1}`, `{"iat":null}`, `{"exp":1e308}`} {
		if p, err := decoded(t, text).Period(); err == nil || p != (jwt.Period{}) {
			t.Errorf("%s: got %+v and %v", text, p, err)
		}
	}
}

// TestText: what goes into a log is short and printable, whatever it was.
func TestText(t *testing.T) {
	for text, want := range map[string]string{"": `""`, "a\"\n": `"a\"\n"`, strings.Repeat("ä", 100): `"` + strings.Repeat("ä", 38) + `…"`} {
		if got := jwt.Quote(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := jwt.Printable("a\x00\u202eb" + strings.Repeat("x", 400)); !strings.HasPrefix(got, "a\ufffd\ufffdbx") || len(got) > jwt.MaxText {
		t.Errorf("got %q", got)
	}
}
