package authtest

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzReceived: nothing that the issuer has not signed is an active token, and
// nothing that a client has not signed authenticates it or binds a token.
func FuzzReceived(f *testing.F) {
	issuer := NewIssuer(f)
	key := NewProofKey(f, "")
	issuer.AddClient(Client{ID: "gate", Key: key.key.signer.Public()})
	claims, err := json.Marshal(map[string]any{
		"iss": "gate", "sub": "gate", "aud": issuer.URL, "exp": time.Now().Add(time.Hour).Unix(), "jti": "1",
	})
	if err != nil {
		f.Fatal(err)
	}
	good := []string{
		issuer.Mint(Token{}), issuer.Mint(Token{Opaque: true}),
		key.Prove(Proof{Method: "POST", URL: issuer.URL + tokenPath}), key.Sign(`{"alg":"ES256"}`, string(claims)),
	}
	signed := make(map[string]bool)
	for _, raw := range good {
		f.Add(raw)
		f.Add(Tamper(raw))
		signed[signedPart(raw)] = true
	}
	f.Add(issuer.Mint(Token{Algorithm: "none"}))
	f.Add(issuer.Mint(Token{Forged: true}))
	f.Add(key.Prove(Proof{Header: map[string]any{"jwk": key.PrivateJWK()}}))
	f.Fuzz(func(t *testing.T, raw string) {
		if signed[signedPart(raw)] {
			return // A signature has several encodings.
		}
		if _, refused := issuer.checkProof(raw); refused == nil {
			t.Errorf("%q is a proof", raw)
		}
		if document := string(issuer.Introspection(raw)); document != inactive {
			t.Errorf("%q is %s", raw, document)
		}
		form := url.Values{"client_assertion_type": {assertionType}, "client_assertion": {raw}}
		if known, refused := issuer.checkAssertion(form); refused == nil {
			t.Errorf("%q authenticates %q", raw, known.ID)
		}
	})
}

// signedPart returns a JWS without its signature, and another token as it is.
func signedPart(raw string) string {
	if dot := strings.LastIndexByte(raw, '.'); dot >= 0 {
		return raw[:dot]
	}
	return raw
}
