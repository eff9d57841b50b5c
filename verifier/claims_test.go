package verifier_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestRefusedLate has the faults that are found when the signature has been
// checked: before, claims are scanned for the issuer and the time alone. All are
// invalid tokens (R9068-4.c).
func TestRefusedLate(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	for _, row := range []struct {
		name   string
		alter  func(*authtest.Token)
		reason string
	}{
		{"R8725-3.9 aud missing", claim("aud", authtest.Omit), "aud is missing"},
		{"R8725-3.9 aud empty", claim("aud", ""), "aud is empty"},
		{"R8725-3.9 aud empty array", claim("aud", []string{}), "aud is empty"},
		{"R8725-3.9 aud array with an empty string", claim("aud", []string{api, ""}), "aud is empty"},
		{"R8725-3.9 aud null", claim("aud", nil), "aud"},
		{"R8725-3.9 aud number", claim("aud", 1), "aud"},
		{"R8725-3.9 aud array with a number", claim("aud", []any{api, 1}), "aud"},
		{"R9068-2.2 sub missing", claim("sub", authtest.Omit), "sub"},
		{"R9068-2.2 sub empty", claim("sub", ""), "sub"},
		{"R9068-2.2 sub number", claim("sub", 1), "sub"},
		{"client_id number", claim("client_id", 1), "client_id"},
		{"scope number", claim("scope", 1), "scope"},
		{"scope array with a number", claim("scope", []any{"a", 1}), "scope"},
		{"R9449-7.2 cnf null", claim("cnf", nil), "cnf"},
		{"R9449-7.2 cnf string", claim("cnf", "jkt"), "cnf"},
		{"R9449-7.2 cnf array", claim("cnf", []any{map[string]any{"jkt": "x"}}), "cnf"},
		{"R8705-3 cnf false", claim("cnf", false), "cnf"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := f.verify(t, f.mint(row.alter))
			if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), row.reason) {
				t.Errorf("got %v, want an invalid token because of %s", err, row.reason)
			}
			_, err = f.verify(t, f.mint(row.alter, forged))
			if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), "signature is wrong") {
				t.Errorf("forged: got %v", err)
			}
		})
	}
}

// TestCauses proves that the errors, which are logged, say what was expected and
// what came.
func TestCauses(t *testing.T) {
	hour := func(name string, hours int) func(*authtest.Token) {
		return func(t *authtest.Token) { claim(name, t.IssuedAt.Add(time.Duration(hours)*time.Hour).Unix())(t) }
	}
	long := strings.Repeat("\x1b\u202e", 1000)
	for _, row := range []struct {
		name  string
		alter func(*authtest.Token)
		want  string // after "invalid token: "
	}{
		{"typ", parameter("typ", "JWT"), "header: typ is JWT: see AcceptTypeJWT"},
		{"no typ", parameter("typ", authtest.Omit), "header: typ is missing: see AcceptTypeJWT"},
		{"another typ", parameter("typ", "logout+jwt"), `header: typ is "logout+jwt", expected at+jwt`},
		{"alg", parameter("alg", "ES512"), `header: alg is "ES512", expected one of RS256, ES256, PS256, EdDSA`},
		{"iss", claim("iss", "https://evil.example.com"), `claims: iss is "https://evil.example.com", expected "ISS"`},
		{"iss with a slash", claim("iss", "ISS/"), `claims: iss is "ISS/", expected "ISS", which differs by a slash`},
		{"no iss", claim("iss", authtest.Omit), "claims: iss is missing or empty"},
		{"long iss", claim("iss", long), `claims: iss is "`},
		{"exp", hour("exp", -1), "claims: expired at NOW-1, 1h0m0s ago (leeway 30s)"},
		{"nbf", hour("nbf", 1), "claims: nbf is NOW+1, 1h0m0s in the future (leeway 30s)"},
		{"sub", claim("sub", authtest.Omit), "claims: sub is missing or empty: see AllowMissingSubject"},
		{"sub empty", claim("sub", ""), "claims: sub is missing or empty"},
		{"aud", claim("aud", 1), "claims: aud: must be a string or an array of strings"},
		{"typ claim", claim("typ", "ID"), `claims: the claim typ is "ID", so it is not an access token`},
		{"kid", parameter("kid", "new"), `no key fits: kid "new" is not in the key set of ISS`},
		{"long kid", parameter("kid", "x"+strings.Repeat("\x00", 100)), `no key fits: kid "x`},
		{"no kid", parameter("kid", authtest.Omit), "no kid, and 2 keys for ES256 are in the key set of ISS"},
		{"no kid, another algorithm", func(t *authtest.Token) { parameter("kid", authtest.Omit)(t); parameter("alg", "RS256")(t) }, "no key fits: no kid, and no key for RS256 is in the key set of ISS"},
		{"alg of another key", parameter("alg", "EdDSA"), `alg is EdDSA, and the key with kid "ES256-1" is for another algorithm`},
		{"signature", forged, `the signature is wrong (kid "ES256-1")`},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)}, "ES256", "EdDSA")
			old := f.mint(row.alter, func(t *authtest.Token) {
				if issuer, ok := t.Claims["iss"].(string); ok {
					t.Claims["iss"] = strings.Replace(issuer, "ISS", f.issuer.URL, 1)
				}
			})
			f.issuer.RotateKeys() // so that there are two keys
			_, err := f.verify(t, old)
			want := "invalid token: " + strings.NewReplacer(
				"ISS", f.issuer.URL,
				"NOW-1", f.Now().UTC().Add(-time.Hour).Format(time.RFC3339),
				"NOW+1", f.Now().UTC().Add(time.Hour).Format(time.RFC3339),
			).Replace(row.want)
			if cut := strings.HasPrefix(row.name, "long"); err == nil || err.Error() != want && !cut || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// TestOtherKinds has tokens of the same issuer, with the same key, that are not
// access tokens. With AcceptTypeJWT their typ does not distinguish them. A token
// whose typ is at+jwt is one, whatever claims it has (R9068-4.d), unless one of
// them names another kind.
func TestOtherKinds(t *testing.T) {
	type claims = map[string]any
	logout := claims{"http://schemas.openid.net/event/backchannel-logout": claims{}}
	const jwt, typed = 1, 2 // the types that are refused
	for _, row := range []struct {
		name    string
		claims  claims
		refused int
	}{
		{"R9068-4.d nonce", claims{"nonce": "n-0S6_WzA2Mj"}, jwt},
		{"R9068-4.d nonce null", claims{"nonce": nil}, jwt},
		{"R9068-4.d nonce, Keycloak 24", claims{"nonce": "n-0S6_WzA2Mj", "typ": "Bearer"}, 0},
		{"R9068-4.d nonce, another case", claims{"nonce": "n-0S6_WzA2Mj", "typ": "bearer"}, jwt},
		{"R9068-4.d nonce, another typ", claims{"nonce": "n-0S6_WzA2Mj", "typ": "DPoP"}, jwt},
		{"R9068-4.d nonce, typ an array", claims{"nonce": "n-0S6_WzA2Mj", "typ": []string{"Bearer"}}, jwt},
		{"R9068-4.d at_hash", claims{"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}, jwt},
		{"R9068-4.d at_hash and Bearer", claims{"at_hash": "77QmUPtjPfzWtF2AnpK9RQ", "typ": "Bearer"}, jwt},
		{"R9068-4.d c_hash and Bearer", claims{"c_hash": "LDktKdoQak3Pk0cnXxCltA", "typ": "Bearer"}, jwt},
		{"R9068-4.d s_hash and Bearer", claims{"s_hash": "LDktKdoQak3Pk0cnXxCltA", "typ": "Bearer"}, jwt},
		{"R9068-4.d events and Bearer", claims{"events": logout, "typ": "Bearer"}, jwt},
		{"R9068-4.a ID token of Keycloak", claims{"typ": "ID"}, jwt | typed},
		{"R9068-4.a refresh token of Keycloak", claims{"typ": "Refresh"}, jwt | typed},
		{"R9068-4.a offline token of Keycloak", claims{"typ": "Offline"}, jwt | typed},
		{"R9068-4.a logout token of Keycloak", claims{"typ": "Logout"}, jwt | typed},
		{"R9068-4.a ID token of Cognito", claims{"token_use": "id"}, jwt | typed},
		{"R9068-4.a access token of Cognito", claims{"token_use": "access"}, 0},
	} {
		for _, as := range []struct {
			typ  any
			kind int
		}{{"JWT", jwt}, {authtest.Omit, jwt}, {"at+jwt", typed}, {"application/at+jwt", typed}} {
			t.Run(fmt.Sprint(row.name, " as ", as.typ), func(t *testing.T) {
				f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{AcceptTypeJWT: true}}})
				raw := f.mint(func(t *authtest.Token) { t.Claims = row.claims }, parameter("typ", as.typ))
				for range 2 { // the second time with a header that is known
					_, err := f.verify(t, raw)
					if refused := row.refused&as.kind != 0; refused != errors.Is(err, token.ErrInvalid) || !refused && err != nil {
						t.Errorf("got %v, want refused to be %v", err, refused)
					}
				}
			})
		}
	}
}

// TestOtherTypes has the types of other tokens.
func TestOtherTypes(t *testing.T) {
	for _, typ := range []any{"logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "at+jwtx", "application/x", nil} {
		t.Run(fmt.Sprint("R9068-4.a typ ", typ), func(t *testing.T) {
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{AcceptTypeJWT: true}}})
			f.refuses(t, f.mint(parameter("typ", typ)), token.ErrInvalid)
		})
	}
}

// TestConfirmation proves that the verifier keeps the key that a token is bound
// to, which the Authorizer checks. A bound token must not look like a bearer
// token.
func TestConfirmation(t *testing.T) {
	for _, row := range []struct {
		name string
		cnf  any
		want map[string]any
	}{
		{"bearer token", authtest.Omit, nil},
		{"R9449-7.2 DPoP-bound", map[string]any{"jkt": "x"}, map[string]any{"jkt": "x"}},
		{"R8705-3 bound to a certificate", map[string]any{"x5t#S256": "x"}, map[string]any{"x5t#S256": "x"}},
		{"R9449-7.2 unknown method", map[string]any{"jwk": map[string]any{"kty": "EC"}}, map[string]any{"jwk": map[string]any{"kty": "EC"}}},
		{"R9449-7.2 no method", map[string]any{}, map[string]any{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{})
			raw := f.mint(claim("cnf", row.cnf))
			for range 2 { // the second time from the cache
				info, err := f.verify(t, raw)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(info.Confirmation, row.want) {
					t.Errorf("got %#v, want %#v", info.Confirmation, row.want)
				}
			}
		})
	}
}

// TestClaimNames proves that names match in their exact case (CVE-2026-27896).
func TestClaimNames(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	info, err := f.verify(t, f.mint(
		claim("Scope", "admin"), claim("SCOPE", "admin"), claim("AUD", "https://other.example.com"),
		claim("Sub", "root"), claim("EXP", 1), claim("Iss", "https://evil.example.com"),
	))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != "user-1" || info.Scopes[0] != "inventory:read" || info.Audience[0] != api {
		t.Errorf("other names took effect: %+v", info)
	}
	f.refuses(t, f.mint(claim("aud", authtest.Omit), claim("AUD", api)), token.ErrInvalid)
}

func TestScopes(t *testing.T) {
	scopes := func(alter ...func(*authtest.Token)) []func(*authtest.Token) {
		return append([]func(*authtest.Token){claim("scope", authtest.Omit)}, alter...)
	}
	for _, row := range []struct {
		name   string
		claims []string
		alter  []func(*authtest.Token)
		want   []string
	}{
		{"absent", nil, scopes(), nil},
		{"empty", nil, scopes(claim("scope", "")), []string{}},
		{"string", nil, scopes(claim("scope", "a b")), []string{"a", "b"}},
		{"spaces in excess", nil, scopes(claim("scope", " a  b ")), []string{"a", "b"}},
		{"array", nil, scopes(claim("scope", []string{"a", "b"})), []string{"a", "b"}},
		{"scp string", nil, scopes(claim("scp", "a b")), []string{"a", "b"}},
		{"scp array", nil, scopes(claim("scp", []string{"a", "b"})), []string{"a", "b"}},
		{"scope wins", nil, scopes(claim("scope", "a"), claim("scp", "b")), []string{"a"}},
		{"an empty scope wins too", nil, scopes(claim("scope", ""), claim("scp", "b")), []string{}},
		{"configured claim", []string{"permissions"}, scopes(claim("scope", "a"), claim("permissions", []string{"b"})), []string{"b"}},
		{"R6749-3.3 a tab is no separator", nil, scopes(claim("scope", "a\tb c")), []string{"c"}},
		{"R6749-3.3 not scope-tokens", nil, scopes(claim("scope", []string{"a b", "", "ü", `q"`, `\`, "c"})), []string{"c"}},
		{"R6749-3.3 one element with a space", nil, scopes(claim("scope", []string{"a b"})), []string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Mapping: verifier.Mapping{Scopes: scopeClaims(row.claims)}}}})
			info, err := f.verify(t, f.mint(row.alter...))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(info.Scopes, row.want) {
				t.Errorf("got %q, want %q", info.Scopes, row.want)
			}
		})
	}
}

func TestClientID(t *testing.T) {
	type values = map[string]any
	for _, row := range []struct {
		name   string
		claims values
		want   string // "refused" for an invalid token
	}{
		{"client_id", values{"client_id": "a"}, "a"},
		{"azp (Keycloak, Auth0, Entra v2)", values{"azp": "b"}, "b"},
		{"cid (Okta)", values{"cid": "c"}, "c"},
		{"appid (Entra v1)", values{"appid": "d"}, "d"},
		{"client_id wins", values{"client_id": "a", "azp": "b", "cid": "c", "appid": "d"}, "a"},
		{"then azp", values{"azp": "b", "cid": "c", "appid": "d"}, "b"},
		{"then cid", values{"cid": "c", "appid": "d"}, "c"},
		{"an empty one does not count", values{"client_id": "", "azp": "", "cid": "", "appid": "d"}, "d"},
		{"none", values{}, ""},
		{"client_id number", values{"client_id": 1, "azp": "b"}, "refused"},
		{"azp number", values{"azp": 1, "cid": "c"}, "refused"},
		{"cid number, some other claim", values{"cid": 1, "appid": "d"}, "d"},
		{"appid number, some other claim", values{"appid": 1}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{})
			info, err := f.verify(t, f.mint(claim("client_id", authtest.Omit), func(t *authtest.Token) { maps.Copy(t.Claims, row.claims) }))
			switch {
			case row.want == "refused" && !errors.Is(err, token.ErrInvalid):
				t.Errorf("got %+v and %v, want an invalid token", info, err)
			case row.want != "refused" && (err != nil || info.ClientID != row.want):
				t.Errorf("got %+v and %v, want %q", info, err, row.want)
			}
		})
	}
}

// TestMissingSubject proves that a token without sub is accepted only by the
// option, and one with a sub that is none never.
func TestMissingSubject(t *testing.T) {
	for _, row := range []struct {
		name    string
		sub     any
		want    string
		allowed error // with the option
	}{
		{"R9068-2.2 sub", "user-7", "user-7", nil},
		{"R9068-2.2 sub missing (Keycloak 25)", authtest.Omit, "", nil},
		{"R9068-2.2 sub empty", "", "", token.ErrInvalid},
		{"R9068-2.2 sub null", nil, "", token.ErrInvalid},
		{"R9068-2.2 sub number", 1, "", token.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Mapping: verifier.Mapping{AllowMissingSubject: true}}}})
			info, err := f.verify(t, f.mint(claim("sub", row.sub)))
			if !errors.Is(err, row.allowed) || err == nil && (info.Subject != row.want || info.ClientID != "client-1") {
				t.Errorf("with the option: got %+v and %v", info, err)
			}
			if row.want == "" {
				strict := newFixture(t, verifier.Config{})
				strict.refuses(t, strict.mint(claim("sub", row.sub)), token.ErrInvalid)
			}
		})
	}
}
