package proof_test

import (
	"encoding/base64"
	"regexp"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

func withNonce(nonce string) func(*authtest.Proof) {
	return func(p *authtest.Proof) { p.Nonce = nonce }
}

func nonceKey(first byte) []byte {
	key := make([]byte, 32)
	key[0] = first
	return key
}

// TestNonce: a client that follows the challenge is accepted (R9449-9).
func TestNonce(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{NonceKeys: [][]byte{nonceKey(1)}})
	err := f.check(t, f.prove())
	wantCode(t, err, "use_dpop_nonce", "the nonce is missing")
	nonce := refusalOf(t, err).Nonce
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{32}$`).MatchString(nonce) {
		t.Errorf("R9449-8.1: the nonce is %q", nonce)
	}
	for range 3 {
		if err := f.check(t, f.prove(withNonce(nonce))); err != nil {
			t.Errorf("R9449-9: %v", err)
		}
	}
	// Every refusal has one.
	for _, proofs := range [][]string{nil, {"x"}, {authtest.Tamper(f.prove(withNonce(nonce)))}, {f.prove(), f.prove()}} {
		err := checkBinding(t, f.dpop, f.info, request(proofs...))
		wantCode(t, err, "invalid_dpop_proof", "")
		if got := refusalOf(t, err).Nonce; got != nonce {
			t.Errorf("R9449-9: got the nonce %q, want %q", got, nonce)
		}
	}
	// What has no use for one has none.
	plain := f.replica(t, proof.DPoPConfig{})
	if got := refusalOf(t, checkBinding(t, plain, f.info, request())).Nonce; got != "" {
		t.Errorf("R9449-9: without keys the nonce is %q", got)
	}
}

// TestNonceLifetime: a nonce is accepted in its time slot and those beside it.
func TestNonceLifetime(t *testing.T) {
	t.Parallel()
	const lifetime = 10 * time.Second
	f := newDPoPFixture(t, proof.DPoPConfig{NonceKeys: [][]byte{nonceKey(1)}, NonceLifetime: lifetime})
	f.Advance(lifetime - time.Duration(f.Now().UnixNano())%lifetime) // to the start of a slot
	nonce := refusalOf(t, f.check(t, f.prove())).Nonce
	for _, row := range []struct {
		advance time.Duration
		reason  string
	}{
		{0, ""},
		{2*lifetime - 1, ""},
		{2 * lifetime, "the nonce is stale"},
		{100 * lifetime, "the nonce is stale"},
		{-1, ""}, // A replica whose clock is behind.
		{-lifetime, ""},
		{-lifetime - 1, "the nonce is stale"},
		{-100 * lifetime, "the nonce is stale"},
	} {
		f.Advance(row.advance)
		err := f.check(t, f.prove(withNonce(nonce)))
		if row.reason == "" {
			wantCode(t, err, "", "")
		} else {
			wantCode(t, err, "use_dpop_nonce", row.reason)
			fresh := refusalOf(t, err).Nonce
			if err := f.check(t, f.prove(withNonce(fresh))); err != nil || fresh == nonce {
				t.Errorf("after %v: the fresh nonce %q: %v", row.advance, fresh, err)
			}
		}
		f.Advance(-row.advance)
	}
}

// TestNonceForged: a nonce cannot be made from another one, and replicas of another
// version make the same (R9449-9).
func TestNonceForged(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{NonceKeys: [][]byte{nonceKey(1)}})
	nonce := refusalOf(t, f.check(t, f.prove())).Nonce
	if want := "AAAAAABaKL2sLVMGkGgav6Xy3gNnSiZT"; nonce != want {
		t.Errorf("got %q, want %q", nonce, want)
	}
	for i := range must(base64.RawURLEncoding.DecodeString(nonce)) {
		forged := must(base64.RawURLEncoding.DecodeString(nonce))
		forged[i] ^= 1
		wantCode(t, f.check(t, f.prove(withNonce(encode(forged)))), "use_dpop_nonce", "not made with any of the keys")
	}
}

// TestNonceRotation follows the steps of NonceKeys with two replicas: no step costs
// a client a nonce.
func TestNonceRotation(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{})
	one, two := nonceKey(1), nonceKey(2)
	replica := func(keys ...[]byte) *proof.DPoP { return f.replica(t, proof.DPoPConfig{NonceKeys: keys}) }
	nonceOf := func(d *proof.DPoP) string { return refusalOf(t, checkBinding(t, d, f.info, request())).Nonce }
	steps := []*proof.DPoP{replica(one), replica(one, two), replica(two, one), replica(two)}
	for i, from := range steps {
		for j, to := range steps {
			err := checkBinding(t, to, f.info, request(f.prove(withNonce(nonceOf(from)))))
			if i-j <= 1 && j-i <= 1 {
				wantCode(t, err, "", "")
			}
		}
	}
	wantCode(t, checkBinding(t, steps[0], f.info, request(f.prove(withNonce(nonceOf(steps[3]))))), "use_dpop_nonce", "not made with any of the keys")
	if nonceOf(steps[0]) != nonceOf(steps[1]) || nonceOf(steps[1]) == nonceOf(steps[2]) || nonceOf(steps[2]) != nonceOf(steps[3]) {
		t.Error("the first key does not make the nonces")
	}
}
