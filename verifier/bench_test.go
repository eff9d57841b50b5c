package verifier_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

var benchmarkAlgorithms = []string{"RS256", "ES256", "EdDSA"}

func benchmarkToken(b *testing.B, issuer *authtest.Issuer, lifetime time.Duration) string {
	b.Helper()
	return issuer.Mint(authtest.Token{
		Audience: []string{api},
		Scope:    "inventory:read inventory:write",
		Lifetime: lifetime,
	})
}

func benchmarkVerify(b *testing.B, config verifier.JWTConfig, algorithm string) {
	issuer := authtest.NewIssuer(b, algorithm)
	config.Issuer = issuer.URL
	v, err := verifier.NewJWT(config)
	if err != nil {
		b.Fatal(err)
	}
	token := benchmarkToken(b, issuer, time.Hour)
	ctx := b.Context()
	if _, err := v.VerifyToken(ctx, token); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.VerifyToken(ctx, token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyCached(b *testing.B) {
	benchmarkVerify(b, verifier.JWTConfig{}, "ES256")
}

func BenchmarkVerifyUncached(b *testing.B) {
	for _, algorithm := range benchmarkAlgorithms {
		b.Run(algorithm, func(b *testing.B) {
			benchmarkVerify(b, verifier.JWTConfig{CacheSize: -1}, algorithm)
		})
	}
}

// BenchmarkBareSignature is the limit of BenchmarkVerifyUncached: the same
// signature, checked by the standard library.
func BenchmarkBareSignature(b *testing.B) {
	for _, algorithm := range benchmarkAlgorithms {
		b.Run(algorithm, func(b *testing.B) {
			issuer := authtest.NewIssuer(b, algorithm)
			token := benchmarkToken(b, issuer, time.Hour)
			dot := strings.LastIndexByte(token, '.')
			signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
			if err != nil {
				b.Fatal(err)
			}
			var set jose.JSONWebKeySet
			if err := json.Unmarshal(issuer.KeySet(), &set); err != nil {
				b.Fatal(err)
			}
			input := []byte(token[:dot])
			b.ReportAllocs()
			for b.Loop() {
				if !bareVerify(set.Keys[0].Key, input, signature) {
					b.Fatal("wrong signature")
				}
			}
		})
	}
}

func bareVerify(key any, input, signature []byte) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		digest := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(input)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(key, digest[:], r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(key, input, signature)
	default:
		return false
	}
}

func BenchmarkRefuseExpired(b *testing.B) {
	issuer := authtest.NewIssuer(b)
	v, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer.URL})
	if err != nil {
		b.Fatal(err)
	}
	token := benchmarkToken(b, issuer, -time.Hour)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.VerifyToken(ctx, token); err == nil {
			b.Fatal("accepted")
		}
	}
}
