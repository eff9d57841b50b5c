package authtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// requestBound asks the token endpoint for a token, with these DPoP fields.
func requestBound(t *testing.T, issuer *authtest.Issuer, id string, proofs ...string) (status int, members map[string]any) {
	t.Helper()
	form := strings.NewReader("grant_type=client_credentials&client_secret=secret&client_id=" + id)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer.URL+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["Dpop"] = proofs
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &members)
	}
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, members
}

// TestBoundTokens: a client with a proof gets a token that is bound to its key
// (RFC 9449 §5).
func TestBoundTokens(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	issuer.AddClient(authtest.Client{ID: "bound", Secret: "secret", DPoPBound: true, Token: authtest.Token{Opaque: true}})
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		key := authtest.NewProofKey(t, algorithm)
		want := map[string]any{"jkt": key.Thumbprint()}
		good := authtest.Proof{Method: "POST", URL: issuer.URL + "/token"}
		status, got := requestBound(t, issuer, "free", key.Prove(good))
		if status != 200 || got["token_type"] != "DPoP" {
			t.Fatalf("%s: got %d and %v", algorithm, status, got)
		}
		if _, claims := parts(t, got["access_token"].(string)); !reflect.DeepEqual(claims["cnf"], want) {
			t.Errorf("%s: claims are %v", algorithm, claims)
		}
		status, got = requestBound(t, issuer, "bound", key.Prove(good))
		if status != 200 || got["token_type"] != "DPoP" {
			t.Fatalf("%s: got %d and %v", algorithm, status, got)
		}
		if document := introspect(t, issuer, got["access_token"].(string)); !strings.Contains(document, key.Thumbprint()) {
			t.Errorf("%s: introspection is %s", algorithm, document)
		}
	}
	status, got := requestBound(t, issuer, "free")
	if status != 200 || got["token_type"] != "Bearer" {
		t.Fatalf("got %d and %v", status, got)
	}
	if _, claims := parts(t, got["access_token"].(string)); claims["cnf"] != nil {
		t.Errorf("claims are %v", claims)
	}
}

// TestRefusedProofs: the proofs that the token endpoint refuses.
func TestRefusedProofs(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	issuer.AddClient(authtest.Client{ID: "bound", Secret: "secret", DPoPBound: true})
	key := authtest.NewProofKey(t, "")
	used := key.Prove(authtest.Proof{Method: "POST", URL: issuer.URL + "/token"})
	if status, got := requestBound(t, issuer, "bound", used); status != 200 {
		t.Fatalf("got %d and %v", status, got)
	}
	prove := func(p authtest.Proof) []string {
		if p.Method == "" {
			p.Method = "POST"
		}
		if p.URL == "" {
			p.URL = issuer.URL + "/token?further#part"
		}
		return []string{key.Prove(p)}
	}
	claim := func(name string, value any) []string {
		return prove(authtest.Proof{Claims: map[string]any{name: value}})
	}
	header := func(name string, value any) []string {
		return prove(authtest.Proof{Header: map[string]any{name: value}})
	}
	for _, tt := range []struct {
		name   string
		proofs []string
		status int
	}{
		{"R9449-4.3 good", prove(authtest.Proof{}), 200},
		{"R9449-4.3 the query does not count", claim("htu", issuer.URL+"/token?other"), 200},
		{"R9449-4.3 no proof", nil, 400},
		{"R9449-4.3 empty", []string{""}, 400},
		{"R9449-4.3 two proofs", append(prove(authtest.Proof{}), prove(authtest.Proof{})...), 400},
		{"R9449-4.3 not a JWT", []string{"proof"}, 400},
		{"R9449-4.3 wrong typ", header("typ", "JWT"), 400},
		{"R9449-4.3 no key", header("jwk", authtest.Omit), 400},
		{"R9449-4.3 private key", header("jwk", key.PrivateJWK()), 400},
		{"R9449-4.3 symmetric key", header("jwk", map[string]any{"kty": "oct", "k": "c2VjcmV0"}), 400},
		{"R9449-4.3 none", prove(authtest.Proof{Algorithm: "none"}), 400},
		{"R9449-4.3 HS256", prove(authtest.Proof{Algorithm: "HS256"}), 400},
		{"R9449-4.3 forged", prove(authtest.Proof{Forged: true}), 400},
		{"R9449-4.3 another method", prove(authtest.Proof{Method: "GET"}), 400},
		{"R9449-4.3 another URL", prove(authtest.Proof{URL: issuer.URL + "/introspect"}), 400},
		{"R9449-4.3 too old", prove(authtest.Proof{IssuedAt: time.Now().Add(-time.Hour)}), 400},
		{"R9449-4.3 of the future", prove(authtest.Proof{IssuedAt: time.Now().Add(time.Hour)}), 400},
		{"R9449-4.3 no iat", claim("iat", authtest.Omit), 400},
		{"R9449-4.3 iat of another type", claim("iat", "now"), 400},
		{"R9449-4.3 no jti", claim("jti", authtest.Omit), 400},
		{"R9449-11.1 used before", []string{used}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, got := requestBound(t, issuer, "bound", tt.proofs...)
			if code, _ := got["error"].(string); status != tt.status || (code == "invalid_dpop_proof") != (tt.status == 400) {
				t.Errorf("got %d and %v", status, got)
			}
		})
	}
}

// TestClientTokens: a client is granted the tokens that it is registered for.
func TestClientTokens(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	client := authtest.Client{ID: "shop", Secret: "secret", Scopes: []string{"read"}, Token: authtest.Token{
		Shape: authtest.ShapeAuth0, Audience: []string{api}, Lifetime: time.Minute, Claims: map[string]any{"tenant": "acme"},
		Confirmation: map[string]any{"x5t#S256": "x"}, ClientID: "overridden", Scope: "overridden",
	}}
	issuer.AddClient(client)
	client.Scopes[0], client.Token.Audience[0] = "changed", "changed"
	client.Token.Claims["tenant"], client.Token.Confirmation["x5t#S256"] = "changed", "changed"
	for form, audience := range map[string]string{"": api, "&resource=https://other.example.com": "https://other.example.com"} {
		status, _, got := tokenRequest(t, issuer, http.MethodPost, "grant_type=client_credentials"+form, "shop", "secret")
		if status != 200 || got["expires_in"] != 60.0 || got["scope"] != "read" {
			t.Fatalf("got %d and %v", status, got)
		}
		_, claims := parts(t, got["access_token"].(string))
		for name, want := range map[string]any{
			"sub": "shop@clients", "azp": "shop", "scope": "read", "aud": audience, "tenant": "acme", "cnf": map[string]any{"x5t#S256": "x"},
		} {
			if !reflect.DeepEqual(claims[name], want) {
				t.Errorf("%s is %v, want %v", name, claims[name], want)
			}
		}
	}
}
