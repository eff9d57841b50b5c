package verifier_test

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// editDiscovery makes the issuer serve its discovery document with one member
// changed.
func (f *fixture) editDiscovery(t testing.TB, name string, value any) {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal(f.issuer.Discovery(), &document); err != nil {
		t.Fatal(err)
	}
	document[name] = value
	edited, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	f.issuer.HandleDiscovery(authtest.Answer(200, "application/json", string(edited)))
}

func TestDiscovery(t *testing.T) {
	for _, row := range []struct {
		name, member string
		value        any
		reason       string
	}{
		{"foreign issuer", "issuer", "https://evil.example.com", "issuer"},
		{"issuer with a slash", "issuer", nil, "issuer"},
		{"no jwks_uri", "jwks_uri", "", "not a URL"},
		{"relative jwks_uri", "jwks_uri", "/keys", "not a URL"},
		{"broken jwks_uri", "jwks_uri", "http://[", "not a URL"},
		{"jwks_uri in the clear", "jwks_uri", "http://login.example.com/keys", "less protected"},
		{"jwks_uri in a file", "jwks_uri", "file://localhost/etc/passwd", "less protected"},
		{"jwks_uri of the wrong type", "jwks_uri", 1, "metadata"},
		{"a template for tenants", "issuer", "https://login.microsoftonline.com/{tenantid}/v2.0", "set Issuer to that of one"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
			if row.value == nil {
				row.value = f.issuer.URL + "/"
			}
			f.editDiscovery(t, row.member, row.value)
			_, err := f.verify(t, f.mint())
			if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), row.reason) {
				t.Errorf("got %v, want unavailable because of %s", err, row.reason)
			}
			f.issuer.Up()
			f.Advance(coolDown)
			f.accepts(t, f.mint())
		})
	}
}

func TestDiscoveryOfIssuerWithSlash(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	f.editDiscovery(t, "issuer", f.issuer.URL+"/")
	v, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: f.issuer.URL + "/"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyToken(t.Context(), f.mint(claim("iss", f.issuer.URL+"/")), nil); err != nil {
		t.Error(err)
	}
	if _, err := v.VerifyToken(t.Context(), f.mint(), nil); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("R9068-4.b without the slash: got %v", err)
	}
}

// TestKeySetMoves proves that each fetch discovers the address of the key set.
func TestKeySetMoves(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	f.accepts(t, f.mint())
	moved := httptest.NewServer(authtest.Answer(200, "application/json", string(f.issuer.KeySet())))
	defer moved.Close()
	f.editDiscovery(t, "jwks_uri", moved.URL)
	f.Advance(interval)
	f.fetches(t, 0, func() { f.accepts(t, f.mint()) })
	f.accepts(t, f.mint())
}

// secureIssuer starts an issuer that is served over https.
func secureIssuer(t *testing.T, keySet http.Handler) (issuer *httptest.Server, config verifier.Config) {
	t.Helper()
	mux := http.NewServeMux()
	issuer = httptest.NewUnstartedServer(mux)
	issuer.Config.ErrorLog = log.New(io.Discard, "", 0) // of failed handshakes
	issuer.StartTLS()
	t.Cleanup(issuer.Close)
	mux.Handle("/.well-known/openid-configuration", authtest.Answer(200, "application/json",
		`{"issuer":"`+issuer.URL+`","jwks_uri":"`+issuer.URL+`/keys"}`))
	mux.Handle("/keys", keySet)
	return issuer, verifier.Config{
		JWT:    []verifier.JWTConfig{{Issuer: issuer.URL, HTTPClient: issuer.Client()}},
		Logger: slog.New(slog.DiscardHandler),
	}
}

func TestHTTPS(t *testing.T) {
	signer := authtest.NewIssuer(t)
	keySet := authtest.Answer(200, "application/json", string(signer.KeySet()))
	issuer, config := secureIssuer(t, keySet)
	raw := signer.Mint(authtest.Token{Audience: []string{api}, Claims: map[string]any{"iss": issuer.URL}})

	t.Run("good", func(t *testing.T) {
		v, err := verifier.New(config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.VerifyToken(t.Context(), raw, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("unknown certificate", func(t *testing.T) {
		config.JWT[0].HTTPClient = nil
		v, err := verifier.New(config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.VerifyToken(t.Context(), raw, nil); !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}

// TestRedirect proves that a redirect never leads from https to http, not even
// on loopback.
func TestRedirect(t *testing.T) {
	signer := authtest.NewIssuer(t)
	var asked atomic.Int64
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(signer.KeySet())
	}))
	defer plain.Close()
	issuer, config := secureIssuer(t, http.RedirectHandler(plain.URL, http.StatusFound))
	v, err := verifier.New(config)
	if err != nil {
		t.Fatal(err)
	}
	raw := signer.Mint(authtest.Token{Audience: []string{api}, Claims: map[string]any{"iss": issuer.URL}})
	_, err = v.VerifyToken(t.Context(), raw, nil)
	if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), "less protected") {
		t.Errorf("got %v", err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the key set was asked for %d times in the clear", n)
	}
}

// TestRedirectPolicyOfClient proves that the CheckRedirect of a configured
// client applies, and that the client itself is not changed.
func TestRedirectPolicyOfClient(t *testing.T) {
	var asked int
	refuse := errors.New("no redirects here")
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error {
		asked++
		return refuse
	}}
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler), JWT: []verifier.JWTConfig{{HTTPClient: client}}})
	f.issuer.HandleKeySet(http.RedirectHandler(f.issuer.URL+"/elsewhere", http.StatusFound))
	_, err := f.verify(t, f.mint())
	if !errors.Is(err, token.ErrUnavailable) || asked != 1 {
		t.Errorf("asked %d times, got %v", asked, err)
	}
	if err := client.CheckRedirect(nil, nil); !errors.Is(err, refuse) {
		t.Error("the client of the user was changed")
	}
}

// TestRedirectIsFollowed has an issuer that moved its key set.
func TestRedirectIsFollowed(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	moved := httptest.NewServer(authtest.Answer(200, "application/json", string(f.issuer.KeySet())))
	defer moved.Close()
	f.issuer.HandleKeySet(http.RedirectHandler(moved.URL, http.StatusFound))
	f.accepts(t, f.mint())
}

// TestDocumentSize proves that the limit is 1 MiB.
func TestDocumentSize(t *testing.T) {
	for further, want := range map[int]error{0: nil, 1: token.ErrUnavailable} {
		f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
		document := string(f.issuer.KeySet())
		document += strings.Repeat(" ", 1<<20-len(document)+further)
		f.issuer.HandleKeySet(authtest.Answer(200, "application/json", document))
		if _, err := f.verify(t, f.mint()); !errors.Is(err, want) {
			t.Errorf("%d bytes: got %v", len(document), err)
		}
	}
}

func TestRedirectWithoutEnd(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	f.issuer.HandleKeySet(http.RedirectHandler("/keys", http.StatusFound))
	f.fetches(t, 6, func() { f.refuses(t, f.mint(), token.ErrUnavailable) })
}
