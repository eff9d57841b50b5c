package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// newSuite returns a suite whose provider is an issuer for tests. Its clients are
// machine-jwt and machine-opaque.
func newSuite(t *testing.T) (*suite, *bytes.Buffer) {
	t.Helper()
	issuer := authtest.NewIssuer(t)
	for _, c := range []authtest.Client{
		{ID: "machine-jwt", Secret: clientSecret},
		{ID: "machine-opaque", Secret: clientSecret, Token: authtest.Token{Opaque: true}},
		{ID: "api", Secret: clientSecret},
	} {
		issuer.AddClient(c)
	}
	place, err := newSite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	place.Issuer = issuer.URL
	started, err := place.serve(t.Context(), verifier.Config{
		JWT:           []verifier.JWTConfig{{Issuer: issuer.URL}},
		Introspection: []verifier.IntrospectionConfig{{Issuer: issuer.URL, ClientID: "api", ClientSecret: clientSecret}},
	}, "person")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(started.close)
	var out bytes.Buffer
	return &suite{site: place, out: &out, resources: started, parameter: "resource"}, &out
}

// TestSuite: the checks that need no user pass with an issuer for tests.
func TestSuite(t *testing.T) {
	t.Parallel()
	s, out := newSuite(t)
	if s.discovery(t.Context()) {
		s.clients(t.Context(), s.JWT, s.Opaque, "machine-jwt")
		s.clients(t.Context(), s.Opaque, s.JWT, "machine-opaque")
	}
	if s.failed != 0 || strings.Count(out.String(), "\n") != 3+7+2+7 {
		t.Errorf("%d failed:\n%s", s.failed, out)
	}
}

// TestSuiteFails: a server that lets every caller in fails the checks, and so does one
// that takes the caller for another.
func TestSuiteFails(t *testing.T) {
	t.Parallel()
	s, out := newSuite(t)
	s.run(t.Context(), row{"no token", call{resource: s.JWT}, allowed, "", ""})
	s.run(t.Context(), row{"no caller", call{resource: s.JWT}, outcome{http.StatusUnauthorized, "", readStock}, "ada through person, user", ""})
	s.run(t.Context(), row{"no cause", call{resource: s.JWT, token: "nonsense"}, refused, "", "another"})
	open := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(open.Close)
	s.JWT = open.URL
	if s.discovery(t.Context()) || s.failed != 4 || strings.Count(out.String(), "FAILED: ") != 4 {
		t.Errorf("%d failed:\n%s", s.failed, out)
	}
}

func TestSiteFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, true, "", ""); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "site.json")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	place, err := readSite(name)
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{place.Issuer, place.MTLS, place.Admin, place.JWT, place.GRPC, place.Opaque, place.Certificates}
	if slices.Sort(addresses); len(slices.Compact(addresses)) != 7 {
		t.Errorf("not seven addresses: %q", addresses)
	}

	out.Reset()
	if err := run(t.Context(), &out, false, name, "hydra-config"); err != nil {
		t.Fatal(err)
	}
	var config struct {
		Serve struct {
			Public struct {
				Host string
				Port int
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &config); err != nil {
		t.Fatal(err)
	}
	if config.Serve.Public.Host != "127.0.0.1" || !strings.HasSuffix(place.Issuer, ":"+strconv.Itoa(config.Serve.Public.Port)) {
		t.Errorf("hydra listens on %+v, want %s", config.Serve.Public, place.Issuer)
	}
	if err := run(t.Context(), &out, false, name, "dex"); err == nil || !strings.Contains(err.Error(), `"dex"`) {
		t.Errorf("got %v, want a complaint about the provider", err)
	}
	if err := run(t.Context(), &out, false, name+"x", "hydra"); err == nil {
		t.Error("no error without a site file")
	}
}

// TestBrowser: a login ends at the redirect URI, and one that never gets there fails.
func TestBrowser(t *testing.T) {
	t.Parallel()
	s := site{Redirect: "http://127.0.0.1/callback"}
	mux := http.NewServeMux()
	mux.Handle("/start", http.RedirectHandler("/end", http.StatusFound))
	mux.Handle("/end", http.RedirectHandler(s.Redirect+"?code=c", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.HandleFunc("/page", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	b, err := s.newBrowser(func(context.Context, *browser, *url.URL) (string, error) { return "", nil })
	if err != nil {
		t.Fatal(err)
	}
	if query, err := b.follow(t.Context(), server.URL+"/start"); err != nil || query.Get("code") != "c" {
		t.Errorf("got %v, %v, want a code", query, err)
	}
	for path, want := range map[string]string{"/loop": "no end", "/page": "is no redirect", "/nothing": "404"} {
		if _, err := b.follow(t.Context(), server.URL+path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}
