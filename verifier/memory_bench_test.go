package verifier_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// BenchmarkCachedTokenMemory reports the heap that a known token takes, with five scopes:
// a JWT of 1 KB, and an opaque token.
func BenchmarkCachedTokenMemory(b *testing.B) {
	minted := authtest.Token{
		Audience: []string{api}, Scope: "inventory:read inventory:write orders:read orders:write profile", Lifetime: time.Hour,
		Claims: map[string]any{
			"email": "ada@example.com", "name": "Ada Lovelace", "sid": "c1d5e8a0-3f72-4b96-a1c8-2e4f6a8b0d13",
			"realm_access": map[string]any{"roles": []string{strings.Repeat("x", 300)}},
		},
	}
	b.Run("JWT", func(b *testing.B) {
		f := newFixture(b, verifier.Config{CacheSize: 4 * cachedTokens})
		minted := minted
		minted.IssuedAt = f.Now()
		reportMemory(b, f.verifier, nil, func(i int) string {
			minted.Subject = fmt.Sprintf("user-%06d", i)
			return f.issuer.Mint(minted)
		})
	})
	b.Run("opaque", func(b *testing.B) {
		o := newOpaque(b, func(c *verifier.Config) { c.CacheSize = 4 * cachedTokens })
		minted := minted
		minted.IssuedAt, minted.Opaque = o.Now(), true
		reportMemory(b, o.verifier, o.resource, func(i int) string {
			minted.Subject = fmt.Sprintf("user-%06d", i)
			return o.issuer.Mint(minted)
		})
	})
}

// cachedTokens is the number of tokens that the heap is measured with.
const cachedTokens = 4000

// reportMemory reports the heap that the verifier takes for each of its tokens. The
// tokens themselves are made before, and are not counted.
func reportMemory(b *testing.B, v *verifier.Verifier, resource *token.Resource, mint func(i int) string) {
	b.Helper()
	raw := make([]string, cachedTokens)
	var length int
	for i := range raw {
		raw[i] = mint(i)
		length += len(raw[i])
	}
	if _, err := v.VerifyToken(b.Context(), raw[0], resource); err != nil { // It fetches keys.
		b.Fatal(err)
	}
	before := heap()
	for _, one := range raw {
		if _, err := v.VerifyToken(b.Context(), one, resource); err != nil {
			b.Fatal(err)
		}
	}
	after := heap()
	runtime.KeepAlive(v)
	for b.Loop() {
		if _, err := v.VerifyToken(b.Context(), raw[0], resource); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(length)/cachedTokens, "token-bytes")
	b.ReportMetric(float64(after-before)/(cachedTokens-1), "heap-bytes/token")
}

// heap returns the live heap in bytes.
func heap() int64 {
	for range 3 { // Finalizers and pools need more than one.
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
