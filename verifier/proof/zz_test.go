package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/go-jose/go-jose/v4"
)

var algs = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}

func BenchmarkPrim(b *testing.B) {
	k := authtest.NewProofKey(b, "")
	raw := k.Prove(authtest.Proof{Method: "POST", URL: "https://api.example.com/shop.v1.ShopService/ListItems", AccessToken: "x", IssuedAt: time.Now()})
	s, _ := jose.ParseSignedCompact(raw, algs)
	pub := s.Signatures[0].Header.JSONWebKey
	dot := strings.LastIndexByte(raw, '.')
	sig, _ := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d := sha256.Sum256([]byte(raw[:dot]))
			if !ecdsa.Verify(pub.Key.(*ecdsa.PublicKey), d[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
				b.Fatal()
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			jose.ParseSignedCompact(raw, algs)
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Verify(pub); err != nil {
				b.Fatal()
			}
		}
	})
	b.Run("thumb", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pub.Thumbprint(crypto.SHA256)
		}
	})
	seg, _ := jwt.ParseCompact(raw)
	hdr, _ := base64.RawURLEncoding.DecodeString(seg.Header)
	pl, _ := base64.RawURLEncoding.DecodeString(seg.Payload)
	b.Run("objheader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			jwt.ParseObject(hdr)
		}
	})
	b.Run("objpayload", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			jwt.ParseObject(pl)
		}
	})
	b.Run("scan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			jwt.ScanObject(pl, nil)
		}
	})
}
