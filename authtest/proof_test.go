package authtest_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// proved checks a proof with another library than the one that made it: the typ,
// the embedded key, and the signature by that (R9449-4.3). It returns the claims.
func proved(t *testing.T, raw string) (key *jose.JSONWebKey, claims map[string]any) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA})
	if err != nil {
		return nil, nil
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != "dpop+jwt" || header.JSONWebKey == nil {
		return nil, nil
	}
	payload, err := signed.Verify(header.JSONWebKey)
	if err != nil {
		return nil, nil
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return header.JSONWebKey, claims
}

// TestProof: a proof is valid by default, with each algorithm.
func TestProof(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"", "ES256", "RS256", "EdDSA"} {
		t.Run("R9449-4.3 "+algorithm, func(t *testing.T) {
			t.Parallel()
			key := authtest.NewProofKey(t, algorithm)
			before := time.Now().Unix()
			raw := key.Prove(authtest.Proof{Method: "POST", URL: api + "/pkg.Service/Method?a=b#c"})
			embedded, claims := proved(t, raw)
			if embedded == nil {
				t.Fatalf("got %s", raw)
			}
			hash, err := embedded.Thumbprint(crypto.SHA256)
			if err != nil || base64.RawURLEncoding.EncodeToString(hash) != key.Thumbprint() || key.Confirmation()["jkt"] != key.Thumbprint() {
				t.Errorf("thumbprint is %x and %v, want %s", hash, err, key.Thumbprint())
			}
			if issued := claims["iat"].(float64); int64(issued) < before || int64(issued) > time.Now().Unix() {
				t.Errorf("iat is %v", issued)
			}
			if claims["htm"] != "POST" || claims["htu"] != api+"/pkg.Service/Method" || len(claims["jti"].(string)) < 16 || len(claims) != 4 {
				t.Errorf("claims are %v", claims)
			}
			if _, other := proved(t, key.Prove(authtest.Proof{})); other["jti"] == claims["jti"] {
				t.Errorf("two proofs have the jti %v", other["jti"])
			}
			header, _ := parts(t, raw)
			if header["alg"] == "" || len(header) != 3 || !reflect.DeepEqual(header["jwk"], any(key.JWK())) {
				t.Errorf("header is %v", header)
			}
		})
	}
}

func TestProofClaims(t *testing.T) {
	t.Parallel()
	key := authtest.NewProofKey(t, "")
	_, claims := proved(t, key.Prove(authtest.Proof{
		Method: "GET", URL: api, AccessToken: "token", Nonce: "nonce-1", IssuedAt: time.Unix(1_800_000_000, 999), ID: "id-1",
		Claims: map[string]any{"htm": authtest.Omit, "htu": "x", "further": true},
	}))
	hash := sha256.Sum256([]byte("token"))
	want := map[string]any{
		"htu": "x", "ath": base64.RawURLEncoding.EncodeToString(hash[:]), "nonce": "nonce-1", "iat": 1.8e9, "jti": "id-1", "further": true,
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("claims are %v, want %v", claims, want)
	}
}

// TestBadProofs: the proofs that must be refused because of their header or their
// signature can be made, and are what they should be.
func TestBadProofs(t *testing.T) {
	t.Parallel()
	key := authtest.NewProofKey(t, "")
	private := key.PrivateJWK()
	if private["d"] == nil || private["x"] != key.JWK()["x"] || key.JWK()["d"] != nil {
		t.Errorf("the private key is %v", private)
	}
	for _, tt := range []struct {
		name   string
		proof  authtest.Proof
		header map[string]any // nil for a parameter that is absent
	}{
		{"R9449-4.3 private key", authtest.Proof{Header: map[string]any{"jwk": private}}, map[string]any{"jwk": private}},
		{"R9449-4.3 no key", authtest.Proof{Header: map[string]any{"jwk": authtest.Omit}}, map[string]any{"jwk": nil}},
		{"R9449-4.3 another key", authtest.Proof{Header: map[string]any{"jwk": authtest.NewProofKey(t, "").JWK()}}, nil},
		{"R9449-4.3 wrong typ", authtest.Proof{Header: map[string]any{"typ": "JWT"}}, map[string]any{"typ": "JWT"}},
		{"R9449-4.3 no typ", authtest.Proof{Header: map[string]any{"typ": authtest.Omit}}, map[string]any{"typ": nil}},
		{"R9449-4.3 none", authtest.Proof{Algorithm: "none"}, map[string]any{"alg": "none"}},
		{"R9449-4.3 HS256", authtest.Proof{Algorithm: "HS256"}, map[string]any{"alg": "HS256"}},
		{"R9449-4.3 another algorithm", authtest.Proof{Header: map[string]any{"alg": "EdDSA"}}, map[string]any{"alg": "EdDSA"}},
		{"R9449-4.3 forged", authtest.Proof{Forged: true}, map[string]any{"alg": "ES256", "jwk": key.JWK()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw := key.Prove(tt.proof)
			header, _ := parts(t, raw)
			for name, want := range tt.header {
				if got := header[name]; !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
			if embedded, _ := proved(t, raw); embedded != nil {
				t.Errorf("%s is a good proof", raw)
			}
			if isSigned := !strings.HasSuffix(raw, "."); isSigned == (tt.proof.Algorithm == "none") {
				t.Errorf("got %s", raw)
			}
		})
	}
	raw := key.Sign(`{"alg":"ES256","alg":"none"}`, "not JSON")
	if want := base64.RawURLEncoding.EncodeToString([]byte("not JSON")); !strings.Contains(raw, "."+want+".") {
		t.Errorf("got %s, want %s in it", raw, want)
	}
}

// TestProofMistakes: a proof that cannot be made fails the test, or panics where
// there is none.
func TestProofMistakes(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]authtest.Proof{
		"another algorithm":   {Algorithm: "RS256"},
		"claim not encodable": {Claims: map[string]any{"f": func() {}}},
		"header not either":   {Header: map[string]any{"f": func() {}}},
	} {
		recorder := &recorder{TB: t}
		if got := authtest.NewProofKey(recorder, "").Prove(broken); got != "" || len(recorder.errors) != 1 {
			t.Errorf("%s: got %q and %q", name, got, recorder.errors)
		}
		if !panics(func() { authtest.NewProofKey(nil, "").Prove(broken) }) {
			t.Errorf("%s: no panic", name)
		}
	}
	if !panics(func() { authtest.NewProofKey(nil, "HS256") }) {
		t.Error("an unknown algorithm does not panic")
	}
	fatal := &fatal{recorder: recorder{TB: t}}
	if !panics(func() { authtest.NewProofKey(fatal, "HS256") }) || len(fatal.errors) != 1 {
		t.Errorf("got %q", fatal.errors)
	}
}

// fatal records what ends a test, and panics in place of the end.
type fatal struct{ recorder }

func (f *fatal) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic("ended")
}

func panics(call func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	call()
	return false
}
