package proof_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// FuzzProof passes proofs with an arbitrary header and arbitrary claims, signed with
// the key of the client or not. No proof panics, and one that is accepted has the
// content that another decoder reads.
func FuzzProof(f *testing.F) {
	fix := newDPoPFixture(f, proof.DPoPConfig{DangerouslyAllowReplay: true})
	replacer := strings.NewReplacer("$jwk", "{"+members(fix.key.JWK())+"}", "$members", members(fix.key.JWK()), "$alg", "ES256",
		"$claims", members(map[string]any{"htm": "POST", "htu": listItems, "jti": "a", "ath": hashOf(boundRaw), "iat": fix.Now().Unix()}))
	header := `{"typ":"dpop+jwt","alg":"ES256","jwk":$jwk}`
	f.Add(header, `{$claims}`, true)
	f.Add(header, `{$claims}`, false)
	for _, v := range vectors.Read[dpopVector](f, "testdata/dpop.json") {
		if v.Signer != "" || v.Header == "" && v.Payload == "" && v.Set == nil {
			continue
		}
		seed := [2]string{v.Header, v.Payload}
		if seed[0] == "" {
			seed[0] = header
		}
		if seed[1] == "" && v.Set == nil {
			seed[1] = "{$claims}"
		}
		if v.Set != nil {
			claims := map[string]any{"htm": "POST", "htu": listItems, "jti": "a", "ath": hashOf(boundRaw), "iat": fix.Now().Unix()}
			for name, value := range v.Set {
				claims[name] = value
			}
			seed[1] = "{" + members(claims) + "}"
		}
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, header, claims string, signed bool) {
		header, claims = replacer.Replace(header), replacer.Replace(claims)
		raw := encode([]byte(header)) + "." + encode([]byte(claims)) + "." + encode(make([]byte, 64))
		if signed {
			raw = fix.key.Sign(header, claims)
		}
		err := fix.dpop.CheckBinding(t.Context(), fix.info, request(raw))
		checkDPoPError(t, err)
		switch code := codeOf(err); {
		case code == "invalid_dpop_proof":
		case code != "" || !signed:
			t.Errorf("got %q: %v", code, err)
		default:
			checkAccepted(t, fix, header, claims)
		}
	})
}

// FuzzField passes arbitrary values of the field. None is accepted.
func FuzzField(f *testing.F) {
	fix := newDPoPFixture(f, proof.DPoPConfig{NonceKeys: [][]byte{nonceKey(1)}})
	good := fix.prove()
	for _, seed := range []string{"", ".", "..", "a.b.c", good, good + "," + good, good + ".", strings.Repeat(".", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		err := fix.dpop.CheckBinding(t.Context(), fix.info, request(raw))
		checkDPoPError(t, err)
		if code := codeOf(err); code != "invalid_dpop_proof" && code != "use_dpop_nonce" {
			t.Errorf("got %q: %v", code, err)
		}
	})
}

// checkAccepted reads a proof that was accepted with encoding/json.
func checkAccepted(t *testing.T, fix *dpopFixture, header, claims string) {
	t.Helper()
	var params, got map[string]any
	if err := json.Unmarshal([]byte(header), &params); err != nil {
		t.Fatalf("accepted a header that is not JSON: %v", err)
	}
	if err := json.Unmarshal([]byte(claims), &got); err != nil {
		t.Fatalf("accepted claims that are not JSON: %v", err)
	}
	typ, _ := params["typ"].(string)
	key, _ := params["jwk"].(map[string]any)
	if params["alg"] != "ES256" || !strings.HasSuffix(strings.ToLower(typ), "dpop+jwt") || key["x"] == nil || key["d"] != nil || params["crit"] != nil {
		t.Errorf("R9449-4.3: accepted the header %v", params)
	}
	id, _ := got["jti"].(string)
	issued, _ := got["iat"].(float64)
	if age := float64(fix.Now().Unix()) - issued; got["htm"] != "POST" || got["ath"] != hashOf(boundRaw) || id == "" || age > 90 || age < -30 {
		t.Errorf("R9449-4.3: accepted the claims %v", got)
	}
	if target, _ := got["htu"].(string); !strings.HasPrefix(strings.ToLower(target), "https:") {
		t.Errorf("R9449-4.3: accepted the htu %q", target)
	}
}

// FuzzNonce passes arbitrary nonces. None is accepted but those of the server.
func FuzzNonce(f *testing.F) {
	fix := newDPoPFixture(f, proof.DPoPConfig{NonceKeys: [][]byte{nonceKey(1), nonceKey(2)}, NonceLifetime: time.Minute})
	nonce := refusalOf(f, fix.dpop.CheckBinding(f.Context(), fix.info, request())).Nonce
	for _, seed := range []string{"", nonce, nonce[1:], nonce + "A", strings.Repeat("A", 32), strings.Repeat("_", 32), strings.Repeat("\n", 32), "AAAAA" + nonce[5:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, got string) {
		if len(got) > 500 {
			return // The proof would be too long.
		}
		err := fix.dpop.CheckBinding(t.Context(), fix.info, request(fix.prove(withNonce(got))))
		checkDPoPError(t, err)
		if code := codeOf(err); got == nonce && code != "" || got != nonce && code != "use_dpop_nonce" {
			t.Errorf("got %q: %v", code, err)
		}
	})
}
