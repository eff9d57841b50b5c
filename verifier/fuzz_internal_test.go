package verifier

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

const fuzzIssuer = "https://login.example.com/a"

func isBound(err error) bool {
	return errors.Is(err, jwt.ErrTooDeep) || errors.Is(err, jwt.ErrTooMany)
}

// FuzzClaimsScan compares the scan of claims, which comes before the signature,
// with their check after it. The scan must not refuse what the check accepts.
func FuzzClaimsScan(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	p := claimsPolicy{issuer: fuzzIssuer, leeway: time.Minute, mapping: new(Mapping{}.copied())}
	for _, seed := range []string{
		`{"iss":"ISS","sub":"u","aud":"a","exp":1800000000}`,
		` { "iss" : "https:\/\/login.example.com\/a" , "sub" : "u" , "aud" : [ "a" ] , "exp" : 18E8 , "nbf" : 0 , "iat" : 0.5 } `,
		`{"iss":"ISS","sub":"u","aud":"a","exp":1800000000,"x":{"iss":"b","exp":[1,2,{"nbf":null}]}}`,
		`{"\u0069ss":"ISS","sub":"\u00fc","aud":"a","e\u0078p":1800000000,"ü":"\ud83d\ude00"}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":1800000000,"IAT":null,"Iss":1}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":nan}`, `{"iss":"ISS","exp":0x7fffffff}`, `{"iss":"ISS","exp":-0}`,
		"{\"iss\":\"ISS\",\"sub\":\"u\",\"aud\":[\"\xce\"],\"exp\":18E8}", `{"iss":"ISS","sub":"\udead","aud":"a","exp":1800000000}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "ISS", fuzzIssuer)
		scanErr := scanClaims(&p, text, now)
		claims, err := jwt.ParseObject([]byte(text))
		if err != nil || scanErr == nil || isBound(scanErr) {
			return
		}
		if !utf8.ValidString(text) || strings.Contains(strings.ToLower(text), `\ud`) {
			return // The decoder accepts what stands for no characters, and changes it.
		}
		if info, err := p.check(claims, true, now); err == nil && len(text) < 300 { // a longer date is refused
			t.Errorf("the scan got %v, the check accepted %+v", scanErr, info)
		}
	})
}

// FuzzHeader proves that the scan of a header reads it as go-jose does.
func FuzzHeader(f *testing.F) {
	p := newHeaderPolicy(JWTConfig{AcceptTypeJWT: true}.copied())
	for _, seed := range []string{
		`{"alg":"ES256"}`, `{"alg":"ES256","typ":"at+jwt","kid":"k"}`, `{"alg":"ES256","kid":null}`, `{"alg":"none"}`, `{"alg":"RS256","crit":null}`,
		`{"alg":"\u0045S256","typ":"application\/at+jwt","kid":"\/\u00fc\ud800"}`, "{\"alg\":\"ES256\",\"kid\":\"\xff\"}",
		`{"alg":"ES256","ki\u0064":"k","x":[{"a":1,"a":2}]}`, `{"alg":"ES256","jwk":{"kty":"oct","k":"AA"}}`, `{"alg":"ES256","b\u00364":true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		segment := jwt.Encoding.EncodeToString(data)
		scanned, err := p.scan(segment)
		if err != nil {
			return
		}
		object, err := jwt.ParseObject(data)
		if err != nil {
			return // refused by parse
		}
		parsed, err := p.parse(scanned)
		if err != nil && strings.Contains(err.Error(), "two ways") {
			t.Errorf("the scan got %+v, go-jose another key", scanned.key)
		}
		if object.Has("crit") || object.Has("b64") {
			t.Error("accepted an extension")
		}
		if typ, _ := object["typ"].(string); scanned.typed != slices.Contains([]string{"at+jwt", "application/at+jwt"}, strings.ToLower(typ)) {
			t.Errorf("typ is %q, typed is %v", typ, scanned.typed)
		}
		if id, _ := object["kid"].(string); id != scanned.key.id || object["alg"] != scanned.key.algorithm {
			t.Errorf("kid is %q and alg %q, got %+v", id, object["alg"], scanned.key)
		}
		if err == nil && (parsed.key != scanned.key || parsed.typed != scanned.typed || parsed.segment != segment) {
			t.Errorf("scanned %+v, parsed %+v", scanned, parsed)
		}
	})
}

// FuzzKeySet proves that what an issuer publishes neither breaks the parser nor
// the log, and that a key has one accepted algorithm.
func FuzzKeySet(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", `{"keys":[]}`, `{"keys":[null,1,{}]}`, `{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"},{"kty":"EC","kid":"\n","x5t":"abc"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc","alg":"EdDSA","key_ops":["verify"]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		result, err := parseKeySet(document, defaultAlgorithms)
		if (err == nil) != (len(result.keys) > 0) {
			t.Errorf("%d keys and %v", len(result.keys), err)
		}
		for _, key := range result.keys {
			if !slices.Contains(defaultAlgorithms, key.name.algorithm) || !key.key.Valid() || !key.key.IsPublic() {
				t.Errorf("accepted %+v", key)
			}
		}
		if text := result.unusable.String(); len(text) > maxList || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the log gets %q", text)
		}
	})
}

// FuzzMetadata proves that a key set is fetched from a protected address in a
// document that names the issuer.
func FuzzMetadata(f *testing.F) {
	p := &newProvider(JWTConfig{Issuer: fuzzIssuer}).metadata
	for _, seed := range []string{
		"", "null", "[]", `{"issuer":"ISS"}`, `{"issuer":"ISS","jwks_uri":"https://login.example.com/keys"}`, `{"issuer":"ISS/","jwks_uri":"https://login.example.com/keys"}`,
		`{"issuer":"ISS","jwks_uri":"http://localhost/keys"}`, `{"issuer":"{tenantid}","jwks_uri":"file:///etc/passwd"}`, `{"Issuer":"ISS","issuer":"x","jwks_uri":"//x"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "ISS", fuzzIssuer)
		address, err := p.parseMetadata([]byte(text))
		if (address == nil) == (err == nil) {
			t.Fatalf("got %v and %v", address, err)
		}
		if err != nil {
			return
		}
		document, err := jwt.ParseObject([]byte(text))
		if err != nil || document["issuer"] != fuzzIssuer || address.Scheme != "https" || address.Host == "" || !uri.IsProtected(address) {
			t.Errorf("got %v from %v", address, document)
		}
	})
}

// FuzzIntrospectionAnswer proves that nothing but a JSON object that says so makes a
// token active, and that its facts are those of the answer.
func FuzzIntrospectionAnswer(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	i := newIntrospector(IntrospectionConfig{Issuer: fuzzIssuer, ClientID: "c", ClientSecret: "s"}.copied(), nil, func() time.Time { return now })
	for _, seed := range []string{
		`{"active":true,"sub":"u","aud":"a"}`, `{"active":true,"sub":"u","aud":["a"],"iss":"ISS","exp":1800000000,"scope":"a b","client_id":"c"}`,
		`{"active":false}`, `{"active":"true","sub":"u","aud":"a"}`, `{"Active":true}`, `null`, `[]`, `{"active":true,"active":false}`,
		`{"active":true,"sub":"u","aud":"a","act":{"sub":"x","act":{"sub":"y"}},"cnf":{"jkt":"z"},"token_type":"DPoP","acr":"1","auth_time":1}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "ISS", fuzzIssuer)
		if jwt.ScanObject([]byte(text), nil) != nil {
			return
		}
		answer, err := jwt.ParseObject([]byte(text))
		if err != nil {
			return
		}
		active, subject := answer["active"], answer["sub"]
		got, err := i.judge(answer, now)
		if err != nil {
			return
		}
		if active != true || got.info.Subject != subject || got.info.Issuer != fuzzIssuer || len(got.info.Audience) == 0 || got.source != source(i) {
			t.Errorf("%s: got %+v", text, got.info)
		}
		if got.info.Expired(now) {
			t.Errorf("%s: has expired at %v", text, got.info.Expiry)
		}
	})
}
