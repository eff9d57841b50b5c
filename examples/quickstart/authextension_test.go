package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	grpcmetadata "google.golang.org/grpc/metadata"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// postForm sends a form as a client, and decodes the JSON of the response.
func postForm(t *testing.T, address, id, secret string, form url.Values, proofs ...string) (status int, members map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header["Dpop"] = proofs
	req.SetBasicAuth(id, secret)
	wire := newTap(false)
	defer wire.close()
	resp, err := wire.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	decode(t, resp.Body, &members)
	if resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") == "" {
		t.Error("a 401 without a challenge")
	}
	return resp.StatusCode, members
}

// requestToken requests a token with the client credentials grant.
func requestToken(t *testing.T, target announcement, client client, proofs ...string) (int, map[string]any) {
	t.Helper()
	return postForm(t, target.TokenEndpoint, client.ID, client.Secret, url.Values{
		"grant_type": {"client_credentials"}, "scope": {readStock}, "resource": {target.Connect},
	}, proofs...)
}

// The token endpoint binds a token to the key of a proof, and refuses a bad proof.
func TestProofAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	key := authtest.NewProofKey(t, "ES256")
	prove := func(change func(*authtest.Proof)) []string {
		p := authtest.Proof{Method: http.MethodPost, URL: target.TokenEndpoint}
		change(&p)
		return []string{key.Prove(p)}
	}
	claim := func(name string, value any) []string {
		return prove(func(p *authtest.Proof) { p.Claims = map[string]any{name: value} })
	}
	header := func(name string, value any) []string {
		return prove(func(p *authtest.Proof) { p.Header = map[string]any{name: value} })
	}
	used := prove(func(*authtest.Proof) {})
	for _, test := range []struct {
		name   string
		proofs []string
		status int
	}{
		{"R9449-5 good", used, http.StatusOK},
		{"R9449-11.1 used before", used, http.StatusBadRequest},
		{"R9449-4.3 the query does not count", claim("htu", target.TokenEndpoint+"?x"), http.StatusOK},
		{"R9449-5.2 no proof", nil, http.StatusBadRequest},
		{"R9449-4.3 two proofs", append(prove(func(*authtest.Proof) {}), prove(func(*authtest.Proof) {})...), http.StatusBadRequest},
		{"R9449-4.3 not a JWT", []string{"proof"}, http.StatusBadRequest},
		{"R9449-4.3 too long", claim("x", strings.Repeat("x", maxProof)), http.StatusBadRequest},
		{"R9449-4.3 wrong typ", header("typ", "JWT"), http.StatusBadRequest},
		{"R9449-4.3 no key", header("jwk", authtest.Omit), http.StatusBadRequest},
		{"R9449-4.3 private key", header("jwk", key.PrivateJWK()), http.StatusBadRequest},
		{"R9449-4.3 HS256", prove(func(p *authtest.Proof) { p.Algorithm = "HS256" }), http.StatusBadRequest},
		{"R9449-4.3 forged", prove(func(p *authtest.Proof) { p.Forged = true }), http.StatusBadRequest},
		{"R9449-4.3 another method", prove(func(p *authtest.Proof) { p.Method = http.MethodGet }), http.StatusBadRequest},
		{"R9449-4.3 another URL", prove(func(p *authtest.Proof) { p.URL = target.Connect }), http.StatusBadRequest},
		{"R9449-4.3 too old", prove(func(p *authtest.Proof) { p.IssuedAt = time.Now().Add(-time.Hour) }), http.StatusBadRequest},
		{"R9449-4.3 no iat", claim("iat", authtest.Omit), http.StatusBadRequest},
		{"R9449-4.3 iat of another type", claim("iat", "now"), http.StatusBadRequest},
		{"R9449-4.3 no jti", claim("jti", authtest.Omit), http.StatusBadRequest},
	} {
		status, got := requestToken(t, target, target.Clients[3], test.proofs...)
		if status != test.status || status == http.StatusOK && got["token_type"] != "DPoP" || status != http.StatusOK && got["error"] != "invalid_dpop_proof" {
			t.Errorf("%s: got %d and %v", test.name, status, got)
		}
	}
}

// Any client that sends a proof gets a bound token, also an opaque one, and the
// servers ask for a proof of the key.
func TestBoundTokens(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	inventory := inventoryv1.NewInventoryServiceClient(dial(t, target))
	key := authtest.NewProofKey(t, "EdDSA")
	for _, client := range []client{target.Clients[0], target.Clients[2], target.Clients[3]} {
		status, got := requestToken(t, target, client, key.Prove(authtest.Proof{Method: http.MethodPost, URL: target.TokenEndpoint}))
		token, ok := got["access_token"].(string)
		if status != http.StatusOK || got["token_type"] != "DPoP" || !ok || strings.Contains(token, ".") == (client.TokenFormat == opaque) {
			t.Errorf("R9449-5 %s: got %d and %v", client.ID, status, got)
			continue
		}
		call := func(fields ...string) error {
			ctx := grpcmetadata.AppendToOutgoingContext(t.Context(), fields...)
			_, err := inventory.ListItems(ctx, &inventoryv1.ListItemsRequest{})
			return err
		}
		proof := key.Prove(authtest.Proof{
			Method: http.MethodPost, URL: target.Connect + inventoryv1.InventoryService_ListItems_FullMethodName, AccessToken: token,
		})
		if err := call("authorization", "DPoP "+token, "dpop", proof); err != nil {
			t.Errorf("R9449-7.1 %s: %v", client.ID, err)
		}
		if call("authorization", "DPoP "+token, "dpop", proof) == nil || call("authorization", "Bearer "+token) == nil {
			t.Errorf("R9449-7.2 %s: let in without a new proof", client.ID)
		}
	}
}

// An opaque token opens the resource it was requested for, over Connect as well, and
// not the other one.
func TestOpaqueToken(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	status, got := requestToken(t, target, target.Clients[2])
	token, ok := got["access_token"].(string)
	if status != http.StatusOK || got["token_type"] != "Bearer" || !ok || strings.Contains(token, ".") {
		t.Fatalf("got %d and %v", status, got)
	}
	for address, want := range map[string]int{
		target.Connect + inventoryv1.InventoryService_ListItems_FullMethodName:   http.StatusOK,
		target.Connect + inventoryv1.InventoryService_AdjustStock_FullMethodName: http.StatusForbidden,
		target.MCP: http.StatusUnauthorized,
	} {
		if got := post(t, address, token); got.status != want {
			t.Errorf("%s: got %+v, want %d", address, got, want)
		}
	}
}

// The services alone may introspect.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	s := startServers(t)
	target := s.announcement()
	for _, announced := range target.Clients {
		if announced.ID == introspectionClient || announced.Secret == s.authServer.secret {
			t.Error("the client of the services is announced")
		}
	}
	_, got := requestToken(t, target, target.Clients[2])
	token := got["access_token"].(string)
	for _, test := range []struct {
		name, id, secret, token string
		status                  int
		active                  any
	}{
		{"R7662-2.2 active", introspectionClient, s.authServer.secret, token, http.StatusOK, true},
		{"R7662-2.2 unknown", introspectionClient, s.authServer.secret, "unknown", http.StatusOK, false},
		{"R7662-2.3 wrong secret", introspectionClient, "wrong", token, http.StatusUnauthorized, nil},
		{"R7662-2.3 another client", serviceClient, serviceSecret, token, http.StatusUnauthorized, nil},
	} {
		status, got := postForm(t, target.Issuer+introspectionPath, test.id, test.secret, url.Values{"token": {test.token}})
		if status != test.status || got["active"] != test.active || (got["client_id"] == opaqueClient) != (test.active == true) {
			t.Errorf("%s: got %d and %v", test.name, status, got)
		}
	}
	if status, got := postForm(t, target.TokenEndpoint, introspectionClient, s.authServer.secret, url.Values{"grant_type": {"client_credentials"}, "resource": {target.Connect}}); status != http.StatusBadRequest {
		t.Errorf("the client of the services requested a token: %d and %v", status, got)
	}
}

// Opaque tokens are bounded in number, and end when they expire.
func TestReferences(t *testing.T) {
	t.Parallel()
	rs := newReferences()
	put := func(lifetime time.Duration) (string, error) {
		return rs.put(oidc.NewAccessTokenClaims("issuer", "subject", nil, time.Now().Add(lifetime), "id", "client", 0), "Bearer")
	}
	expired, err := put(-time.Minute)
	if err != nil || rs.find(expired).Active {
		t.Errorf("an expired token is active, or there is none (%v)", err)
	}
	for range maxReferences {
		if _, err := put(time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := put(time.Hour); err == nil {
		t.Error("there is no bound")
	}
}

// Both metadata documents name what clients and services need.
func TestAuthServerMetadata(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	w := walker{http1: newTap(false)}
	t.Cleanup(w.http1.close)
	for _, path := range []string{oidc.DiscoveryEndpoint, oauthMetadataPath} {
		var document struct {
			Issuer        string   `json:"issuer"`
			Introspection string   `json:"introspection_endpoint"`
			Algorithms    []string `json:"dpop_signing_alg_values_supported"`
			Keys          string   `json:"jwks_uri"`
		}
		if err := w.getJSON(t.Context(), target.Issuer+path, &document); err != nil {
			t.Fatal(err)
		}
		if document.Issuer != target.Issuer || document.Introspection != target.Issuer+introspectionPath || len(document.Algorithms) != len(proofAlgorithms) {
			t.Errorf("R9449-5.1 %s: got %+v", path, document)
		}
		var set json.RawMessage
		var keys jose.JSONWebKeySet
		if err := w.getJSON(t.Context(), document.Keys, &set); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(set, &keys); err != nil || len(keys.Keys) != 2 {
			t.Errorf("got %s (%v), want two keys", set, err)
		}
	}
}
