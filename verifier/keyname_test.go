package verifier_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestTokenWithoutKeyID proves that such a token is accepted if only one key
// can be meant.
func TestTokenWithoutKeyID(t *testing.T) {
	noKeyID := parameter("kid", authtest.Omit)
	t.Run("one key", func(t *testing.T) {
		f := newFixture(t, verifier.Config{})
		f.accepts(t, f.mint(noKeyID))
		f.Advance(coolDown)
		f.fetches(t, 1, func() { f.refuses(t, f.mint(noKeyID, forged), token.ErrInvalid) })
	})
	t.Run("one key of each algorithm", func(t *testing.T) {
		f := newFixture(t, verifier.Config{}, "ES256", "EdDSA")
		f.accepts(t, f.mint(noKeyID))
		f.accepts(t, f.mint(noKeyID, algorithm("EdDSA")))
	})
	t.Run("two keys", func(t *testing.T) {
		f := newFixture(t, verifier.Config{})
		f.issuer.RotateKeys()
		f.refuses(t, f.mint(noKeyID), token.ErrInvalid)
		f.Advance(coolDown)
		f.fetches(t, 0, func() { f.refuses(t, f.mint(noKeyID), token.ErrInvalid) })
	})
	t.Run("no key of the algorithm", func(t *testing.T) {
		f := newFixture(t, verifier.Config{})
		f.refuses(t, f.mint(noKeyID, parameter("alg", "EdDSA")), token.ErrInvalid)
	})
	t.Run("replaced key", func(t *testing.T) {
		f := newFixture(t, verifier.Config{})
		f.accepts(t, f.mint(noKeyID))
		f.issuer.RotateKeys()
		f.issuer.WithdrawOldKeys()
		f.Advance(coolDown)
		f.fetches(t, 1, func() { f.accepts(t, f.mint(noKeyID)) })
	})
}

// TestSharedKeyID publishes two keys with one ID: tokens of both are good, and
// of no other key.
func TestSharedKeyID(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	same := parameter("kid", "same")
	old := f.mint(same)
	f.issuer.RotateKeys()
	f.editKeySet(t, func(key map[string]any) { key["kid"] = "same" })
	f.accepts(t, old)
	f.accepts(t, f.mint(same))
	f.refuses(t, f.mint(same, forged), token.ErrInvalid)
}

func TestKeyPublishedTwice(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	key := strings.TrimSuffix(strings.TrimPrefix(string(f.issuer.KeySet()), `{"keys":[`), `]}`)
	f.issuer.HandleKeySet(authtest.Answer(200, "application/json", `{"keys":[`+key+","+key+`]}`))
	f.accepts(t, f.mint(parameter("kid", authtest.Omit)))
}

// TestOneKeyOneAlgorithm proves R8725-3.1.
func TestOneKeyOneAlgorithm(t *testing.T) {
	withoutAlg := func(key map[string]any) { delete(key, "alg") }
	for _, row := range []struct {
		name     string
		accepted []string
		edit     func(map[string]any)
		alter    func(*authtest.Token)
		want     error
	}{
		{"R8725-3.1 named", nil, func(map[string]any) {}, algorithm("RS256"), nil},
		{"R8725-3.1 named otherwise", nil, func(key map[string]any) { key["alg"] = "PS256" }, algorithm("RS256"), token.ErrInvalid},
		{"R8725-3.1 another of the family", nil, func(map[string]any) {}, parameter("alg", "PS256"), token.ErrInvalid},
		{"R8725-3.1 another family", nil, func(map[string]any) {}, parameter("alg", "ES256"), token.ErrInvalid},
		{"R8725-3.1 not named, first RSA algorithm", []string{"ES256", "RS256", "PS256"}, withoutAlg, algorithm("RS256"), nil},
		{"R8725-3.1 not named, second RSA algorithm", []string{"ES256", "PS256", "RS256"}, withoutAlg, algorithm("RS256"), token.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Algorithms: row.accepted}}}, "RS256")
			f.editKeySet(t, row.edit)
			raw := f.mint(row.alter)
			f.fetches(t, 1, func() {
				if _, err := f.verify(t, raw); !errors.Is(err, row.want) {
					t.Errorf("got %v, want %v", err, row.want)
				}
			})
			f.Advance(coolDown)
			f.fetches(t, 0, func() { _, _ = f.verify(t, raw) }) // the key is known, so there is nothing to fetch
		})
	}
}
