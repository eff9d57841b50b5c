package verifier_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const secret = "a very secret value"

// opaque is an authorization server with opaque tokens, and a verifier that asks it.
type opaque struct {
	*clock

	issuer   *authtest.Issuer
	verifier *verifier.Verifier
	resource *token.Resource
}

func newOpaque(t testing.TB, change func(*verifier.Config)) *opaque {
	t.Helper()
	o := &opaque{clock: newClock(), issuer: authtest.NewIssuer(t)}
	o.issuer.AddClient(authtest.Client{ID: "api", Secret: secret})
	config := verifier.Config{
		Introspection: []verifier.IntrospectionConfig{{Issuer: o.issuer.URL, ClientID: "api", ClientSecret: secret}},
		Logger:        slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	v, err := verifier.NewAt(config, o.Now)
	if err != nil {
		t.Fatal(err)
	}
	o.verifier, o.resource = v, &token.Resource{Identifier: api, Issuers: []string{o.issuer.URL}}
	return o
}

func (o *opaque) mint(claims map[string]any) string {
	return o.issuer.Mint(authtest.Token{Audience: []string{api}, Scope: "a b", Opaque: true, IssuedAt: o.Now(), Lifetime: time.Hour, Claims: claims})
}

// asks checks the number of introspections that do causes.
func (o *opaque) asks(t testing.TB, want int, do func()) {
	t.Helper()
	before := o.issuer.IntrospectionRequests()
	do()
	if got := o.issuer.IntrospectionRequests() - before; got != want {
		t.Errorf("%d introspections, want %d", got, want)
	}
}

// TestIntrospection: what an answer has to say for a token to be accepted.
func TestIntrospection(t *testing.T) {
	type claims = map[string]any
	hour := func(n int) int64 { return time.Now().Add(time.Duration(n) * time.Hour).Unix() }
	for _, row := range []struct {
		name   string
		claims claims
		reason string // of an invalid token
	}{
		{"R7662-2.2 active", nil, ""},
		{"R7662-2.2 no iss", claims{"iss": authtest.Omit}, ""},
		{"R7662-2.2 no exp", claims{"exp": authtest.Omit}, ""},
		{"R7662-2.2 no nbf and no iat", claims{"iat": authtest.Omit}, ""},
		{"R7662-2.2 active absent (CVE-2026-11717)", claims{"active": authtest.Omit}, "not active"},
		{"R7662-2.2 active false", claims{"active": false}, "not active"},
		{"R7662-2.2 active a string", claims{"active": "true"}, "not active"},
		{"R7662-2.2 active a number", claims{"active": 1}, "not active"},
		{"R7662-2.2 Active", claims{"active": authtest.Omit, "Active": true}, "not active"},
		{"R7662-2.2 another iss (CVE-2026-11718)", claims{"iss": "https://evil.example.com"}, "another issuer"},
		{"R7662-2.2 iss null", claims{"iss": nil}, "another issuer"},
		{"R7662-2.2 iss empty", claims{"iss": ""}, "another issuer"},
		{"R7662-2.2 exp", claims{"active": true, "exp": hour(-1)}, "expired"},
		{"R7662-2.2 exp a string", claims{"exp": "1900000000"}, "exp"},
		{"R7662-2.2 exp null", claims{"exp": nil}, "exp"},
		{"R7662-2.2 exp 1e308", claims{"exp": 1e308}, "exp"},
		{"R7662-2.2 exp negative", claims{"active": true, "exp": -1}, "exp"},
		{"R7662-2.2 nbf", claims{"active": true, "nbf": hour(1)}, "nbf"},
		{"R7662-2.2 iat", claims{"iat": hour(1)}, "iat"},
		{"R7662-2.2 no aud", claims{"aud": authtest.Omit}, "aud is missing"},
		{"R7662-2.2 aud empty", claims{"aud": []string{}}, "aud is empty"},
		{"R7662-2.2 no sub", claims{"sub": authtest.Omit}, "sub"},
		{"R7662-2.2 a refresh token of Keycloak", claims{"typ": "Refresh"}, "not an access token"},
		{"R7662-2.2 a refresh token of hydra", claims{"token_use": "refresh_token"}, "not an access token"},
		{"R9449-7.2 DPoP without a key", claims{"token_type": "DPoP"}, "no cnf"},
		{"R9449-7.2 DPoP with a key", claims{"token_type": "DPoP", "cnf": claims{"jkt": "x"}}, ""},
		{"R8705-3 cnf malformed", claims{"cnf": "x"}, "cnf"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := newOpaque(t, nil)
			raw := o.mint(row.claims)
			info, err := o.verifier.VerifyToken(t.Context(), raw, o.resource)
			checkResult(t, raw, info, err)
			if row.reason == "" {
				if err != nil || info.Issuer != o.issuer.URL || info.Subject != "user-1" || info.ClientID != "client-1" || len(info.Scopes) != 2 {
					t.Errorf("got %+v and %v", info, err)
				}
				return
			}
			if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), row.reason) {
				t.Errorf("got %v, want %q", err, row.reason)
			}
			// The refusal is remembered (R7662-4), and not for long.
			o.asks(t, 0, func() { wants(t, o.verifier, raw, o.resource, token.ErrInvalid) })
			o.Advance(5 * time.Second)
			o.asks(t, 1, func() { wants(t, o.verifier, raw, o.resource, token.ErrInvalid) })
		})
	}
}

// TestAudienceOfUnbound: a token whose answer has no aud is one for what the
// configuration says.
func TestAudienceOfUnbound(t *testing.T) {
	o := newOpaque(t, func(c *verifier.Config) { c.Introspection[0].AudienceOfUnbound = api })
	if info := wants(t, o.verifier, o.mint(map[string]any{"aud": authtest.Omit}), o.resource, nil); info == nil || len(info.Audience) != 1 || info.Audience[0] != api {
		t.Errorf("R7662-2.2: got %+v", info)
	}
	if info := wants(t, o.verifier, o.mint(map[string]any{"aud": "other"}), o.resource, nil); info == nil || info.Audience[0] != "other" {
		t.Errorf("R7662-2.2: got %+v", info)
	}
}

// TestAnswerLifetime: answers are used no longer than exp and a time of their own
// (R7662-4), and a revoked token no longer than that.
func TestAnswerLifetime(t *testing.T) {
	o := newOpaque(t, nil)
	raw := o.mint(nil)
	o.asks(t, 1, func() {
		for range 3 {
			wants(t, o.verifier, raw, o.resource, nil)
		}
		o.Advance(time.Minute - 1)
		wants(t, o.verifier, raw, o.resource, nil)
	})
	o.issuer.Revoke(raw)
	o.Advance(1)
	o.asks(t, 1, func() { wants(t, o.verifier, raw, o.resource, token.ErrInvalid) })

	endless := o.mint(map[string]any{"exp": authtest.Omit})
	o.asks(t, 1, func() {
		for range 2 {
			wants(t, o.verifier, endless, o.resource, nil)
		}
	})

	short := o.issuer.Mint(authtest.Token{Audience: []string{api}, Opaque: true, IssuedAt: o.Now(), Lifetime: 10 * time.Second})
	wants(t, o.verifier, short, o.resource, nil)
	o.Advance(40 * time.Second) // exp and the leeway
	wants(t, o.verifier, short, o.resource, token.ErrInvalid)

	none := newOpaque(t, func(c *verifier.Config) {
		c.Introspection[0].AnswerLifetime, c.Introspection[0].RefusalLifetime = -1, -1
	})
	good, bad := none.mint(nil), none.mint(map[string]any{"active": false})
	none.asks(t, 4, func() {
		for range 2 {
			wants(t, none.verifier, good, none.resource, nil)
			wants(t, none.verifier, bad, none.resource, token.ErrInvalid)
		}
	})
	if stats := none.verifier.Stats(); len(stats.Issuers) != 1 || stats.Valid != 2 || stats.Invalid != 2 || stats.CacheHits != 0 {
		t.Errorf("got %+v", stats)
	}
}

// TestAuthentication: by a secret or a key, and never both.
func TestAuthentication(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	o := newOpaque(t, func(c *verifier.Config) {
		c.Introspection[0].ClientID, c.Introspection[0].ClientSecret, c.Introspection[0].PrivateKey, c.Introspection[0].KeyID = "by key", "", private, "k1"
	})
	o.issuer.AddClient(authtest.Client{ID: "by key", Key: &key.PublicKey})
	wants(t, o.verifier, o.mint(nil), o.resource, nil)
	wants(t, o.verifier, o.mint(nil), o.resource, nil) // another assertion

	var lines bytes.Buffer
	wrong := newOpaque(t, func(c *verifier.Config) {
		c.Introspection[0].ClientSecret, c.Logger = secret+"!", slog.New(slog.NewTextHandler(&lines, nil))
	})
	raw := wrong.mint(nil)
	wants(t, wrong.verifier, raw, wrong.resource, token.ErrUnavailable) // the client's token may be good
	wants(t, wrong.verifier, raw, wrong.resource, token.ErrUnavailable)
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "401") || strings.Contains(got, secret) || strings.Contains(got, raw) {
		t.Errorf("logged %s", got)
	}
	wrong.issuer.AddClient(authtest.Client{ID: "api", Secret: secret + "!"})
	wants(t, wrong.verifier, raw, wrong.resource, nil)
	if got := lines.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "answers again") {
		t.Errorf("logged %s", got)
	}
}

// TestNoAnswer: whatever the endpoint answers in place of JSON is an outage, which is
// not remembered, and a good token goes on for as long as its answer does.
func TestNoAnswer(t *testing.T) {
	o := newOpaque(t, nil)
	known := o.mint(nil)
	wants(t, o.verifier, known, o.resource, nil)
	raw := o.mint(nil)
	var elsewhere atomic.Int64
	o.issuer.ServeDiscoveryAt(authtest.OpenIDPath, "/elsewhere")
	for name, h := range map[string]http.Handler{
		"500":                            authtest.Answer(500, "text/html", "<html>"+raw),
		"503":                            authtest.Answer(503, "application/json", `{"active":true}`),
		"400":                            authtest.Answer(400, "application/json", `{"error":"invalid_request"}`),
		"204":                            authtest.Answer(204, "application/json", ""),
		"HTML":                           authtest.Answer(200, "text/html", "<html>"+raw+"</html>"),
		"nothing":                        authtest.Answer(200, "application/json", ""),
		"null":                           authtest.Answer(200, "application/json", "null"),
		"an array":                       authtest.Answer(200, "application/json", `[{"active":true}]`),
		"half an answer":                 authtest.Answer(200, "application/json", `{"active":true,"sub":"`),
		"twice active":                   authtest.Answer(200, "application/json", `{"active":false,"active":true,"sub":"x","aud":"y"}`),
		"a long answer":                  authtest.Answer(200, "application/json", `{"active":true,"x":"`+strings.Repeat("x", 1<<20)+`"}`),
		"a good answer that is too long": authtest.Answer(200, "application/json", `{"active":true,"sub":"x","aud":"y","x":"`+strings.Repeat("x", 64<<10)+`"}`),
		"a deep answer":                  authtest.Answer(200, "application/json", `{"active":true,"x":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`),
		"a redirect":                     http.RedirectHandler(o.issuer.URL+"/elsewhere", http.StatusTemporaryRedirect),
	} {
		o.issuer.HandleDiscovery(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				elsewhere.Add(1)
			}
			_, _ = w.Write(o.issuer.Discovery())
		}))
		o.issuer.HandleIntrospection(h)
		if info, err := o.verifier.VerifyToken(t.Context(), raw, o.resource); !errors.Is(err, token.ErrUnavailable) || strings.Contains(err.Error(), raw) {
			t.Errorf("%s: got %+v and %v", name, info, err)
		}
		wants(t, o.verifier, known, o.resource, nil)
	}
	if elsewhere.Load() > 0 {
		t.Error("a redirect was followed, with the token and the secret")
	}
	o.issuer.Down()
	wants(t, o.verifier, raw, o.resource, token.ErrUnavailable)
	wants(t, o.verifier, known, o.resource, nil)
	o.issuer.Up()
	o.Advance(coolDown) // after a failed discovery
	wants(t, o.verifier, raw, o.resource, nil)
	o.Advance(time.Minute)
	o.issuer.Down()
	wants(t, o.verifier, known, o.resource, token.ErrUnavailable)
}

// TestDiscoveryIsRare: a server that refuses tokens is not asked for its metadata each
// time, and one whose metadata is gone is still asked about tokens.
func TestDiscoveryIsRare(t *testing.T) {
	o := newOpaque(t, nil)
	wants(t, o.verifier, o.mint(nil), o.resource, nil)
	for name, status := range map[string]int{"a token that the server dislikes": 400, "not there": 404} {
		o.Advance(time.Minute)
		before := o.issuer.DiscoveryRequests()
		o.issuer.HandleIntrospection(authtest.Answer(status, "text/plain", "no"))
		for i := range 20 {
			wants(t, o.verifier, fmt.Sprint(name, i), o.resource, token.ErrUnavailable)
		}
		if got := o.issuer.DiscoveryRequests() - before; got > 1 {
			t.Errorf("%s: %d discoveries", name, got)
		}
		o.issuer.HandleIntrospection(nil)
	}
	o.issuer.HandleDiscovery(authtest.Answer(500, "text/plain", "no"))
	o.Advance(time.Minute)
	wants(t, o.verifier, o.mint(nil), o.resource, nil)
}

// TestOneRequest: concurrent callers with one token share a request, and one that
// gives up does not fail the others.
func TestOneRequest(t *testing.T) {
	o := newOpaque(t, nil)
	wants(t, o.verifier, o.mint(nil), o.resource, nil)
	raw := o.mint(nil)
	arrived, release := o.issuer.HoldIntrospection()
	defer release()
	impatient, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := o.verifier.VerifyToken(impatient, raw, o.resource)
		gaveUp <- err
	}()
	<-arrived
	o.asks(t, 0, func() {
		var good atomic.Int64
		done := make(chan struct{})
		go func() {
			inAllCalls(1000, func(int) {
				if _, err := o.verifier.VerifyToken(t.Context(), raw, o.resource); err == nil {
					good.Add(1)
				}
			})
			close(done)
		}()
		cancel()
		if err := <-gaveUp; !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("gave up: got %v", err)
		}
		release()
		<-done
		if good.Load() != 1000 {
			t.Errorf("%d of 1,000 were accepted", good.Load())
		}
	})
}

// TestRequestsAreBounded: a flood of tokens is not passed on all at once, and a transport
// that panics fails its callers alone.
func TestRequestsAreBounded(t *testing.T) {
	o := newOpaque(t, nil)
	wants(t, o.verifier, o.mint(nil), o.resource, nil)
	arrived, release := o.issuer.HoldIntrospection()
	defer release()
	const most = 64
	done := make(chan struct{})
	go func() {
		defer close(done)
		inAllCalls(most, func(i int) {
			if _, err := o.verifier.VerifyToken(t.Context(), fmt.Sprint("invented-", i), o.resource); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}()
	for range most {
		<-arrived
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	o.asks(t, 0, func() {
		_, err := o.verifier.VerifyToken(gone, "one more", o.resource)
		if !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting to ask") {
			t.Errorf("one more: got %v", err)
		}
	})
	release()
	<-done
	wants(t, o.verifier, o.mint(nil), o.resource, nil) // the turns were given back

	broken := newOpaque(t, func(c *verifier.Config) {
		c.Introspection[0].Endpoint = c.Introspection[0].Issuer + "/introspect"
		c.Introspection[0].HTTPClient = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { panic("broken") })}
	})
	for range most + 1 {
		wants(t, broken.verifier, broken.mint(nil), broken.resource, token.ErrUnavailable)
	}
}

// TestRouting: a token is shown to one server at most, that of the resource, and a
// JWT of a configured issuer to none.
func TestRouting(t *testing.T) {
	o := newOpaque(t, nil)
	other, jwts := authtest.NewIssuer(t), authtest.NewIssuer(t)
	other.AddClient(authtest.Client{ID: "api", Secret: secret})
	v := newVerifier(t, verifier.Config{
		JWT: []verifier.JWTConfig{{Issuer: jwts.URL}, {Issuer: other.URL}},
		Introspection: []verifier.IntrospectionConfig{
			{Issuer: o.issuer.URL, ClientID: "api", ClientSecret: secret},
			{Issuer: other.URL, ClientID: "api", ClientSecret: secret},
		},
	})
	at := func(issuers ...string) *token.Resource { return &token.Resource{Identifier: api, Issuers: issuers} }
	signed := func(i *authtest.Issuer) string { return i.Mint(authtest.Token{Audience: []string{api}}) }
	mine := o.mint(nil)
	for _, row := range []struct {
		name       string
		raw        string
		resource   *token.Resource
		class      error
		one, other int // introspections
	}{
		{"opaque, at its resource", mine, at(jwts.URL, o.issuer.URL), nil, 1, 0},
		{"opaque, known", mine, at(o.issuer.URL), nil, 0, 0},
		{"opaque, at the resource of another", mine, at(other.URL), token.ErrInvalid, 0, 1},
		{"opaque, at a resource without introspection", mine, at(jwts.URL), token.ErrInvalid, 0, 0},
		{"opaque, at no resource", mine, nil, token.ErrUnavailable, 0, 0},
		{"a JWT", signed(jwts), at(jwts.URL, o.issuer.URL), nil, 0, 0},
		{"a JWT that is forged", authtest.Tamper(signed(jwts)), at(jwts.URL, o.issuer.URL), token.ErrInvalid, 0, 0},
		{"a JWT of an issuer that is in both lists", signed(other), at(other.URL), nil, 0, 0},
		{"a JWT of an issuer with introspection alone", signed(o.issuer), at(o.issuer.URL), nil, 1, 0},
		{"a JWT of a stranger", signed(authtest.NewIssuer(t)), at(o.issuer.URL), token.ErrInvalid, 1, 0},
		{"two dots", "a.b.c", at(o.issuer.URL), token.ErrInvalid, 1, 0},
		{"the key of a known token in the cache", " " + strings.Repeat("x", 31), at(jwts.URL), token.ErrInvalid, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := [2]int{o.issuer.IntrospectionRequests(), other.IntrospectionRequests()}
			wants(t, v, row.raw, row.resource, row.class)
			if one, two := o.issuer.IntrospectionRequests()-before[0], other.IntrospectionRequests()-before[1]; one != row.one || two != row.other {
				t.Errorf("%d and %d introspections", one, two)
			}
		})
	}
	if err := v.CheckResource(at(o.issuer.URL, jwts.URL)); err != nil {
		t.Error(err)
	}
	if err := v.CheckResource(at(other.URL, o.issuer.URL)); err == nil || !strings.Contains(err.Error(), o.issuer.URL) || !strings.Contains(err.Error(), other.URL) {
		t.Errorf("two servers: got %v", err)
	}
	if !v.AcceptsIssuer(o.issuer.URL) || v.AcceptsIssuer(o.issuer.URL+"/") {
		t.Error("AcceptsIssuer")
	}
}

// TestIntrospectionReady: the endpoint is discovered before the first token.
func TestIntrospectionReady(t *testing.T) {
	o := newOpaque(t, nil)
	o.issuer.Down()
	if err := o.verifier.Warm(t.Context()); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("warm: got %v", err)
	}
	if err := o.verifier.Ready(); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("ready: got %v", err)
	}
	o.issuer.Up()
	o.Advance(coolDown)
	for o.verifier.Ready() != nil { // it discovers in the background
		if t.Context().Err() != nil {
			t.Fatal("never ready")
		}
	}
	fixed := newOpaque(t, func(c *verifier.Config) { c.Introspection[0].Endpoint = c.Introspection[0].Issuer + "/introspect" })
	if err := fixed.verifier.Ready(); err != nil {
		t.Error(err)
	}
	wants(t, fixed.verifier, fixed.mint(nil), fixed.resource, nil)
	if n := fixed.issuer.DiscoveryRequests(); n != 0 {
		t.Errorf("%d discoveries", n)
	}
}

// TestSecretsAreHidden: a configuration can be printed and logged.
func TestSecretsAreHidden(t *testing.T) {
	config := verifier.IntrospectionConfig{Issuer: login, ClientID: "api", ClientSecret: secret, PrivateKey: []byte(secret)}
	var lines bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&lines, nil))
	logger.Info("x", "config", config, "list", []verifier.IntrospectionConfig{config}, "all", verifier.Config{Introspection: []verifier.IntrospectionConfig{config}})
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		_, _ = fmt.Fprintf(&lines, format+format+format, config, &config, verifier.Config{Introspection: []verifier.IntrospectionConfig{config}})
	}
	encoded, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	lines.Write(encoded)
	for _, hidden := range []string{secret, "YSB2ZXJ5IHNlY3JldCB2YWx1ZQ", hex.EncodeToString([]byte(secret)), "97 32 118 101 114 121"} {
		if strings.Contains(lines.String(), hidden) {
			t.Errorf("%q is in %s", hidden, lines.String())
		}
	}
}

func TestIntrospectionFaults(t *testing.T) {
	good := verifier.IntrospectionConfig{Issuer: login, ClientID: "api", ClientSecret: secret}
	for place, change := range map[string]func(*verifier.IntrospectionConfig){
		"Issuer":            func(c *verifier.IntrospectionConfig) { c.Issuer = login + "/{tenant}" },
		"Endpoint":          func(c *verifier.IntrospectionConfig) { c.Endpoint = "http://login.example.com/introspect" },
		"InternalURL":       func(c *verifier.IntrospectionConfig) { c.InternalURL = "http://login.internal" },
		"ClientID":          func(c *verifier.IntrospectionConfig) { c.ClientID = "" },
		"ClientSecret":      func(c *verifier.IntrospectionConfig) { c.ClientSecret = "" },
		"PrivateKey":        func(c *verifier.IntrospectionConfig) { c.PrivateKey = []byte("x") },
		"AnswerLifetime":    func(c *verifier.IntrospectionConfig) { c.AnswerLifetime = 2 * time.Hour },
		"RefusalLifetime":   func(c *verifier.IntrospectionConfig) { c.RefusalLifetime = time.Hour },
		"Leeway":            func(c *verifier.IntrospectionConfig) { c.Leeway = -1 },
		"KeyID":             func(c *verifier.IntrospectionConfig) { c.KeyID = "k" },
		"AllowPlaintext":    func(c *verifier.IntrospectionConfig) { c.AllowPlaintext = true },
		"Mapping.AddScopes": func(c *verifier.IntrospectionConfig) { c.Mapping.AddScopes = true },
	} {
		config := good
		change(&config)
		_, err := verifier.New(verifier.Config{Introspection: []verifier.IntrospectionConfig{config}})
		var places []string
		for f := range fault.All(err) {
			places = append(places, f.Place)
			if strings.Contains(f.Error(), secret) {
				t.Errorf("%s: the secret is in %v", place, f)
			}
		}
		if len(places) != 1 || places[0] != "verifier: Introspection[0]."+place {
			t.Errorf("%s: got %q", place, places)
		}
	}
	bad := good
	bad.Endpoint = "https://client:hunter2@login.example.com/introspect"
	if _, err := verifier.New(verifier.Config{Introspection: []verifier.IntrospectionConfig{bad}}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret in the address: got %v", err)
	}
	bad.ClientSecret, bad.PrivateKey, bad.Endpoint, bad.InternalURL = "", []byte("no PEM"), login+"/introspect", login
	_, err := verifier.New(verifier.Config{Introspection: []verifier.IntrospectionConfig{good, bad}})
	n := 0
	for range fault.All(err) {
		n++
	}
	if n != 3 {
		t.Errorf("got %v, want a repeated issuer, a key that is none, and two addresses", err)
	}
}

// TestPlaintextEndpoint: an endpoint inside may be one without TLS, if the configuration says
// so, and nothing else may be wrong with it.
func TestPlaintextEndpoint(t *testing.T) {
	good := verifier.IntrospectionConfig{Issuer: login, ClientID: "api", ClientSecret: secret, AllowPlaintext: true}
	for endpoint, want := range map[string]bool{
		"http://hydra-admin:4445/admin/oauth2/introspect":  true,
		"https://login.example.com/introspect":             true,
		"ftp://hydra-admin/introspect":                     false,
		"http://user:password@hydra-admin:4445/introspect": false,
		"http:///introspect":                               false,
		"http://hydra-admin:4445/introspect#x":             false,
		"http://hydra-admin:port/introspect":               false,
	} {
		config := good
		config.Endpoint = endpoint
		_, err := verifier.New(verifier.Config{Introspection: []verifier.IntrospectionConfig{config}})
		if (err == nil) != want || err != nil && strings.Contains(err.Error(), "password") {
			t.Errorf("%s: got %v", endpoint, err)
		}
	}
	config := good
	config.Endpoint, config.AllowPlaintext = "http://hydra-admin:4445/introspect", false
	if _, err := verifier.New(verifier.Config{Introspection: []verifier.IntrospectionConfig{config}}); err == nil || !strings.Contains(err.Error(), "AllowPlaintext says what it costs") {
		t.Errorf("got %v", err)
	}
}
