package verifier_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestInfo checks the facts that the Authorizer needs, above all the audience:
// the Authorizer decides whether a token is for the requested resource
// (R8707-2).
func TestInfo(t *testing.T) {
	f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Mapping: verifier.Mapping{Claims: []string{"tenant", "realm_access", "absent"}}}}})
	raw := f.mint(
		claim("aud", []string{api, "https://other.example.com"}),
		claim("scope", "inventory:read inventory:write"),
		claim("sid", "session-1"), claim("acr", "gold"), claim("auth_time", 1_700_000_000),
		claim("act", map[string]any{"sub": "agent", "act": map[string]any{"iss": "https://other.example.com", "client_id": "tool"}}),
		claim("tenant", "acme"),
		claim("realm_access", map[string]any{"roles": []string{"clerk"}}),
	)
	got, err := f.verify(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	want := &token.Info{
		Issuer:    f.issuer.URL,
		Subject:   "user-1",
		ClientID:  "client-1",
		SessionID: "session-1", Party: token.PartyUser, ACR: "gold", AuthTime: time.Unix(1_700_000_000, 0).UTC(), IssuedAt: f.Now().UTC(),
		Actor:    &token.Actor{Subject: "agent", Actor: &token.Actor{Issuer: "https://other.example.com", ClientID: "tool"}},
		Audience: []string{api, "https://other.example.com"},
		Scopes:   []string{"inventory:read", "inventory:write"},
		Expiry:   f.Now().Add(100*time.Hour + 30*time.Second).UTC(),
		Claims:   map[string]any{"tenant": "acme", "realm_access": map[string]any{"roles": []any{"clerk"}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	again, err := f.verify(t, raw)
	if err != nil || again != got {
		t.Errorf("the second call returned %p and %v, want the same %p", again, err, got)
	}
}

func TestAccepted(t *testing.T) {
	wide := verifier.JWTConfig{AcceptTypeJWT: true}
	for _, row := range []struct {
		name   string
		config verifier.JWTConfig
		alter  func(*authtest.Token)
	}{
		{"R9068-4.a at+jwt", verifier.JWTConfig{}, parameter("typ", "at+jwt")},
		{"R9068-4.a full media type", verifier.JWTConfig{}, parameter("typ", "application/at+jwt")},
		{"R9068-4.a media types have no case", verifier.JWTConfig{}, parameter("typ", "at+JWT")},
		{"R9068-4.a at+jwt with the option", wide, parameter("typ", "at+jwt")},
		{"R9068-4.a JWT with the option", wide, parameter("typ", "JWT")},
		{"R9068-4.a no typ with the option", wide, parameter("typ", authtest.Omit)},
		{"R9068-4.b aud array", verifier.JWTConfig{}, claim("aud", []string{api, "x"})},
		{"R9068-4.b exp with a fraction", verifier.JWTConfig{}, claim("exp", float64(time.Now().Unix())+3600.5)},
		{"R9068-2.2 no client_id", verifier.JWTConfig{}, claim("client_id", authtest.Omit)},
		{"R9068-2.2 no iat", verifier.JWTConfig{}, claim("iat", authtest.Omit)},
		{"R9068-2.2 no jti", verifier.JWTConfig{}, claim("jti", authtest.Omit)},
		{"no scope", verifier.JWTConfig{}, claim("scope", authtest.Omit)},
		{"Keycloak: typ Bearer among the claims", wide, claim("typ", "Bearer")},
		{"Cognito: token_use access", wide, claim("token_use", "access")},
		{"claim names have a case", verifier.JWTConfig{}, claim("Nonce", "x")},
		{"unknown header parameter", verifier.JWTConfig{}, parameter("x5t", "abc")},
		{"unknown header parameter null", verifier.JWTConfig{}, parameter("x5t", nil)},
		{"kid null and one key", verifier.JWTConfig{}, parameter("kid", nil)},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{row.config}})
			f.accepts(t, f.mint(row.alter))
		})
	}
}

// TestRefusedEarly has the faults that are found without a key. All are invalid
// tokens (R9068-4.c) and must not cause a fetch, however many arrive. The others
// are in TestRefusedLate.
func TestRefusedEarly(t *testing.T) {
	year := float64(365 * 24 * 3600)
	now := float64(time.Now().Unix())
	for _, row := range []struct {
		name   string
		alter  func(*authtest.Token)
		reason string
	}{
		{"R8725-3.1 HS256 with the public key", algorithm("HS256"), "alg is"},
		{"R8725-3.1 algorithm off the list", parameter("alg", "ES512"), "alg is"},
		{"R8725-3.1 algorithm missing", parameter("alg", authtest.Omit), "alg"},
		{"R8725-3.1 algorithm null", parameter("alg", nil), "alg"},
		{"R8725-3.1 algorithm in another case", parameter("alg", "es256"), "alg is"},
		{"R8725-3.2 none", func(t *authtest.Token) { t.Algorithm = "none" }, "segment"},
		{"R8725-3.2 none with a signature", parameter("alg", "none"), "alg is"},
		{"R8725-3.2 None with a signature", parameter("alg", "None"), "alg is"},
		{"R8725-3.8 foreign issuer", claim("iss", "https://evil.example.com"), "iss"},
		{"R7515-4.1.11 crit", parameter("crit", []string{"exp"}), "crit"},
		{"R7515-4.1.11 crit empty", parameter("crit", []string{}), "crit"},
		{"R7515-4.1.11 crit null", parameter("crit", nil), "crit"},
		{"R7797-6 b64", parameter("b64", true), "b64"},
		{"R7797-6 b64 null", parameter("b64", nil), "b64"},
		{"R7797-6 b64 that is critical", func(t *authtest.Token) {
			parameter("b64", true)(t)
			parameter("crit", []string{"b64"})(t)
		}, "crit"},
		{"R9068-4.a typ JWT", parameter("typ", "JWT"), "typ"},
		{"R9068-4.a typ missing", parameter("typ", authtest.Omit), "typ"},
		{"R9068-4.a typ number", parameter("typ", 1), "typ"},
		{"R9068-4.a typ null", parameter("typ", nil), "typ"},
		{"R9068-4.b iss missing", claim("iss", authtest.Omit), "iss"},
		{"R9068-4.b iss number", claim("iss", 7), "iss"},
		{"R9068-4.b exp missing", claim("exp", authtest.Omit), "exp is missing"},
		{"R9068-4.b exp null", claim("exp", nil), "exp"},
		{"R9068-4.b exp string", claim("exp", "4102444800"), "exp"},
		{"R9068-4.b exp negative", claim("exp", -1), "exp"},
		{"R9068-4.b exp in milliseconds", claim("exp", 4102444800000), "exp"},
		{"R9068-4.b exp beyond float64", claim("exp", json.Number("1e400")), "exp"},
		{"R9068-4.b expired", claim("exp", now-year), "expired"},
		{"R9068-4.b nbf in the future", claim("nbf", now+year), "nbf"},
		{"R9068-4.b nbf negative", claim("nbf", -1), "nbf"},
		{"R9068-4.b nbf string", claim("nbf", "0"), "nbf"},
		{"R9068-4.b iat in the future", claim("iat", now+year), "iat"},
		{"R9068-4.b iat null", claim("iat", nil), "iat"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{})
			f.fetches(t, 0, func() {
				_, err := f.verify(t, f.mint(row.alter))
				if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), row.reason) {
					t.Errorf("got %v, want an invalid token because of %s", err, row.reason)
				}
			})
			if n := f.issuer.DiscoveryRequests(); n != 0 {
				t.Errorf("%d discovery requests", n)
			}
		})
	}
}

// TestSignature proves R9068-4.c for tokens in which only the signature is
// wrong.
func TestSignature(t *testing.T) {
	for _, name := range []string{"ES256", "RS256", "EdDSA"} {
		f := newFixture(t, verifier.Config{}, name)
		good := f.mint()
		t.Run(name, func(t *testing.T) {
			f.accepts(t, good)
			f.Advance(time.Minute) // no cool-down hides a fetch
			f.fetches(t, 0, func() {
				f.refuses(t, authtest.Tamper(good), token.ErrInvalid)
				f.refuses(t, f.mint(forged), token.ErrInvalid)
				f.refuses(t, swapClaims(good, f.mint(claim("sub", "root"))), token.ErrInvalid)
			})
		})
	}
}

// swapClaims puts the claims of another token under the signature of this one.
func swapClaims(raw, other string) string {
	a, b := strings.Split(raw, "."), strings.Split(other, ".")
	return a[0] + "." + b[1] + "." + a[2]
}

// TestKeysInToken proves R8725-3.8 and R8725-3.10: a token that contains its
// own key, or the address of one, is checked with the keys of the issuer.
func TestKeysInToken(t *testing.T) {
	attacker := authtest.NewIssuer(t)
	var set struct{ Keys []any }
	if err := json.Unmarshal(attacker.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		value any
	}{
		{"jku", attacker.URL + "/keys"},
		{"x5u", attacker.URL + "/keys"},
		{"jwk", set.Keys[0]},
		{"x5c", []string{"MIIB"}},
		{"iss", attacker.URL},
	} {
		t.Run("R8725-3.10 "+row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{})
			raw := attacker.Mint(authtest.Token{
				Audience: []string{api},
				Claims:   map[string]any{"iss": f.issuer.URL},
				Header:   map[string]any{row.name: row.value},
			})
			f.refuses(t, raw, token.ErrInvalid)
		})
	}
	t.Run("R8725-3.8 the key of another issuer under the same id", func(t *testing.T) {
		f := newFixture(t, verifier.Config{})
		raw := attacker.Mint(authtest.Token{Audience: []string{api}, Claims: map[string]any{"iss": f.issuer.URL}})
		f.refuses(t, raw, token.ErrInvalid)
	})
	if n := attacker.KeySetRequests() + attacker.DiscoveryRequests(); n != 0 {
		t.Errorf("the attacker was asked %d times", n)
	}
}

func TestMalformed(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	good := f.mint()
	segments := strings.Split(good, ".")
	header := `{"alg":"ES256","typ":"at+jwt","kid":"ES256-1"}`
	claims := `{"iss":"` + f.issuer.URL + `","sub":"u","aud":"a","exp":4102444800}`
	key := strings.TrimSuffix(strings.TrimPrefix(string(f.issuer.KeySet()), `{"keys":[`), `]}`)
	f.accepts(t, f.issuer.Sign(header, claims))
	f.accepts(t, f.issuer.Sign(strings.Replace(header, "{", `{"jwk":`+key+",", 1), claims))
	for _, row := range []struct{ name, raw string }{
		{"empty", ""},
		{"one dot", "."},
		{"two dots", ".."},
		{"two segments", segments[0] + "." + segments[1]},
		{"four segments", good + ".x"},
		{"five segments (JWE)", good + ".x.y"},
		{"CVE-2025-30204 dot flood", strings.Repeat(".", 16<<10)},
		{"CVE-2025-27144 too long", strings.Repeat("a", 16<<10+1)},
		{"too long but good", good + strings.Repeat(" ", 16<<10)},
		{"leading space", " " + good},
		{"line break at the end", good + "\n"},
		{"line break inside", segments[0][:4] + "\n" + segments[0][4:] + "." + segments[1] + "." + segments[2]},
		{"padding", good + "=="},
		{"standard alphabet", segments[0] + "." + segments[1] + ".+/" + segments[2][2:]},
		{"line break in the signature", good[:len(good)-4] + "\r" + good[len(good)-4:]},
		{"unused bits of the signature", good[:len(good)-1] + nextLetter(good[len(good)-1])},
		{"unused bits of the header", f.respelled(0)},
		{"unused bits of the claims", f.respelled(1)},
		{"header not decodable", "a." + segments[1] + "." + segments[2]},
		{"claims not decodable", segments[0] + ".a." + segments[2]},
		{"JSON serialization", `{"payload":"` + segments[1] + `","protected":"` + segments[0] + `","signature":"` + segments[2] + `"}`},
		{"JSON serialization with two signatures", `{"payload":"` + segments[1] + `","signatures":[` +
			strings.Repeat(`{"protected":"`+segments[0]+`","signature":"`+segments[2]+`"},`, 2) + `{}]}`},
		{"header is not JSON", f.issuer.Sign("x", claims)},
		{"header is an array", f.issuer.Sign("[]", claims)},
		{"header is null", f.issuer.Sign("null", claims)},
		{"claims are not JSON", f.issuer.Sign(header, "x")},
		{"claims are an array", f.issuer.Sign(header, "[]")},
		{"claims are null", f.issuer.Sign(header, "null")},
		{"claims have a tail", f.issuer.Sign(header, claims+"{}")},
		{"claims nested deeply", f.issuer.Sign(header, strings.Repeat("[", 8000))},
		{"R7519-4 alg twice", f.issuer.Sign(`{"alg":"none","alg":"ES256","typ":"at+jwt"}`, claims)},
		{"R7519-4 duplicate name in a parameter", f.issuer.Sign(`{"alg":"ES256","typ":"at+jwt","x":[{"a":1,"a":1}]}`, claims)},
		{"R7519-4 duplicate name in jwk", f.issuer.Sign(strings.Replace(header, "{", `{"jwk":`+strings.Replace(key, "{", `{"y2":{"a":1,"a":1},`, 1)+",", 1), claims)},
		{"R7519-4 iss twice", f.issuer.Sign(header, `{"iss":"https://evil.example.com",`+claims[1:])},
		{"R7519-4 iss twice, once escaped", f.issuer.Sign(header, `{"\u0069ss":"https://evil.example.com",`+claims[1:])},
		{"R7515-4.1.4 kid is a number", f.mint(parameter("kid", 1))},
		{"R7515-4.1.4 kid is too long", f.mint(parameter("kid", strings.Repeat("x", 1<<10)))},
		{"R7515-4.1.4 kid is not JSON", f.issuer.Sign(`{"alg":"ES256","typ":"at+jwt","kid":"\x"}`, claims)},
		{"R7519-4 duplicate name in a claim", f.issuer.Sign(header, strings.Replace(claims, "{", `{"x":[{"a":1,"a":1}],`, 1))},
		{"R7519-4 claim that is not JSON", f.issuer.Sign(header, strings.Replace(claims, "{", `{"x":tru,`, 1))},
		{"R7519-4 exp that is not JSON", f.issuer.Sign(header, strings.Replace(claims, "4102444800", "0x7fffffff", 1))},
		{"R7519-4 exp that is not a number", f.issuer.Sign(header, strings.Replace(claims, "4102444800", "nan", 1))},
		{"header nested 65 levels deep", f.issuer.Sign(strings.Replace(header, "{", `{"x":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)+",", 1), claims)},
		{"header of 1,025 values", f.issuer.Sign(strings.Replace(header, "{", `{"x":[`+strings.Repeat("0,", 1020)+"0],", 1), claims)},
		{"claims nested 65 levels deep", f.issuer.Sign(header, strings.Replace(claims, "{", `{"x":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)+",", 1))},
		{"claims of 1,025 values", f.issuer.Sign(header, strings.Replace(claims, "{", `{"x":[`+strings.Repeat("0,", 1019)+"0],", 1))},
	} {
		t.Run(row.name, func(t *testing.T) {
			f.refuses(t, row.raw, token.ErrInvalid)
		})
	}
}

// TestUnusualSpelling has good tokens as few encoders write them, and some that
// are as large as a token may be.
func TestUnusualSpelling(t *testing.T) {
	const header = `{"alg":"ES256","typ":"at+jwt","kid":"ES256-1"}`
	f := newFixture(t, verifier.Config{CacheSize: -1})
	claims := `{"iss":"` + f.issuer.URL + `","sub":"u","aud":"a","exp":4102444800}`
	escaped := strings.ReplaceAll(f.issuer.URL, "/", `\/`)
	for _, row := range []struct{ name, header, claims string }{
		{"escaped slashes (PHP)", `{"alg":"ES256","typ":"application\/at+jwt","kid":"ES256-1"}`, strings.Replace(claims, f.issuer.URL, escaped, 1)},
		{"escaped letters", `{"\u0061lg":"\u0045S256","t\u0079p":"at\u002bjwt","ki\u0064":"ES256\u002d1"}`, strings.NewReplacer("iss", `\u0069ss`, "exp", `ex\u0070`, "http", `\u0068ttp`).Replace(claims)},
		{"spaces", " { \"alg\" : \"ES256\" ,\n\t\"typ\" : \"at+jwt\" , \"kid\" : \"ES256-1\" } ", strings.NewReplacer(`"exp":`, "\"exp\"\t:\r\n", ",", " , ", "{", " { ", "}", " } ").Replace(claims)},
		{"exp with an exponent", header, strings.Replace(claims, "4102444800", "41.024448E+8", 1)},
		{"names that are not ASCII", header, strings.Replace(claims, "{", "{\"\xc3\xbc\":\"\xc3\xbc\",", 1)},
		{"header nested 64 levels deep", strings.Replace(header, "{", `{"x":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+",", 1), claims},
		{"header of 1,024 values", strings.Replace(header, "{", `{"x":[`+strings.Repeat("0,", 1019)+"0],", 1), claims},
		{"claims nested 64 levels deep", header, strings.Replace(claims, "{", `{"x":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+",", 1)},
		{"claims of 1,024 values", header, strings.Replace(claims, "{", `{"x":[`+strings.Repeat("0,", 1018)+"0],", 1)},
		{"kid null and one key", `{"alg":"ES256","typ":"at+jwt","kid":null}`, claims},
		{"long header", strings.Replace(header, "{", `{"x":"`+strings.Repeat("x", 5<<10)+`",`, 1), claims},
	} {
		t.Run(row.name, func(t *testing.T) {
			for range 2 { // the second time with a header that is known
				f.accepts(t, f.issuer.Sign(row.header, row.claims))
			}
		})
	}
}

// TestLength proves that the limit is 16 KiB, with a token that is good in
// every other respect.
func TestLength(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	f.accepts(t, f.mint(claim("padding", strings.Repeat("x", 11<<10))))
	long := f.mint(claim("padding", strings.Repeat("x", 12<<10)))
	_, err := f.verify(t, long)
	if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), "longer than 16384 bytes") {
		t.Errorf("%d bytes: got %v", len(long), err)
	}
}

// nextLetter returns the letter of base64url that differs in the last bit only,
// which is unused in a last letter, unless the length is a multiple of four.
func nextLetter(c byte) string { return string(rune(c + 1)) }

// respelled returns a good token with another spelling of one of its segments,
// which a lenient decoder does not distinguish.
func (f *fixture) respelled(segment int) string {
	for padding := ""; ; padding += "x" {
		segments := strings.Split(f.mint(parameter("x", padding), claim("x", padding)), ".")
		if s := segments[segment]; len(s)%4 != 0 {
			segments[segment] = s[:len(s)-1] + nextLetter(s[len(s)-1])
			return strings.Join(segments, ".")
		}
	}
}

// TestLeeway proves the bounds of R9068-4.b to the nanosecond.
func TestLeeway(t *testing.T) {
	const leeway = 10 * time.Second
	for _, row := range []struct {
		name   string
		claim  string
		offset time.Duration // of the claim, from now
		want   error
	}{
		{"R9068-4.b exp just before the end of the leeway", "exp", -9 * time.Second, nil},
		{"R9068-4.b exp at the end of the leeway", "exp", -leeway, token.ErrInvalid},
		{"R9068-4.b nbf at the end of the leeway", "nbf", leeway, nil},
		{"R9068-4.b nbf after the leeway", "nbf", leeway + time.Second, token.ErrInvalid},
		{"R9068-4.b iat at the end of the leeway", "iat", leeway, nil},
		{"R9068-4.b iat after the leeway", "iat", leeway + time.Second, token.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Leeway: leeway}}})
			raw := f.mint(claim(row.claim, f.Now().Add(row.offset).Unix()))
			if _, err := f.verify(t, raw); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

// TestExpiryOfKnownToken proves that a remembered token expires with its exp.
func TestExpiryOfKnownToken(t *testing.T) {
	f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Leeway: time.Second}}})
	raw := f.mint(func(t *authtest.Token) { t.Lifetime = time.Minute })
	info, err := f.verify(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	f.Advance(info.Expiry.Sub(f.Now()) - 1)
	f.accepts(t, raw)
	f.Advance(1)
	f.refuses(t, raw, token.ErrInvalid)
}

// TestCancelledBefore proves that a known token needs no context.
func TestCancelledBefore(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	raw := f.mint()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.issuer.Down()
	if _, err := f.verifier.VerifyToken(ctx, raw, nil); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("unknown token: got %v", err)
	}
	f.issuer.Up()
	f.verifier.AwaitFetch()
	f.Advance(time.Second)
	f.accepts(t, raw)
	if _, err := f.verifier.VerifyToken(ctx, raw, nil); err != nil {
		t.Errorf("known token: got %v", err)
	}
}

// TestAcceptsIssuer proves that the verifier accepts exactly the issuers that it
// says it accepts (R9728-2.e).
func TestAcceptsIssuer(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	url := f.issuer.URL
	for _, row := range []struct {
		name, issuer string
		want         bool
	}{
		{"R9728-2.e its own", url, true},
		{"R9728-2.e with a slash", url + "/", false},
		{"R9728-2.e in capitals", strings.ToUpper(url), false},
		{"R9728-2.e with a path", url + "/realms/one", false},
		{"R9728-2.e a prefix", url[:len(url)-1], false},
		{"R9728-2.e another", login, false},
		{"R9728-2.e none", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := f.verifier.AcceptsIssuer(row.issuer); got != row.want {
				t.Errorf("got %v", got)
			}
			if _, err := f.verify(t, f.mint(claim("iss", row.issuer))); (err == nil) != row.want {
				t.Errorf("a token of that issuer: got %v", err)
			}
		})
	}
}
