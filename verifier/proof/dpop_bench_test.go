package proof_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// renaming passes each proof on as another one of another key, so that a benchmark
// can use one proof again.
type renaming struct {
	proof.Store

	n int
}

func (r *renaming) Consume(ctx context.Context, key, id string, until time.Time) error {
	r.n++
	return r.Store.Consume(ctx, key+strconv.Itoa(r.n%1000), id+strconv.Itoa(r.n), until)
}

// BenchmarkDPoP is a request with a token and a key that are known. Compare with
// BenchmarkES256.
func BenchmarkDPoP(b *testing.B) {
	nonceKeys := [][]byte{nonceKey(1)}
	for _, row := range []struct {
		name, algorithm string
		nonces          [][]byte
	}{{"ES256", "ES256", nil}, {"nonce", "ES256", nonceKeys}, {"EdDSA", "EdDSA", nil}, {"RS256", "RS256", nil}} {
		b.Run(row.name, func(b *testing.B) {
			store := newStore(b, proof.MemoryStoreConfig{Capacity: 100_000_000, KeyCapacity: 10_000_000}, newStoppedClock().Now)
			f := newDPoPFixture(b, proof.DPoPConfig{Store: &renaming{Store: store}, NonceKeys: row.nonces})
			key := authtest.NewProofKey(b, row.algorithm)
			info := &token.Info{Confirmation: key.Confirmation()}
			p := authtest.Proof{Method: "POST", URL: listItems, AccessToken: boundRaw, IssuedAt: f.Now()}
			if row.nonces != nil {
				p.Nonce = refusalOf(b, f.dpop.CheckBinding(b.Context(), info, request())).Nonce
			}
			req, ctx := request(key.Prove(p)), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if err := f.dpop.CheckBinding(ctx, info, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDPoPNewKey is the same for clients whose key is not known.
func BenchmarkDPoPNewKey(b *testing.B) {
	f := newDPoPFixture(b, proof.DPoPConfig{DangerouslyAllowReplay: true})
	// A header with another parameter is not remembered.
	req, ctx := request(f.prove(func(p *authtest.Proof) { p.Header = map[string]any{"x": 1} })), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := f.dpop.CheckBinding(ctx, f.info, req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkES256 is the lower bound: one signature of a proof, checked by the
// standard library and by go-jose.
func BenchmarkES256(b *testing.B) {
	f := newDPoPFixture(b, proof.DPoPConfig{})
	raw := f.prove()
	parsed := must(jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256}))
	key := parsed.Signatures[0].Header.JSONWebKey
	dot := strings.LastIndexByte(raw, '.')
	signature := must(base64.RawURLEncoding.DecodeString(raw[dot+1:]))
	input := []byte(raw[:dot])
	b.Run("crypto/ecdsa", func(b *testing.B) {
		public := key.Key.(*ecdsa.PublicKey)
		b.ReportAllocs()
		for b.Loop() {
			digest := sha256.Sum256(input)
			r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
			if !ecdsa.Verify(public, digest[:], r, s) {
				b.Fatal("wrong signature")
			}
		}
	})
	b.Run("go-jose", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			signed := must(jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256}))
			must(signed.Verify(signed.Signatures[0].Header.JSONWebKey))
		}
	})
}

// BenchmarkDPoPRefuse has proofs that are refused before the signature is checked.
func BenchmarkDPoPRefuse(b *testing.B) {
	f := newDPoPFixture(b, proof.DPoPConfig{})
	if err := f.check(b, f.prove()); err != nil {
		b.Fatal(err)
	}
	other := authtest.NewProofKey(b, "")
	for _, row := range []struct{ name, raw string }{
		{"missing", ""},
		{"dots", strings.Repeat(".", 8000)},
		{"otherKey", other.Prove(authtest.Proof{Method: "POST", URL: listItems, AccessToken: boundRaw, IssuedAt: f.Now()})},
		{"otherMethod", f.prove(func(p *authtest.Proof) { p.Method = "GET" })},
		{"deep", f.key.Sign(`{"x":`+strings.Repeat("[", 5000), "{}")},
		{"many", f.key.Sign(`{"x":[`+strings.Repeat("[],", 1000)+"0]}", "{}")},
	} {
		b.Run(row.name, func(b *testing.B) {
			req, ctx := request(row.raw), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if f.dpop.CheckBinding(ctx, f.info, req) == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// BenchmarkMemoryStore fills a store to its default capacity, and keeps it there.
func BenchmarkMemoryStore(b *testing.B) {
	clock := newStoppedClock()
	store := newStore(b, proof.MemoryStoreConfig{}, clock.Now)
	keys := make([]string, 100)
	for i := range keys {
		keys[i] = hashOf(strconv.Itoa(i))
	}
	n := 0
	consume := func() {
		n++
		clock.Advance(time.Minute / 450_000)
		if err := store.Consume(b.Context(), keys[n%len(keys)], strconv.Itoa(n), clock.Now().Add(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	for range 500_000 {
		consume()
	}
	b.ReportAllocs()
	for b.Loop() {
		consume()
	}
}
