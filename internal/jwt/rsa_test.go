package jwt_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // for PS384 and PS512
	"math/big"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// TestHasFullSalt: a salt is as long as the hash (RFC 7518 §3.5).
func TestHasFullSalt(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := jwt.Compact{Header: "e30", Payload: "e30"}
	for algorithm, hash := range map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512} {
		for _, salt := range []int{1, 20, 32, 48, 64} {
			digest := hash.New()
			digest.Write([]byte("e30.e30"))
			signature, err := rsa.SignPSS(rand.Reader, key, hash, digest.Sum(nil), &rsa.PSSOptions{SaltLength: salt})
			if err != nil {
				t.Fatal(err)
			}
			want := salt == hash.Size()
			if got := jwt.HasFullSalt(algorithm, &key.PublicKey, c, signature); got != want {
				t.Errorf("%s with a salt of %d: got %v", algorithm, salt, got)
			}
			if jwt.HasFullSalt(algorithm, &other.PublicKey, c, signature) {
				t.Errorf("%s with another key", algorithm)
			}
		}
		if jwt.HasFullSalt(algorithm, ed25519.PublicKey(nil), c, nil) {
			t.Errorf("%s with a key of another kind", algorithm)
		}
	}
	if !jwt.HasFullSalt("ES256", nil, c, nil) {
		t.Error("an algorithm without a salt")
	}
}

func TestCheckRSA(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n    int64
		e    int
		want string
	}{
		{15, 3, ""},
		{15, 65537, ""},
		{15, 1<<31 - 1, ""},
		{15, 2, "RSA key with an unusable exponent"},
		{15, 1, "RSA key with an unusable exponent"},
		{15, 65536, "RSA key with an unusable exponent"},
		{15, 1<<31 + 1, "RSA key with an unusable exponent"},
		{16, 3, "RSA key with an even modulus"},
	} {
		err := jwt.CheckRSA(&rsa.PublicKey{N: big.NewInt(tt.n), E: tt.e})
		if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%d, %d: got %v", tt.n, tt.e, err)
		}
	}
}
