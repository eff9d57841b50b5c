package verifier_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

func TestCacheIsBounded(t *testing.T) {
	const size = 10
	f := newFixture(t, verifier.JWTConfig{CacheSize: size})
	inAllCalls(8, func(int) {
		for range 20 {
			f.accepts(t, f.mint())
			if n := f.verifier.Cached(); n > size {
				t.Errorf("%d tokens are remembered, want at most %d", n, size)
			}
		}
	})
	if n := f.verifier.Cached(); n < size/2 {
		t.Errorf("only %d tokens are remembered", n)
	}
}

// TestCacheKeepsWhatIsUsed proves that other tokens do not push out one that
// keeps coming.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{CacheSize: 10})
	token := f.mint()
	first, err := f.verify(t, token)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		f.accepts(t, f.mint())
		if again, _ := f.verify(t, token); again != first {
			t.Fatal("the token was verified again")
		}
	}
}

func TestCacheHoldsEachTokenOnce(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	token := f.mint()
	inAllCalls(8, func(int) { f.accepts(t, token) })
	if n := f.verifier.Cached(); n != 1 {
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
		{"refused early", 0, claim("exp", 1), interceptor.ErrInvalidToken},
		{"wrong signature", 0, forged, interceptor.ErrInvalidToken},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.JWTConfig{CacheSize: row.size})
			token := f.mint(row.alter)
			for range 2 {
				if row.want == nil {
					f.accepts(t, token)
				} else {
					f.refuses(t, token, row.want)
				}
			}
			if n := f.verifier.Cached(); n != 0 {
				t.Errorf("%d tokens are remembered", n)
			}
		})
	}
}

// TestCacheComparesAll proves that a token that resembles a known one is not
// taken for it (GHSA-4mq7-pvjg-xp2r).
func TestCacheComparesAll(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{})
	token := f.mint()
	f.accepts(t, token)
	f.refuses(t, authtest.Tamper(token), interceptor.ErrInvalidToken)
	f.refuses(t, token[:len(token)-1], interceptor.ErrInvalidToken)
	f.refuses(t, token+"A", interceptor.ErrInvalidToken)
	f.refuses(t, swapClaims(token, f.mint(claim("sub", "root"))), interceptor.ErrInvalidToken)
}

// TestCacheOfOneIssuer proves that verifiers share nothing.
func TestCacheOfOneIssuer(t *testing.T) {
	one, other := newFixture(t, verifier.JWTConfig{}), newFixture(t, verifier.JWTConfig{})
	token := one.mint()
	one.accepts(t, token)
	other.refuses(t, token, interceptor.ErrInvalidToken)
}

func TestKnownTokenTakesNoMemory(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	v, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer.URL})
	if err != nil {
		t.Fatal(err)
	}
	token := issuer.Mint(authtest.Token{Audience: []string{api}, Lifetime: time.Hour})
	ctx := t.Context()
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := v.VerifyToken(ctx, token); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations for a known token", allocations)
	}
}
