package verifier_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestKeyNotUsable alters the issuer's only key so that no usable key is left.
func TestKeyNotUsable(t *testing.T) {
	alter := func(name string, value any) func(map[string]any) {
		return func(key map[string]any) { key[name] = value }
	}
	for _, row := range []struct {
		name   string
		edit   func(map[string]any)
		reason string
	}{
		{"use enc", alter("use", "enc"), "use is"},
		{"use number", alter("use", 1), `kid "ES256-1"`},
		{"key_ops sign", alter("key_ops", []string{"sign"}), "key_ops"},
		{"key_ops empty", alter("key_ops", []string{}), "key_ops"},
		{"key_ops string", alter("key_ops", "verify"), `kid "ES256-1"`},
		{"alg of another kind of key", alter("alg", "RS256"), "alg"},
		{"R8725-3.1 alg none", alter("alg", "none"), "alg"},
		{"alg of another curve", alter("alg", "ES384"), "alg"},
		{"unknown kty", alter("kty", "XYZ"), "unsupported"},
		{"unknown crv", alter("crv", "P-999"), `kid "ES256-1"`},
		{"not on the curve", alter("x", strings.Repeat("A", 43)), `kid "ES256-1"`},
		{"private and broken", alter("d", "AAAA"), `kid "ES256-1"`},
		{"private", privateKey, "PrivateKey"},
		{"symmetric", func(key map[string]any) { clear(key); key["kty"] = "oct"; key["k"] = strings.Repeat("A", 43) }, "no kid"},
		{"RSA of 1024 bits", func(key map[string]any) { rsaKey(key, 1024) }, "1024 bits"},
		{"RSA of 2040 bits", func(key map[string]any) { rsaKey(key, 2040) }, "2040 bits"},
		{"RSA of 16384 bits", func(key map[string]any) { rsaKey(key, 16384) }, `kid "ES256-1"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
			f.editKeySet(t, row.edit)
			_, err := f.verify(t, f.mint())
			if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), row.reason) {
				t.Errorf("got %v, want unavailable because of %s", err, row.reason)
			}
		})
	}
}

// privateKey makes the key a private one.
func privateKey(key map[string]any) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	document, err := jose.JSONWebKey{Key: private, KeyID: "ES256-1"}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	clear(key)
	if err := json.Unmarshal(document, &key); err != nil {
		panic(err)
	}
}

// rsaKey turns key into an RSA key. Its modulus is not a product of two primes
// but has the size.
func rsaKey(key map[string]any, bits int) {
	delete(key, "crv")
	delete(key, "y")
	key["kty"], key["alg"], key["e"] = "RSA", "RS256", "AQAB"
	key["n"] = base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, bits/8))
}

func TestKeyUsable(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(map[string]any)
	}{
		{"no use", func(key map[string]any) { delete(key, "use") }},
		{"no alg", func(key map[string]any) { delete(key, "alg") }},
		{"key_ops verify", func(key map[string]any) { key["key_ops"] = []string{"verify"} }},
		{"unknown member", func(key map[string]any) { key["exp"] = 1 }},
	} {
		for _, name := range []string{"ES256", "RS256", "EdDSA"} {
			t.Run(row.name+" "+name, func(t *testing.T) {
				f := newFixture(t, verifier.Config{}, name)
				f.editKeySet(t, row.edit)
				f.accepts(t, f.mint())
			})
		}
	}
}

// TestUnusableKeysAreSkipped proves that unusable keys do not affect the others
// in the set (RFC 7517 §5).
func TestUnusableKeysAreSkipped(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	good := strings.TrimPrefix(string(f.issuer.KeySet()), `{"keys":[`)
	f.issuer.HandleKeySet(authtest.Answer(200, "application/json",
		`{"keys":[null,1,{},{"kty":"XYZ"},{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQ","e":"AQAB"},`+good))
	f.accepts(t, f.mint())
}

// TestCurves has the algorithms that package authtest does not support.
func TestCurves(t *testing.T) {
	for _, row := range []struct {
		algorithm jose.SignatureAlgorithm
		curve     elliptic.Curve
	}{
		{jose.ES384, elliptic.P384()},
		{jose.ES512, elliptic.P521()},
	} {
		t.Run(string(row.algorithm), func(t *testing.T) {
			private, err := ecdsa.GenerateKey(row.curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Algorithms: []string{string(row.algorithm)}}}})
			set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "k"}}})
			if err != nil {
				t.Fatal(err)
			}
			f.issuer.HandleKeySet(authtest.Answer(200, "application/json", string(set)))
			f.accepts(t, signAgain(t, f.mint(), row.algorithm, private))
		})
	}
}

// signAgain returns a token with the claims of another one.
func signAgain(t *testing.T, raw string, algorithm jose.SignatureAlgorithm, private *ecdsa.PrivateKey) string {
	t.Helper()
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	key := jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: private, KeyID: "k"}}
	signer, err := jose.NewSigner(key, new(jose.SignerOptions).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	serialized, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return serialized
}
