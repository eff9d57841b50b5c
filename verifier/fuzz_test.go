package verifier_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// FuzzVerifyToken passes tokens that the issuer never signed. None may be
// accepted.
func FuzzVerifyToken(f *testing.F) {
	fix := newFixture(f, verifier.Config{JWT: []verifier.JWTConfig{{AcceptTypeJWT: true}}}, "ES256", "EdDSA")
	fix.accepts(f, fix.mint())
	signed := fix.mint()
	segments := strings.Split(signed, ".")
	for _, seed := range []string{
		"", ".", "..", "a.b.c", strings.Repeat(".", 100),
		segments[0] + "." + segments[1] + ".",
		segments[0] + ".." + segments[2],
		segments[1] + "." + segments[0] + "." + segments[2],
		signed + "\n", " " + signed, signed + ".x",
		authtest.Tamper(signed),
		fix.mint(forged),
		fix.mint(forged, parameter("kid", authtest.Omit)),
		fix.mint(algorithm("none")),
		fix.mint(algorithm("HS256")),
		fix.mint(forged, parameter("jwk", map[string]any{"kty": "oct", "k": "AAAA"})),
		fix.mint(forged, parameter("x5c", []string{"MIIB"})),
		`{"payload":"` + segments[1] + `","protected":"` + segments[0] + `","signature":"` + segments[2] + `"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		info, err := fix.verifier.VerifyToken(t.Context(), raw, nil)
		checkResult(t, raw, info, err)
		if err == nil {
			t.Errorf("accepted: %+v", info)
		}
	})
}

// FuzzClaims passes correctly signed tokens with arbitrary claims. The facts of
// an accepted token must be those that another decoder reads.
func FuzzClaims(f *testing.F) {
	fix := newFixture(f, verifier.Config{CacheSize: -1, JWT: []verifier.JWTConfig{{AcceptTypeJWT: true, Mapping: verifier.Mapping{Claims: []string{"tenant"}}}}})
	fix.accepts(f, fix.mint())
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `{"iss":1}`, `{"iss":"ISS"}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800}`,
		`{"iss":"ISS","sub":"u","aud":["a","b"],"exp":4102444800.5,"scope":"a b","tenant":{"a":[1,null]}}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800,"scp":["a","b c"],"azp":"c"}`,
		`{"iss":"ISS","sub":"u","aud":"a","AUD":"b","exp":4102444800,"Scope":"admin"}`,
		`{"iss":"ISS","iss":"x","sub":"u","aud":"a","exp":4102444800}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":1e400}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":"4102444800"}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800,"nonce":null}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800,"nonce":"n","typ":"Bearer"}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800,"at_hash":"n","typ":"Bearer"}`,
		`{"\u0069ss":"ISS","sub":"u","aud":"a","exp":41024448e2,"x":[[{}]]}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800,"cnf":{}}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800,"cnf":{"jkt":"x","":[{}]}}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800,"cnf":null}`,
		`{"iss":"ISS","sub":"u","aud":"a","exp":4102444800,"nbf":-1,"iat":{}}`,
	} {
		f.Add(true, seed)
		f.Add(false, seed)
	}
	f.Fuzz(func(t *testing.T, typed bool, claims string) {
		header := `{"alg":"ES256","typ":"JWT","kid":"ES256-1"}`
		if typed {
			header = `{"alg":"ES256","typ":"at+jwt","kid":"ES256-1"}`
		}
		claims = strings.ReplaceAll(claims, "ISS", fix.issuer.URL)
		raw := fix.issuer.Sign(header, claims)
		info, err := fix.verifier.VerifyToken(t.Context(), raw, nil)
		checkResult(t, raw, info, err)
		if err == nil {
			checkClaims(t, fix, claims, typed, info)
		} else if !errors.Is(err, token.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

func checkClaims(t *testing.T, fix *fixture, claims string, typed bool, info *token.Info) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal([]byte(claims), &want); err != nil {
		t.Fatalf("accepted claims that are not JSON: %v", err)
	}
	if want["iss"] != info.Issuer || info.Issuer != fix.issuer.URL {
		t.Errorf("iss is %v, got %q", want["iss"], info.Issuer)
	}
	if want["sub"] != info.Subject || info.Subject == "" {
		t.Errorf("sub is %v, got %q", want["sub"], info.Subject)
	}
	if len(info.Audience) == 0 || slices.Contains(info.Audience, "") {
		t.Errorf("aud is %v, got %q", want["aud"], info.Audience)
	}
	if !fix.Now().Before(info.Expiry) {
		t.Errorf("exp is %v, got %v", want["exp"], info.Expiry)
	}
	for name, value := range map[string]any{"typ": "ID", "token_use": "id"} {
		if want[name] == value {
			t.Errorf("accepted a token whose %s is %s", name, value)
		}
	}
	for _, name := range []string{"at_hash", "c_hash", "s_hash", "events", "nonce"} {
		bearer := name == "nonce" && want["typ"] == "Bearer"
		if _, ok := want[name]; ok && !typed && !bearer {
			t.Errorf("R9068-4.d accepted a token with %s", name)
		}
	}
	if confirmation, ok := want["cnf"]; ok != (info.Confirmation != nil) || ok && !reflect.DeepEqual(confirmation, any(info.Confirmation)) {
		t.Errorf("cnf is %v, got %v", confirmation, info.Confirmation)
	}
}
