package authtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const (
	api      = "https://api.example.com"
	robot    = "robot one:é%"
	password = "s:cr&t+%é"
)

// newClientIssuer knows clients that may have two scopes, any, and one.
func newClientIssuer(t *testing.T) *authtest.Issuer {
	t.Helper()
	issuer := authtest.NewIssuer(t)
	issuer.AddClient(authtest.Client{ID: robot, Secret: password, Scopes: []string{"read", "write"}})
	issuer.AddClient(authtest.Client{ID: "free", Secret: "secret"})
	issuer.AddClient(authtest.Client{ID: "narrow", Secret: "100%", Scopes: []string{"read"}})
	return issuer
}

// TestClientCredentials: a client of another library gets tokens, in both ways in
// which it may authenticate, and a verifier accepts them (RFC 6749 §4.4, R8707-2).
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	var metadata struct {
		TokenEndpoint string   `json:"token_endpoint"`
		Grants        []string `json:"grant_types_supported"`
	}
	if err := json.Unmarshal(issuer.Discovery(), &metadata); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(metadata.Grants, []string{"client_credentials"}) {
		t.Errorf("grants are %q", metadata.Grants)
	}
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		cfg := clientcredentials.Config{
			ClientID:       robot,
			ClientSecret:   password,
			TokenURL:       metadata.TokenEndpoint,
			Scopes:         []string{"read"},
			EndpointParams: url.Values{"resource": {api, "https://other.example.com"}},
			AuthStyle:      style,
		}
		got, err := cfg.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Type() != "Bearer" || got.Extra("expires_in") != 300.0 || got.Extra("scope") != "read" {
			t.Errorf("got %+v", got)
		}
		info, err := jwt.VerifyToken(t.Context(), got.AccessToken, nil)
		if err != nil {
			t.Fatal(err)
		}
		if info.Subject != robot || info.ClientID != robot ||
			!reflect.DeepEqual(info.Audience, []string{api, "https://other.example.com"}) || !reflect.DeepEqual(info.Scopes, []string{"read"}) {
			t.Errorf("got %+v", info)
		}
	}
	if got := issuer.TokenRequests(); got != 2 {
		t.Errorf("%d token requests", got)
	}
}

// tokenRequest sends a form to the token endpoint, and returns status, header and
// members of the response.
func tokenRequest(t *testing.T, issuer *authtest.Issuer, method, form string, basic ...string) (status int, header http.Header, members map[string]any) {
	t.Helper()
	return post(t, issuer.URL+"/token", method, form, basic...)
}

// post sends a form to an endpoint, and returns status, header and members of the
// response.
func post(t *testing.T, endpoint, method, form string, basic ...string) (status int, header http.Header, members map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, endpoint, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(basic) > 0 {
		r.SetBasicAuth(basic[0], basic[1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatalf("%v: %q", err, body)
	}
	if got := response.Header; got.Get("Content-Type") != "application/json" || got.Get("Cache-Control") != "no-store" {
		t.Errorf("header is %v", got)
	}
	return response.StatusCode, response.Header, members
}

// TestTokenRequests has the requests of RFC 6749 §4.4.2 and those that are
// refused by §5.2.
func TestTokenRequests(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	const (
		grant = "grant_type=client_credentials"
		free  = "&client_id=free&client_secret=secret"
	)
	inForm := grant + "&" + url.Values{"client_id": {robot}, "client_secret": {password}}.Encode()
	for _, tt := range []struct {
		name   string
		method string
		form   string
		basic  []string
		status int
		code   string
		scope  any // of the response
		aud    any // of the token
	}{
		{name: "all scopes of the client by default", form: inForm, status: 200, scope: "read write"},
		{name: "no scope by default", form: grant + free, status: 200},
		{name: "any scope", form: grant + free + "&scope=a+b", status: 200, scope: "a b"},
		{name: "R8707-2 one resource", form: grant + free + "&resource=" + api, status: 200, aud: api},
		{name: "Basic that is not encoded", form: grant, basic: []string{"free", "secret"}, status: 200},
		{name: "Basic that cannot be decoded", form: grant, basic: []string{"narrow", "100%"}, status: 200, scope: "read"},
		{name: "a scope of another where there is only one", form: grant + "&scope=write", basic: []string{"narrow", "100%25"}, status: 400, code: "invalid_scope"},
		{name: "Basic with an unknown id that cannot be decoded", form: grant, basic: []string{"100%", "secret"}, status: 401, code: "invalid_client"},
		{name: "a scope of another", form: inForm + "&scope=read+admin", status: 400, code: "invalid_scope"},
		{name: "a wrong secret", form: grant + "&client_id=free&client_secret=secre", status: 401, code: "invalid_client"},
		{name: "no secret", form: grant + "&client_id=free", status: 401, code: "invalid_client"},
		{name: "no client", form: grant, status: 401, code: "invalid_client"},
		{name: "an unknown client", form: grant, basic: []string{"nemo", "secret"}, status: 401, code: "invalid_client"},
		{name: "authenticated twice", form: grant + "&client_secret=secret", basic: []string{"free", "secret"}, status: 400, code: "invalid_request"},
		{name: "another grant", form: "grant_type=authorization_code" + free, status: 400, code: "unsupported_grant_type"},
		{name: "no grant", form: free[1:], status: 400, code: "unsupported_grant_type"},
		{name: "a parameter twice", form: grant + free + "&scope=a&scope=b", status: 400, code: "invalid_request"},
		{name: "R8707-2 not a resource", form: grant + free + "&resource=api", status: 400, code: "invalid_target"},
		{name: "R8707-2 a resource with a fragment", form: grant + free + "&resource=https://a/%23", status: 400, code: "invalid_target"},
		{name: "not a form", form: "%", status: 400, code: "invalid_request"},
		{name: "too large", form: strings.Repeat("a", 1<<17), status: 400, code: "invalid_request"},
		{name: "GET", method: http.MethodGet, form: grant + free, status: 405, code: "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			method := tt.method
			if method == "" {
				method = http.MethodPost
			}
			status, header, got := tokenRequest(t, issuer, method, tt.form, tt.basic...)
			if code, _ := got["error"].(string); status != tt.status || code != tt.code {
				t.Fatalf("got %d and %v", status, got)
			}
			if asks := header.Get("WWW-Authenticate") != ""; asks != (tt.status == http.StatusUnauthorized) {
				t.Errorf("header is %v", header)
			}
			if tt.status != http.StatusOK {
				return
			}
			_, claims := parts(t, got["access_token"].(string))
			if got["scope"] != tt.scope || claims["scope"] != tt.scope || claims["aud"] != tt.aud {
				t.Errorf("got %v with the claims %v", got, claims)
			}
		})
	}
}

// TestReplacedClient: a client that is added again has the new secret alone.
func TestReplacedClient(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	issuer.AddClient(authtest.Client{ID: "free", Secret: "new"})
	for secret, want := range map[string]int{"secret": 401, "new": 200} {
		if status, _, got := tokenRequest(t, issuer, http.MethodPost, "grant_type=client_credentials", "free", secret); status != want {
			t.Errorf("%s: got %d and %v", secret, status, got)
		}
	}
}

// TestTokenEndpointFails: the token endpoint fails as the others do.
func TestTokenEndpointFails(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	issuer.HandleToken(authtest.Answer(503, "application/json", `{"error":"temporarily_unavailable"}`))
	if got, err := get(t, issuer.URL+"/token"); err != nil || got.status != 503 {
		t.Errorf("got %v and %v", got, err)
	}
	issuer.Down()
	if got, err := get(t, issuer.URL+"/token"); err == nil {
		t.Errorf("got %v", got)
	}
	issuer.Up()
	if got, err := get(t, issuer.URL+"/token"); err != nil || got.status != 405 {
		t.Errorf("got %v and %v", got, err)
	}
	if got := issuer.TokenRequests(); got != 3 {
		t.Errorf("%d token requests", got)
	}
}

// TestServeDiscoveryAt: the discovery document is where the test wants it, and
// nowhere else (R8414-3).
func TestServeDiscoveryAt(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	const tenant = "/tenant" + authtest.OpenIDPath
	for _, tt := range []struct {
		name  string
		paths []string
	}{
		{"R8414-3 both", []string{authtest.OpenIDPath, authtest.OAuthPath}},
		{"R8414-3 OAuth alone", []string{authtest.OAuthPath}},
		{"R8414-3 OpenID alone", []string{authtest.OpenIDPath}},
		{"R8414-3 elsewhere", []string{tenant}},
		{"R8414-3 nowhere", nil},
	} {
		issuer.ServeDiscoveryAt(tt.paths...)
		for _, path := range []string{authtest.OpenIDPath, authtest.OAuthPath, tenant, "/"} {
			want := answer{404, "404 page not found\n"}
			for _, served := range tt.paths {
				if served == path {
					want = answer{200, string(issuer.Discovery())}
				}
			}
			if got, err := get(t, issuer.URL+path); err != nil || got != want {
				t.Errorf("%s: %s: got %v and %v", tt.name, path, got, err)
			}
		}
	}
	if got := issuer.DiscoveryRequests(); got != 20 {
		t.Errorf("%d discovery requests", got)
	}
	issuer.HandleDiscovery(authtest.Answer(418, "text/plain", "tea"))
	if got, err := get(t, issuer.URL+authtest.OAuthPath); err != nil || got.status != 404 {
		t.Errorf("a replacement where there is nothing: got %v and %v", got, err)
	}
}
