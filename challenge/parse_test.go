package challenge_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// TestParseRoundTrip: each field of a challenge is read back as it was written.
func TestParseRoundTrip(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]challenge.Challenge{
		"R9728-5.a R9470-3 R9449-7.1 everything":   full(),
		"R9110-11.b realm":                         {Scheme: "Bearer", Realm: `a"b\c`},
		"R9728-5.a resource_metadata":              {Scheme: "Bearer", ResourceMetadataURL: base + wellKnown + "/mcp"},
		"R6750-3.b a scope":                        {Scheme: "Bearer", Scopes: []string{"a"}},
		"R6750-3.b scopes in order":                {Scheme: "Bearer", Scopes: []string{"b:write", "a:read", "https://x/y"}},
		"R6750-3.b error":                          {Scheme: "Bearer", Error: "invalid_token"},
		"R6750-3.b error_description":              {Scheme: "Bearer", ErrorDescription: "it's expired, = or not"},
		"R9470-3 acr_values":                       {Scheme: "Bearer", ACRValues: []string{"urn:gold", "urn:silver"}},
		"R9470-3 max_age":                          {Scheme: "Bearer", MaxAge: seconds(300)},
		"R9470-3 a max_age of zero":                {Scheme: "Bearer", MaxAge: seconds(0)},
		"R9470-3 the longest max_age":              {Scheme: "Bearer", MaxAge: seconds((1<<63 - 1) / int64(time.Second))},
		"R9449-7.1 algs":                           {Scheme: "DPoP", Algs: []string{"ES256", "EdDSA"}},
		"another scheme":                           {Scheme: "Basic", Realm: "x"},
		"a sentence with a comma and a second one": {Scheme: "Bearer", ErrorDescription: `a, Basic realm=x, error=y`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := challenge.Parse([]string{c.Header()})
			if err != nil || !reflect.DeepEqual(got, []challenge.Challenge{c}) {
				t.Errorf("%s\ngot  %+v, %v\nwant %+v", c.Header(), got, err, c)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	metadata := challenge.Challenge{Scheme: "Bearer", ResourceMetadataURL: base + wellKnown}
	for _, tt := range []struct {
		name   string
		values []string
		want   []challenge.Challenge
	}{
		{"no field", nil, nil},
		{"an empty field", []string{""}, nil},
		{"commas alone", []string{" , ,"}, nil},
		{"R9110-11.d a scheme alone", []string{"Negotiate"}, []challenge.Challenge{{Scheme: "Negotiate"}}},
		{"a token68", []string{"Negotiate YWJj="}, []challenge.Challenge{{Scheme: "Negotiate"}}},
		{
			"R9110-11.d several in a field", []string{`Basic realm="x", Bearer resource_metadata="` + base + wellKnown + `", DPoP algs="ES256"`},
			[]challenge.Challenge{{Scheme: "Basic", Realm: "x"}, metadata, {Scheme: "DPoP", Algs: []string{"ES256"}}},
		},
		{
			"R9110-11.d several fields", []string{`Basic realm="x"`, `Bearer resource_metadata="` + base + wellKnown + `"`},
			[]challenge.Challenge{{Scheme: "Basic", Realm: "x"}, metadata},
		},
		{"R9110-11.a names without regard to case", []string{`bearer REALM="x", Scope="a b"`}, []challenge.Challenge{{Scheme: "bearer", Realm: "x", Scopes: []string{"a", "b"}}}},
		{"R9110-11.c tokens without quotes", []string{`Bearer error=invalid_token, max_age=60`}, []challenge.Challenge{{Scheme: "Bearer", Error: "invalid_token", MaxAge: seconds(60)}}},
		{"unknown parameters", []string{`Bearer error_uri="https://x", realm="x", charset=utf-8`}, []challenge.Challenge{{Scheme: "Bearer", Realm: "x"}}},
		{"white space in a list", []string{`Bearer scope="  a   b "`}, []challenge.Challenge{{Scheme: "Bearer", Scopes: []string{"a", "b"}}}},
		{"an empty list", []string{`Bearer scope="", acr_values=" "`}, []challenge.Challenge{{Scheme: "Bearer"}}},
		{"R9470-3 a max_age that is not a number", []string{`Bearer max_age="soon"`}, []challenge.Challenge{{Scheme: "Bearer"}}},
		{"R9470-3 a negative max_age", []string{`Bearer max_age="-1"`}, []challenge.Challenge{{Scheme: "Bearer"}}},
		{"R9470-3 a max_age with a sign", []string{`Bearer max_age="+1"`}, []challenge.Challenge{{Scheme: "Bearer"}}},
		{"R9470-3 a max_age that overflows a duration", []string{`Bearer max_age="9223372036854775807"`}, []challenge.Challenge{{Scheme: "Bearer", MaxAge: seconds((1<<63 - 1) / int64(time.Second))}}},
		{"R9470-3 a max_age that overflows", []string{`Bearer max_age="9223372036854775808"`}, []challenge.Challenge{{Scheme: "Bearer"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := challenge.Parse(tt.values)
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("got %+v, %v, want %+v", got, err, tt.want)
			}
			for i, want := range tt.want {
				if !reflect.DeepEqual(got[i], want) {
					t.Errorf("challenge %d: got %+v, want %+v", i, got[i], want)
				}
			}
		})
	}
}

// TestParseSyntaxError: a malformed value is reported with its place, and quoted
// nowhere (RPC-7).
func TestParseSyntaxError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		values []string
		want   challenge.SyntaxError
	}{
		{"a parameter without a scheme", []string{`realm="secret"`}, challenge.SyntaxError{Reason: "parameter without a scheme before it"}},
		{"a string without an end", []string{`Bearer realm="secret`}, challenge.SyntaxError{Offset: 13, Reason: "quoted-string without an end"}},
		{"R6750-3.b a parameter twice, in the second value", []string{"Bearer", `Bearer error="secret", error="secret"`}, challenge.SyntaxError{Value: 1, Offset: 23, Reason: "second parameter of the same name"}},
		{"no comma", []string{`Bearer realm="secret" x`}, challenge.SyntaxError{Offset: 22, Reason: "no comma or space where one must be"}},
		{"a control character", []string{"Bearer realm=\"secret\x00\""}, challenge.SyntaxError{Offset: 20, Reason: "control character in a quoted-string"}},
		{"too long", []string{"Bearer", strings.Repeat(",", 64<<10)}, challenge.SyntaxError{Value: 1, Reason: "longer than 64 KiB in total"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			challenges, err := challenge.Parse(tt.values)
			var got *challenge.SyntaxError
			if !errors.As(err, &got) || challenges != nil {
				t.Fatalf("got %+v, %v", challenges, err)
			}
			if *got != tt.want {
				t.Errorf("got %+v, want %+v", *got, tt.want)
			}
			if text := err.Error(); strings.Contains(text, "secret") || !strings.HasSuffix(text, ": "+tt.want.Reason) {
				t.Errorf("RPC-7: the text is %q", text)
			}
		})
	}
	err := &challenge.SyntaxError{Value: 1, Offset: 23, Reason: "second parameter of the same name"}
	if got, want := err.Error(), "www-authenticate: value 1, byte 23: second parameter of the same name"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzParse: whatever a server sends, Parse does not panic, and a challenge that
// it returns is read back from its own header (R9110-11.c).
func FuzzParse(f *testing.F) {
	everything := full()
	for _, seed := range []string{
		"", everything.Header(), `Bearer`, `Basic realm="x", Bearer scope="a b", error=invalid_token`, "Negotiate YWJj=\nBearer max_age=60",
		`Bearer realm="a\"b\\c"`, `Bearer realm="x`, `realm=x`, "Bearer scope=\"\t a\"", `Bearer max_age="9223372036854775807"`, "Bearer realm=\"\u00fc\xff\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		challenges, err := challenge.Parse(strings.Split(lines, "\n"))
		if err != nil {
			var syntax *challenge.SyntaxError
			if !errors.As(err, &syntax) || challenges != nil {
				t.Fatalf("%q: got %+v, %v", lines, challenges, err)
			}
			return
		}
		for _, c := range challenges {
			wantReadBack(t, c)
		}
	})
}

// FuzzHeader: whatever a challenge holds, its header can be sent and is read back
// as one challenge (R6750-3.a, R6750-3.c).
func FuzzHeader(f *testing.F) {
	f.Add("Bearer", "a.v1.A", base+wellKnown, "a b", "invalid_token", "a sentence", "urn:gold", "ES256", int64(60))
	f.Add("", "", "", "", "", "", "", "", int64(-1))
	f.Add("DPoP", "\"\\\r\n", "\u00fc", "a\tb  c", "\xff", " ", "\x00", "\u00a0", int64(1<<62))
	f.Add("not a scheme", "x", "x", "x", "x", "x", "x", "x", int64(0))
	f.Fuzz(func(t *testing.T, scheme, realm, metadata, scopes, code, description, acr, algs string, maxAge int64) {
		c := challenge.Challenge{
			Scheme: scheme, Realm: realm, ResourceMetadataURL: metadata, Scopes: strings.Split(scopes, " "), Error: code,
			ErrorDescription: description, ACRValues: []string{acr, scopes}, Algs: []string{algs}, MaxAge: new(time.Duration(maxAge)),
		}
		wantReadBack(t, c)
	})
}

// wantReadBack fails unless the header of c is read back as one challenge with the
// same header, or as two if a token can be sent under DPoP as well.
func wantReadBack(t *testing.T, c challenge.Challenge) {
	t.Helper()
	header := c.Header()
	wantSendable(t, header)
	if header == "" {
		return // The scheme is not a token.
	}
	again, err := challenge.Parse([]string{header})
	if err != nil && len(header) > 64<<10 {
		return
	}
	if err != nil || len(again) != 1 && (len(again) != 2 || len(c.Algs) == 0 || again[1].Scheme != challenge.DPoP) {
		t.Fatalf("%q: got %+v, %v", header, again, err)
	}
	var parts []string
	for _, part := range again {
		parts = append(parts, part.Header())
	}
	if got := strings.Join(parts, ", "); got != header {
		t.Errorf("%q was read back as %q", header, got)
	}
}
