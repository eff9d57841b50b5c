package verifier

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// scanClaims judges claims as before the signature.
func scanClaims(p *claimsPolicy, text string, now time.Time) error {
	r := router{exact: map[string]source{p.issuer: new(issuer)}, expected: []string{p.issuer}}
	_, period, err := r.scan(jwt.Encoding.EncodeToString([]byte(text)))
	if err == nil {
		_, err = p.checkPeriod(period, now)
	}
	return err
}

// TestCheckDoesNotRelyOnScan passes claims that the scan refuses, with the check
// after the signature alone.
func TestCheckDoesNotRelyOnScan(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	p := claimsPolicy{issuer: fuzzIssuer, leeway: time.Second, mapping: new(Mapping{}.copied())}
	for _, row := range []struct{ name, claims, reason string }{
		{"good", `{"iss":"ISS","sub":"u","aud":"a","exp":1800000000,"nbf":1800000001,"iat":1800000001}`, ""},
		{"R8725-3.8 foreign issuer", `{"iss":"https://evil.example.com","sub":"u","aud":"a","exp":1800000000}`, "iss is"},
		{"R8725-3.8 a slash more", `{"iss":"ISS/","sub":"u","aud":"a","exp":1800000000}`, "differs by a slash"},
		{"R9068-4.b no iss", `{"sub":"u","aud":"a","exp":1800000000}`, "iss is missing"},
		{"R9068-4.b iss null", `{"iss":null,"sub":"u","aud":"a","exp":1800000000}`, "iss: must be a string"},
		{"R9068-4.b no exp", `{"iss":"ISS","sub":"u","aud":"a"}`, "exp is missing"},
		{"R9068-4.b exp null", `{"iss":"ISS","sub":"u","aud":"a","exp":null}`, "exp: not a NumericDate"},
		{"R9068-4.b expired", `{"iss":"ISS","sub":"u","aud":"a","exp":1799999999}`, "expired at"},
		{"R9068-4.b nbf", `{"iss":"ISS","sub":"u","aud":"a","exp":1800000000,"nbf":1800000002}`, "nbf is"},
		{"R9068-4.b iat", `{"iss":"ISS","sub":"u","aud":"a","exp":1800000000,"iat":1800000002}`, "iat is"},
		{"R9068-4.b nbf negative", `{"iss":"ISS","sub":"u","aud":"a","exp":1800000000,"nbf":-1}`, "nbf: not a NumericDate"},
		{"R9068-4.b iat string", `{"iss":"ISS","sub":"u","aud":"a","exp":1800000000,"iat":"1"}`, "iat: not a NumericDate"},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := strings.ReplaceAll(row.claims, "ISS", fuzzIssuer)
			claims, err := jwt.ParseObject([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.check(claims, true, now)
			if (err == nil) != (row.reason == "") || err != nil && !strings.Contains(err.Error(), row.reason) {
				t.Errorf("got %v, want %q", err, row.reason)
			}
			if scanErr := scanClaims(&p, text, now); (scanErr == nil) != (err == nil) {
				t.Errorf("the scan got %v", scanErr)
			}
		})
	}
}

// TestParseDoesNotRelyOnScan has headers that go-jose and the scan read
// differently, if that were possible.
func TestParseDoesNotRelyOnScan(t *testing.T) {
	p := newHeaderPolicy(JWTConfig{}.copied())
	for _, row := range []struct {
		name, segment string
		key           keyName
		reason        string
	}{
		{"good", jwt.Encoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k"}`)), keyName{"k", "ES256"}, ""},
		{"R8725-3.1 another alg", jwt.Encoding.EncodeToString([]byte(`{"alg":"RS256","kid":"k"}`)), keyName{"k", "ES256"}, "two ways"},
		{"R7515-4.1.4 another kid", jwt.Encoding.EncodeToString([]byte(`{"alg":"ES256","kid":"K"}`)), keyName{"k", "ES256"}, "two ways"},
		{"R8725-3.2 none", jwt.Encoding.EncodeToString([]byte(`{"alg":"none","kid":"k"}`)), keyName{"k", "none"}, "unexpected signature algorithm"},
		{"R7519-4 a duplicate name in a jwk", jwt.Encoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k","x":{"a":1,"a":1}}`)), keyName{"k", "ES256"}, "not JSON"},
		{"R7515-2 not base64url", "e#0", keyName{}, "not base64url"},
	} {
		t.Run(row.name, func(t *testing.T) {
			parsed, err := p.parse(&header{segment: row.segment, key: row.key})
			if (err == nil) != (row.reason == "") || err != nil && !strings.Contains(err.Error(), row.reason) {
				t.Errorf("got %+v and %v, want %q", parsed, err, row.reason)
			}
		})
	}
}

func TestIssuerError(t *testing.T) {
	for _, row := range []struct{ issuer, expected, want string }{
		{"", "a", "iss is missing or empty"},
		{"b", "a", `iss is "b", expected "a"`},
		{"a/", "a", `iss is "a/", expected "a", which differs by a slash`},
		{"a", "a/", `iss is "a", expected "a/", which differs by a slash`},
		{"a//", "a", `iss is "a//", expected "a"`},
	} {
		if got := (&issuerError{row.issuer, []string{row.expected}}).Error(); got != row.want {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
}

// TestScanHeader proves that the scan alone refuses these headers.
func TestScanHeader(t *testing.T) {
	for data, want := range map[string]string{
		`{"alg":"ES256"}`:                    "",
		`{}`:                                 `alg is "", expected one of RS256, ES256, PS256, EdDSA`,
		`{"alg":1}`:                          "alg: must be a string",
		`{"alg":null}`:                       "alg: must be a string",
		`{"alg":"none"}`:                     `alg is "none"`,
		`{"alg":"ES256","typ":[]}`:           "typ: must be a string",
		`{"alg":"ES256","typ":null}`:         "typ: must be a string",
		`{"alg":"ES256","kid":1}`:            "kid: must be a string",
		`{"alg":"ES256","kid":"\x"}`:         "kid: not JSON",
		"{\"alg\":\"ES256\",\"kid\":\"\n\"}": "kid: not JSON",
		`{"alg":"ES256","crit":null}`:        "crit and b64 are not supported",
		`{"alg":"ES256","b64":true}`:         "crit and b64 are not supported",
		`{"alg":"ES256","alg":"none"}`:       "alg appears twice",
		`{"alg":"ES256"`:                     "not JSON",
	} {
		p := newHeaderPolicy(JWTConfig{AcceptTypeJWT: true}.copied())
		_, err := p.scan(jwt.Encoding.EncodeToString([]byte(data)))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", data, err, want)
		}
	}
	for kid, want := range map[int]bool{maxParameter - 2: true, maxParameter - 1: false} {
		written := `"` + strings.Repeat("k", kid) + `"`
		if id, err := keyID([]byte(written)); (err == nil) != want || want && len(id) != kid {
			t.Errorf("kid of %d bytes: got %v", kid, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a b": "a b", "ü\u2028\x1b\n\xff": "ü\ufffd\ufffd\ufffd\ufffd",
		strings.Repeat("x", jwt.MaxText):          strings.Repeat("x", jwt.MaxText),
		strings.Repeat("x", jwt.MaxText+1):        strings.Repeat("x", jwt.MaxText-3) + "…",
		strings.Repeat("ü", jwt.MaxText):          strings.Repeat("ü", jwt.MaxText/2-2) + "…",
		strings.Repeat("\n", jwt.MaxText):         strings.Repeat("\ufffd", jwt.MaxText/3-1) + "…",
		strings.Repeat("x", jwt.MaxText) + "\x00": strings.Repeat("x", jwt.MaxText-3) + "…",
	} {
		if got := jwt.Printable(text); got != want || len(got) > jwt.MaxText {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got, want := jwt.Quote(strings.Repeat("\x00", 100)), `"`+strings.Repeat(`\x00`, jwt.MaxQuoted-3)+`…"`; got != want {
		t.Errorf("got %s", got)
	}
}
