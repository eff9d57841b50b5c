package authtest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertion returns a JWT with which a client authenticates (RFC 7523 §3).
func assertion(t *testing.T, algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newECDSA(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestPrivateKeyJWT: each kind of key authenticates at both endpoints (RFC 7523
// §2.2).
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for algorithm, key := range map[jose.SignatureAlgorithm]crypto.Signer{
		jose.ES256: newECDSA(t), jose.RS256: rsaKey, jose.PS256: rsaKey, jose.EdDSA: edKey,
	} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			id := string(algorithm)
			issuer.AddClient(authtest.Client{ID: id, Key: key.Public(), Scopes: []string{"read"}})
			for _, path := range []string{"/token", "/introspect"} {
				form := url.Values{
					"grant_type": {"client_credentials"}, "token": {"x"},
					"client_assertion_type": {assertionType},
					"client_assertion": {assertion(t, algorithm, key, map[string]any{
						"iss": id, "sub": id, "aud": issuer.URL + path, "exp": time.Now().Add(time.Minute).Unix(), "jti": path,
					})},
				}.Encode()
				if status, _, got := post(t, issuer.URL+path, http.MethodPost, form); status != 200 {
					t.Errorf("%s: got %d and %v", path, status, got)
				}
				if status, _, got := post(t, issuer.URL+path, http.MethodPost, form); status != 401 || got["error"] != "invalid_client" {
					t.Errorf("%s: used again: got %d and %v", path, status, got)
				}
			}
		})
	}
}

// TestAssertions has what RFC 7523 §3 asks of an assertion.
func TestAssertions(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	key := newECDSA(t)
	issuer.AddClient(authtest.Client{ID: "gate", Key: key.Public()})
	issuer.AddClient(authtest.Client{ID: "other", Key: newECDSA(t).Public(), Secret: "secret"})
	issuer.AddClient(authtest.Client{ID: "keyless", Secret: "secret"})
	good := func(changes map[string]any) map[string]any {
		claims := map[string]any{
			"iss": "gate", "sub": "gate", "aud": issuer.URL, "exp": time.Now().Add(time.Minute).Unix(), "jti": rand.Text(),
		}
		maps.Copy(claims, changes)
		maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
		return claims
	}
	past, future := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for _, tt := range []struct {
		name   string
		claims map[string]any
		form   url.Values
		basic  []string
		status int
	}{
		{name: "good", status: 200},
		{name: "several audiences", claims: map[string]any{"aud": []string{"https://other.example.com", issuer.URL + "/token"}}, status: 200},
		{name: "names the client in the form too", form: url.Values{"client_id": {"gate"}}, status: 200},
		{name: "names another client in the form", form: url.Values{"client_id": {"other"}}, status: 401},
		{name: "another client", claims: map[string]any{"iss": "other", "sub": "other"}, status: 401},
		{name: "a client without a key", claims: map[string]any{"iss": "keyless", "sub": "keyless"}, status: 401},
		{name: "an unknown client", claims: map[string]any{"iss": "nemo", "sub": "nemo"}, status: 401},
		{name: "another subject", claims: map[string]any{"sub": "other"}, status: 401},
		{name: "no subject", claims: map[string]any{"sub": nil}, status: 401},
		{name: "another audience", claims: map[string]any{"aud": "https://other.example.com"}, status: 401},
		{name: "no audience", claims: map[string]any{"aud": nil}, status: 401},
		{name: "expired", claims: map[string]any{"exp": past}, status: 401},
		{name: "no expiry", claims: map[string]any{"exp": nil}, status: 401},
		{name: "not yet valid", claims: map[string]any{"nbf": future}, status: 401},
		{name: "no jti", claims: map[string]any{"jti": nil}, status: 401},
		{name: "claims of another type", claims: map[string]any{"exp": "soon"}, status: 401},
		{name: "another type of assertion", form: url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}}, status: 401},
		{name: "not a JWT", form: url.Values{"client_assertion": {"x"}}, status: 401},
		{name: "with Basic", basic: []string{"keyless", "secret"}, status: 400},
		{name: "with a secret", form: url.Values{"client_secret": {"secret"}}, status: 400},
		{name: "no assertion and no secret", form: url.Values{"client_assertion": nil, "client_id": {"gate"}}, status: 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			form := url.Values{
				"token": {"x"}, "client_assertion_type": {assertionType},
				"client_assertion": {assertion(t, jose.ES256, key, good(tt.claims))},
			}
			maps.Copy(form, tt.form)
			status, _, got := post(t, issuer.URL+"/introspect", http.MethodPost, form.Encode(), tt.basic...)
			if status != tt.status {
				t.Errorf("got %d and %v", status, got)
			}
		})
	}
}

// TestWrongClients: a client that could not authenticate fails the test.
func TestWrongClients(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]authtest.Client{
		"no ID":             {Secret: "secret"},
		"no secret, no key": {ID: "robot"},
		"not a key":         {ID: "robot", Key: "key"},
		"a private key":     {ID: "robot", Key: newECDSA(t)},
		"not a pointer":     {ID: "robot", Key: newECDSA(t).PublicKey},
	} {
		recorder := &recorder{TB: t}
		issuer := authtest.NewIssuer(recorder)
		issuer.AddClient(client)
		if len(recorder.errors) != 1 {
			t.Errorf("%s: got %q", name, recorder.errors)
		}
		if status, _, got := tokenRequest(t, issuer, http.MethodPost, "grant_type=client_credentials", "robot", ""); status != 401 {
			t.Errorf("%s: got %d and %v", name, status, got)
		}
	}
}
