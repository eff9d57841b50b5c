package proof_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// TestProofSalt: the salt of PS256 is as long as its hash (RFC 7518 §3.5, R9449-4.3).
func TestProofSalt(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{})
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: &private.PublicKey}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	header, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "PS256", "jwk": key})
	if err != nil {
		t.Fatal(err)
	}
	info := &token.Info{Confirmation: map[string]any{"jkt": base64.RawURLEncoding.EncodeToString(thumbprint)}}
	for salt, good := range map[int]bool{sha256.Size: true, 1: false, 20: false, 64: false} {
		_, rest, _ := strings.Cut(f.prove(), ".")
		claims, _, _ := strings.Cut(rest, ".")
		input := base64.RawURLEncoding.EncodeToString(header) + "." + claims
		digest := sha256.Sum256([]byte(input))
		signature, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		err = checkBinding(t, f.dpop, info, request(input+"."+base64.RawURLEncoding.EncodeToString(signature)))
		if good != (err == nil) {
			t.Errorf("a salt of %d: got %v", salt, err)
		}
	}
}
