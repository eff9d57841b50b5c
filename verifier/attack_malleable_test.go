package verifier_test

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestSecondSignature: from a token with ES256, everybody can make a second one with the
// same claims, because RFC 7518 §3.4 does not say which of two signatures is right. It is
// a token of the issuer like the first. It takes one more place in the cache, has the same
// facts, and ends with the first: it expires, and is cut off, by its claims.
func TestSecondSignature(t *testing.T) {
	keys := newAttackKeys(t)
	for _, config := range []verifier.Config{{}, {CacheSize: -1}} {
		f := newFixture(t, config)
		f.issuer.HandleKeySet(authtest.Answer(200, "application/json", keys.keySet()))
		w := &tokenWorkshop{keys, f, map[string]string{"$issuer": f.issuer.URL, "$api": api}}
		first := w.build(t, tokenRecipe{})
		second := negated(first)
		one, err := f.verify(t, first)
		two, errTwo := f.verify(t, second)
		if err != nil || errTwo != nil || !reflect.DeepEqual(one, two) {
			t.Errorf("R7518-3.4: got %+v and %+v, %v and %v", one, two, err, errTwo)
		}
		if entries := f.verifier.Stats().CacheEntries; config.CacheSize == 0 && entries != 2 {
			t.Errorf("%d entries", entries)
		}
		if negated(second) != first {
			t.Error("R7518-3.4: there are more than two")
		}
		if err := f.verifier.CutOff(verifier.Cutoff{Issuer: f.issuer.URL, Subject: "user-1", Until: f.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		f.refuses(t, first, token.ErrInvalid)
		f.refuses(t, second, token.ErrInvalid)
	}
}

// negated returns the token with the other signature.
func negated(raw string) string {
	dot := strings.LastIndexByte(raw, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot:])
	if err != nil {
		panic(err)
	}
	return raw[:dot] + base64.RawURLEncoding.EncodeToString(signatureChanges["s negated"](signature))
}
