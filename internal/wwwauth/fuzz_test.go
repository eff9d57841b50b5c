package wwwauth_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

// FuzzParseBuildParse: parsed challenges can be built, and are the same when they
// are parsed again.
func FuzzParseBuildParse(f *testing.F) {
	for _, v := range parseVectors(f) {
		f.Add(strings.Join(v.Values, "\n"))
	}
	f.Fuzz(func(t *testing.T, lines string) {
		parsed, err := wwwauth.Parse(strings.Split(lines, "\n"))
		if err != nil {
			return
		}
		var values []string
		for _, c := range parsed {
			header := c.String()
			wantSendable(t, header)
			values = append(values, header)
		}
		// Both forms of a list: a field line for each, and one for all.
		for _, again := range [][]string{values, {strings.Join(values, ", ")}} {
			wantParsed(t, again, parsed)
		}
	})
}

// FuzzBuildParse: whatever is built can be sent, and is parsed as the challenge
// that it was built from, after cleaning.
func FuzzBuildParse(f *testing.F) {
	for _, v := range buildVectors(f) {
		params := slices.Concat(v.Challenge.Params, make([][2]string, 2))
		f.Add(v.Challenge.Scheme, v.Challenge.Token68, params[0][0], params[0][1], params[1][0], params[1][1])
	}
	f.Fuzz(func(t *testing.T, scheme, token68, name1, value1, name2, value2 string) {
		c := wwwauth.Challenge{Scheme: scheme, Token68: token68, Params: []wwwauth.Param{
			{Name: name1, Value: value1}, {Name: name2, Value: value2},
		}}
		if name1 == "" && name2 == "" {
			c.Params = nil
		}
		header := c.String()
		wantSendable(t, header)
		if header == "" {
			return
		}
		wantParsed(t, []string{header}, []wwwauth.Challenge{written(c)})
	})
}

// written returns the part of c that is written to a header.
func written(c wwwauth.Challenge) wwwauth.Challenge {
	w := wwwauth.Challenge{Scheme: c.Scheme}
	for _, p := range c.Params {
		if isToken(p.Name) && p.Value != "" && w.Get(p.Name) == "" {
			w.Params = append(w.Params, p)
		}
	}
	if len(c.Params) == 0 && isToken68(c.Token68) {
		w.Token68 = c.Token68
	}
	return w
}

// wantParsed parses values and compares the result with the cleaned form of
// want.
func wantParsed(t *testing.T, values []string, want []wwwauth.Challenge) {
	t.Helper()
	got, err := wwwauth.Parse(values)
	if err != nil {
		t.Fatalf("%q: %v", values, err)
	}
	var cleaned []wwwauth.Challenge
	for _, c := range want {
		w := wwwauth.Challenge{Scheme: c.Scheme, Token68: c.Token68}
		for _, p := range c.Params {
			if p.Value != "" {
				w.Params = append(w.Params, wwwauth.Param{Name: p.Name, Value: clean(p.Name, p.Value)})
			}
		}
		cleaned = append(cleaned, w)
	}
	if !reflect.DeepEqual(got, cleaned) {
		t.Errorf("%q:\n got %+v\nwant %+v", values, got, cleaned)
	}
}

// wantSendable fails unless the header is visible ASCII and spaces.
func wantSendable(t *testing.T, header string) {
	t.Helper()
	for i := range len(header) {
		if header[i] < ' ' || header[i] > '~' {
			t.Fatalf("%q holds byte %#x", header, header[i])
		}
	}
}

func isToken(s string) bool {
	return s != "" && strings.Trim(s, alphanumeric+"!#$%&'*+-.^_`|~") == ""
}

func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	return body != "" && strings.Trim(body, alphanumeric+"-._~+/") == ""
}

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
