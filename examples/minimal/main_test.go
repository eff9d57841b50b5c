package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
)

func TestServer(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	handler, err := newHandler(issuer.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	audience := []string{"http://" + address}
	for _, tt := range []struct {
		name, token, body, challenge string
		status                       int
	}{
		{
			name: "no token", status: http.StatusUnauthorized,
			challenge: `Bearer realm="greet.v1.GreetService", resource_metadata="http://localhost:8080/.well-known/oauth-protected-resource", scope="greet"`,
		},
		{
			name: "too little", status: http.StatusForbidden, token: issuer.Mint(authtest.Token{Audience: audience}),
			challenge: `error="insufficient_scope"`,
		},
		{
			name: "enough", status: http.StatusOK, token: issuer.Mint(authtest.Token{Subject: "ada", Audience: audience, Scope: "greet"}),
			body: `"Hello, ada"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/"+service+"/Greet", strings.NewReader(`"Hello"`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if tt.token != "" {
				req.Header.Set("Authorization", "Bearer "+tt.token)
			}
			res, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if challenge := res.Header.Get("Www-Authenticate"); res.StatusCode != tt.status || !strings.Contains(challenge, tt.challenge) || !strings.Contains(string(body), tt.body) {
				t.Errorf("got %s, %q, %s", res.Status, challenge, body)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	_, err := newHandler("http://login.example.com")
	found, ok := errors.AsType[*fault.Fault](err)
	if !ok || found.Place != "verifier: JWT[0].Issuer" {
		t.Errorf("got %v", err)
	}
}
