package verifier_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

var benchmarkAlgorithms = []string{"RS256", "ES256", "EdDSA"}

func benchmarkToken(b *testing.B, issuer *authtest.Issuer) string {
	b.Helper()
	return issuer.Mint(authtest.Token{
		Audience: []string{api},
		Scope:    "inventory:read inventory:write",
		Lifetime: time.Hour,
	})
}

func benchmarkVerify(b *testing.B, config verifier.Config, algorithm string) {
	issuer := authtest.NewIssuer(b, algorithm)
	config.JWT = []verifier.JWTConfig{{Issuer: issuer.URL}}
	v, err := verifier.New(config)
	if err != nil {
		b.Fatal(err)
	}
	raw := benchmarkToken(b, issuer)
	ctx := b.Context()
	if _, err := v.VerifyToken(ctx, raw, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.VerifyToken(ctx, raw, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyCached(b *testing.B) {
	benchmarkVerify(b, verifier.Config{}, "ES256")
}

func BenchmarkVerifyUncached(b *testing.B) {
	for _, algorithm := range benchmarkAlgorithms {
		b.Run(algorithm, func(b *testing.B) {
			benchmarkVerify(b, verifier.Config{CacheSize: -1}, algorithm)
		})
	}
}

// BenchmarkBareSignature is the lower bound of BenchmarkVerifyUncached: the
// standard library checks the same signature.
func BenchmarkBareSignature(b *testing.B) {
	for _, algorithm := range benchmarkAlgorithms {
		b.Run(algorithm, func(b *testing.B) {
			issuer := authtest.NewIssuer(b, algorithm)
			raw := benchmarkToken(b, issuer)
			dot := strings.LastIndexByte(raw, '.')
			signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
			if err != nil {
				b.Fatal(err)
			}
			var set jose.JSONWebKeySet
			if err := json.Unmarshal(issuer.KeySet(), &set); err != nil {
				b.Fatal(err)
			}
			input := []byte(raw[:dot])
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

// BenchmarkJOSE is the work of BenchmarkVerifyUncached done with go-jose alone:
// it parses a token, checks its signature and decodes its claims.
func BenchmarkJOSE(b *testing.B) {
	for _, algorithm := range benchmarkAlgorithms {
		b.Run(algorithm, func(b *testing.B) {
			issuer := authtest.NewIssuer(b, algorithm)
			raw := benchmarkToken(b, issuer)
			var set jose.JSONWebKeySet
			if err := json.Unmarshal(issuer.KeySet(), &set); err != nil {
				b.Fatal(err)
			}
			accepted := []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.EdDSA}
			b.ReportAllocs()
			for b.Loop() {
				signed, err := jwt.ParseSigned(raw, accepted)
				if err != nil {
					b.Fatal(err)
				}
				var claims jwt.Claims
				var private struct {
					ClientID string `json:"client_id"`
					Scope    string `json:"scope"`
				}
				if err := signed.Claims(&set.Keys[0], &claims, &private); err != nil {
					b.Fatal(err)
				}
				if err := claims.Validate(jwt.Expected{Issuer: issuer.URL}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefuse has the tokens of TestRefusalTakesLittleMemory, and two that
// cost a signature check.
func BenchmarkRefuse(b *testing.B) {
	f := newFixture(b, verifier.Config{}, "RS256")
	good := f.mint()
	f.accepts(b, good)
	rows := append(usualRefusals(b, f), hostileRefusals(f)...)
	rows = append(rows,
		refusal{"tampered", authtest.Tamper(good), 0},
		refusal{"forged16K", f.mint(forged, claim("x", strings.Repeat("x", 11<<10))), 0},
	)
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.verifier.VerifyToken(ctx, row.raw, nil); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// BenchmarkVerifyCachedOpaque is BenchmarkVerifyCached for an opaque token, whose key in
// the cache is a hash.
func BenchmarkVerifyCachedOpaque(b *testing.B) {
	o := newOpaque(b, nil)
	raw := o.mint(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.verifier.VerifyToken(b.Context(), raw, o.resource); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyEightIssuers is BenchmarkVerifyCached and BenchmarkVerifyUncached with
// eight issuers configured.
func BenchmarkVerifyEightIssuers(b *testing.B) {
	issuers := make([]verifier.JWTConfig, 8)
	for i := range issuers {
		issuers[i].Issuer = fmt.Sprintf("https://login-%d.example.com", i)
	}
	issuer := authtest.NewIssuer(b, "ES256")
	issuers[7].Issuer = issuer.URL
	for name, size := range map[string]int{"cached": 0, "uncached": -1} {
		b.Run(name, func(b *testing.B) {
			v, err := verifier.New(verifier.Config{JWT: issuers, CacheSize: size})
			if err != nil {
				b.Fatal(err)
			}
			raw := benchmarkToken(b, issuer)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.VerifyToken(b.Context(), raw, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
