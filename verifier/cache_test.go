package verifier_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

func TestCacheIsBounded(t *testing.T) {
	const size = 10
	f := newFixture(t, verifier.Config{CacheSize: size})
	inAllCalls(8, func(int) {
		for range 20 {
			f.accepts(t, f.mint())
			if n := f.verifier.Stats().CacheEntries; n > size {
				t.Errorf("%d tokens are remembered, want at most %d", n, size)
			}
		}
	})
	if n := f.verifier.Stats().CacheEntries; n < size/2 {
		t.Errorf("only %d tokens are remembered", n)
	}
}

// TestCacheKeepsWhatIsUsed proves that other tokens do not evict one that is in
// use.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	f := newFixture(t, verifier.Config{CacheSize: 10})
	raw := f.mint()
	first, err := f.verify(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		f.accepts(t, f.mint())
		if again, _ := f.verify(t, raw); again != first {
			t.Fatal("the token was verified again")
		}
	}
}

// TestCacheForgetsTheOldest proves that a full cache goes on to take new tokens.
func TestCacheForgetsTheOldest(t *testing.T) {
	f := newFixture(t, verifier.Config{CacheSize: 10})
	for i := range 30 {
		raw := f.mint()
		first, err := f.verify(t, raw)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := f.verify(t, raw); again != first {
			t.Fatalf("token %d was verified again", i)
		}
	}
}

func TestCacheHoldsEachTokenOnce(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	raw := f.mint()
	inAllCalls(8, func(int) { f.accepts(t, raw) })
	if n := f.verifier.Stats().CacheEntries; n != 1 {
		t.Errorf("%d tokens are remembered", n)
	}
}

func TestNotCached(t *testing.T) {
	for _, row := range []struct {
		name  string
		size  int
		alter func(*authtest.Token)
		want  error
	}{
		{"no cache", -1, func(*authtest.Token) {}, nil},
		{"longer than 4 KiB", 0, claim("padding", strings.Repeat("x", 4<<10)), nil},
		{"refused early", 0, claim("exp", 1), token.ErrInvalid},
		{"wrong signature", 0, forged, token.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{CacheSize: row.size})
			raw := f.mint(row.alter)
			for range 2 {
				if row.want == nil {
					f.accepts(t, raw)
				} else {
					f.refuses(t, raw, row.want)
				}
			}
			if n := f.verifier.Stats().CacheEntries; n != 0 {
				t.Errorf("%d tokens are remembered", n)
			}
		})
	}
}

// TestCacheComparesAll proves that a token that resembles a known one is not
// mistaken for it (GHSA-4mq7-pvjg-xp2r).
func TestCacheComparesAll(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	raw := f.mint()
	f.accepts(t, raw)
	f.refuses(t, authtest.Tamper(raw), token.ErrInvalid)
	f.refuses(t, raw[:len(raw)-1], token.ErrInvalid)
	f.refuses(t, raw+"A", token.ErrInvalid)
	f.refuses(t, swapClaims(raw, f.mint(claim("sub", "root"))), token.ErrInvalid)
}

// TestCacheOfOneIssuer proves that verifiers share nothing.
func TestCacheOfOneIssuer(t *testing.T) {
	one, other := newFixture(t, verifier.Config{}), newFixture(t, verifier.Config{})
	raw := one.mint()
	one.accepts(t, raw)
	other.refuses(t, raw, token.ErrInvalid)
}

func TestKnownTokenTakesNoMemory(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	v, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	raw := issuer.Mint(authtest.Token{Audience: []string{api}, Lifetime: time.Hour})
	ctx := t.Context()
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := v.VerifyToken(ctx, raw, nil); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations for a known token", allocations)
	}
}

// TestNewTokenTakesLittleMemory bounds the allocations for a token that is not
// known.
func TestNewTokenTakesLittleMemory(t *testing.T) {
	issuer := authtest.NewIssuer(t, "RS256")
	v, err := verifier.New(verifier.Config{CacheSize: -1, JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	raw := issuer.Mint(authtest.Token{Audience: []string{api}, Scope: "a b", Lifetime: time.Hour})
	ctx := t.Context()
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := v.VerifyToken(ctx, raw, nil); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 100 {
		t.Errorf("%v allocations for a new token", allocations)
	}
}
