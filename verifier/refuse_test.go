package verifier_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// The bounds of the memory for a token that is refused before its signature is
// checked, in bytes.
const (
	usualMemory   = 512
	hostileMemory = 16 << 10
)

// A refusal is a token that is refused, and the bytes that this may take.
type refusal struct {
	name, raw string
	most      uint64
}

// usualRefusals are tokens that clients send by mistake.
func usualRefusals(tb testing.TB, f *fixture) []refusal {
	tb.Helper()
	foreign := authtest.NewIssuer(tb, "RS256")
	return []refusal{
		{"opaque", strings.Repeat("garbage-", 80), usualMemory},
		{"garbage", strings.Repeat("garbage-", 10) + "." + strings.Repeat("garbage-", 40) + "." + strings.Repeat("garbage-", 43), usualMemory},
		{"expired", f.mint(func(t *authtest.Token) { t.Lifetime = -time.Hour }), usualMemory},
		{"early", f.mint(claim("nbf", f.Now().Add(time.Hour).Unix())), usualMemory},
		{"foreign", foreign.Mint(authtest.Token{Audience: []string{api}, Scope: "a b", Header: map[string]any{"kid": "another"}}), usualMemory},
		{"none", f.mint(parameter("alg", "none")), usualMemory},
		{"typ", f.mint(parameter("typ", "JWT")), usualMemory},
		{"id", f.mint(parameter("typ", "JWT"), claim("nonce", "n-0S6_WzA2Mj"), claim("at_hash", "77QmUPtjPfzWtF2AnpK9RQ")), usualMemory},
	}
}

// hostileRefusals are tokens of almost 16 KiB that try to be expensive. Some have
// the right issuer and have not expired, but none is worth a signature check.
func hostileRefusals(f *fixture) []refusal {
	const header = `{"alg":"RS256","typ":"at+jwt","kid":"RS256-1"}`
	good := fmt.Sprintf(`"iss":%q,"exp":%d`, f.issuer.URL, f.Now().Add(time.Hour).Unix())
	// fill repeats a pattern so that the token has almost 16 KiB.
	fill := func(pattern string) string { return strings.Repeat(pattern, 11900/len(pattern)) }
	encode := base64.RawURLEncoding.EncodeToString
	raw := func(header, claims string) string {
		return encode([]byte(header)) + "." + encode([]byte(claims)) + ".AAAA"
	}
	unknown := strings.Replace(header, "RS256-1", "unknown", 1)
	rows := []refusal{
		{name: "dots", raw: strings.Repeat(".", token.MaxLength)},
		{name: "letters", raw: strings.Repeat("A", token.MaxLength)},
		{name: "notBase64", raw: raw(header, fill("x")) + "#"},
		{name: "deep", raw: raw(header, fill("["))},
		{name: "deepMember", raw: raw(header, `{"x":`+fill("["))},
		{name: "deepObjects", raw: raw(header, fill(`{"x":`))},
		{name: "wide", raw: raw(header, `{`+good+`,"x":[`+fill("0,")+"0]}")},
		{name: "wideMembers", raw: raw(header, `{`+good+`,`+fill(`"x":0,`)+`"x":0}`)},
		{name: "wideEscaped", raw: raw(unknown, `{`+good+`,`+fill(`"\u0069sx":0,`)+`"x":0}`)},
		{name: "escapedIssuer", raw: raw(header, `{"iss":"`+fill(`\/`)+`"}`)},
		{name: "longIssuer", raw: raw(header, `{"iss":"`+fill("x")+`"}`)},
		{name: "longExpiry", raw: raw(header, `{"iss":"`+f.issuer.URL+`","exp":`+fill("1")+`}`)},
		{name: "spaces", raw: raw(header, `{`+good+fill(" "))},
		{name: "unknownKey", raw: raw(unknown, `{`+good+`,"x":[`+strings.Repeat("0,", 1000)+`"`+fill("x")[2000:]+`"]}`)},
		{name: "headerDeep", raw: raw(`{"alg":"RS256","x":`+fill("["), "{}")},
		{name: "headerWide", raw: raw(`{"alg":"RS256","x":[`+fill("0,")+"0]}", "{}")},
		{name: "headerLongType", raw: raw(`{"alg":"RS256","typ":"`+fill("x")+`"}`, "{}")},
		{name: "headerLongKey", raw: raw(`{"alg":"RS256","typ":"at+jwt","kid":"`+fill(`\n`)+`"}`, "{}")},
		{name: "headerUnknownKey", raw: raw(strings.Replace(unknown, "{", `{"x":[`+strings.Repeat("0,", 1000)+`"`+fill("x")[2200:]+`"],`, 1), `{`+good+`}`)},
		{name: "headerJWK", raw: raw(strings.Replace(unknown, "{", `{"jwk":{"kty":"RSA","e":"AQAB","n":"`+fill("x")[200:]+`"},`, 1), `{`+good+`}`)},
	}
	for i := range rows {
		rows[i].most = hostileMemory
	}
	return rows
}

// TestRefusalTakesLittleMemory bounds the memory for tokens that are refused
// before their signature is checked. An operation of the decoder would exceed
// it.
func TestRefusalTakesLittleMemory(t *testing.T) {
	f := newFixture(t, verifier.Config{}, "RS256")
	f.accepts(t, f.mint()) // its header and the keys are known
	for _, row := range append(usualRefusals(t, f), hostileRefusals(f)...) {
		t.Run(row.name, func(t *testing.T) {
			if len(row.raw) > token.MaxLength {
				t.Fatalf("%d bytes are too many", len(row.raw))
			}
			ctx := t.Context()
			used := bytesPerRun(100, func() {
				if _, err := f.verifier.VerifyToken(ctx, row.raw, nil); err == nil {
					t.Error("accepted")
				}
			})
			if used > row.most {
				t.Errorf("%d bytes, want at most %d", used, row.most)
			}
		})
	}
}

// bytesPerRun is testing.AllocsPerRun for bytes. It returns the least of several
// measurements, because other goroutines allocate as well.
func bytesPerRun(runs uint64, run func()) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	run()
	least := uint64(math.MaxUint64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			run()
		}
		runtime.ReadMemStats(&after)
		least = min(least, (after.TotalAlloc-before.TotalAlloc)/runs)
	}
	return least
}
