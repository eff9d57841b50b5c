package verifier_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// google is a server with tokens of Google, and a verifier that asks it.
type google struct {
	*clock

	issuer   *authtest.Issuer
	verifier *verifier.Verifier
	resource *token.Resource
}

func newGoogle(t testing.TB, change func(*verifier.Config)) *google {
	t.Helper()
	g := &google{clock: newClock(), issuer: authtest.NewIssuer(t)}
	c := verifier.Google(api, "client-1", "client-2")
	c.Endpoint = g.issuer.URL + authtest.TokenInfoPath
	config := verifier.Config{Introspection: []verifier.IntrospectionConfig{c}, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&config)
	}
	v, err := verifier.NewAt(config, g.Now)
	if err != nil {
		t.Fatal(err)
	}
	g.verifier, g.resource = v, &token.Resource{Identifier: api, Issuers: []string{c.Issuer}}
	return g
}

func (g *google) mint(minted authtest.Token) string {
	minted.Shape, minted.IssuedAt = authtest.ShapeGoogle, g.Now()
	if minted.Lifetime == 0 {
		minted.Lifetime = time.Hour
	}
	return g.issuer.Mint(minted)
}

// asks checks the number of requests that do causes.
func (g *google) asks(t testing.TB, want int, do func()) {
	t.Helper()
	before := g.issuer.TokenInfoRequests()
	do()
	if got := g.issuer.TokenInfoRequests() - before; got != want {
		t.Errorf("%d requests, want %d", got, want)
	}
}

// TestTokenInfo: what an answer has to say for a token to be accepted.
func TestTokenInfo(t *testing.T) {
	type claims = map[string]any
	soon := time.Now().Add(time.Hour).Unix()
	for _, row := range []struct {
		name   string
		token  authtest.Token
		reason string // of an invalid token
	}{
		{"valid", authtest.Token{}, ""},
		{"the other client", authtest.Token{ClientID: "client-2"}, ""},
		{"exp a number", authtest.Token{Claims: claims{"exp": soon}}, ""},
		{"no azp", authtest.Token{Claims: claims{"azp": authtest.Omit}}, ""},
		{"azp is another client of ours", authtest.Token{Claims: claims{"azp": "client-2"}}, ""},
		{"R8707-2 MCP-7 a client of a stranger", authtest.Token{ClientID: "evil"}, "aud is \"evil\", a client that is not"},
		{"R8707-2 azp is a client of a stranger", authtest.Token{Claims: claims{"azp": "evil"}}, "azp is \"evil\""},
		{"R8707-2 aud is a client of a stranger", authtest.Token{Claims: claims{"aud": "evil"}}, "aud is \"evil\""},
		{"R8707-2 aud is the resource", authtest.Token{Claims: claims{"aud": api}}, "a client that is not"},
		{"R8707-2 several aud", authtest.Token{Claims: claims{"aud": []string{"client-1", "evil"}}}, "aud: must be a string"},
		{"R7662-2.2 no aud", authtest.Token{Claims: claims{"aud": authtest.Omit}}, "aud is missing"},
		{"R7662-2.2 no aud and no azp", authtest.Token{Claims: claims{"aud": authtest.Omit, "azp": authtest.Omit}}, "aud is missing"},
		{"R7662-2.2 aud empty", authtest.Token{Claims: claims{"aud": ""}}, "aud is missing or empty"},
		{"azp empty", authtest.Token{Claims: claims{"azp": ""}}, "azp is \"\""},
		{"azp null", authtest.Token{Claims: claims{"azp": nil}}, "azp"},
		{"R7662-2.2 no exp", authtest.Token{Claims: claims{"exp": authtest.Omit}}, "exp is missing"},
		{"R7662-2.2 exp null", authtest.Token{Claims: claims{"exp": nil}}, "exp"},
		{"R7662-2.2 exp empty", authtest.Token{Claims: claims{"exp": ""}}, "exp"},
		{"R7662-2.2 exp signed", authtest.Token{Claims: claims{"exp": fmt.Sprint("+", soon)}}, "exp"},
		{"R7662-2.2 exp with a fraction", authtest.Token{Claims: claims{"exp": "1e12"}}, "exp"},
		{"R7662-2.2 exp after the last date", authtest.Token{Claims: claims{"exp": "9223372036854775807"}}, "exp"},
		{"R7662-2.2 expired", authtest.Token{Claims: claims{"exp": 1_700_000_000}}, "expired"},
		{"R7662-2.2 no sub, because openid was not asked for", authtest.Token{Scope: "https://www.googleapis.com/auth/drive"}, "see AllowMissingSubject"},
		{"R7662-2.2 active false", authtest.Token{Claims: claims{"active": false}}, "not active"},
		{"R9068-4.a an ID token", authtest.Token{Claims: claims{"at_hash": "x"}}, "an ID token"},
		{"an error beside the facts", authtest.Token{Claims: claims{"error": "invalid_token"}}, "an error beside the facts"},
		{"another iss", authtest.Token{Claims: claims{"iss": "https://evil.example.com"}}, "another issuer"},
		{"unknown", authtest.Token{Forged: true}, "not active"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGoogle(t, nil)
			raw := g.mint(row.token)
			info, err := g.verifier.VerifyToken(t.Context(), raw, g.resource)
			checkResult(t, raw, info, err)
			if row.reason == "" {
				if err != nil || info.Issuer != "https://accounts.google.com" || info.Subject != "user-1" || info.Expiry.IsZero() {
					t.Fatalf("got %+v and %v", info, err)
				}
				g.asks(t, 0, func() { wants(t, g.verifier, raw, g.resource, nil) })
				return
			}
			if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), row.reason) {
				t.Errorf("got %v, want %q", err, row.reason)
			}
			// The refusal is remembered (R7662-4), and not for long.
			g.asks(t, 0, func() { wants(t, g.verifier, raw, g.resource, token.ErrInvalid) })
			g.Advance(5 * time.Second)
			g.asks(t, 1, func() { wants(t, g.verifier, raw, g.resource, token.ErrInvalid) })
		})
	}
}

// TestTokenInfoLifetime: an answer is used no longer than AnswerLifetime and exp
// (R7662-4), and a token that was revoked no longer than that.
func TestTokenInfoLifetime(t *testing.T) {
	g := newGoogle(t, nil)
	raw, short := g.mint(authtest.Token{}), g.mint(authtest.Token{Lifetime: 10 * time.Second})
	wants(t, g.verifier, raw, g.resource, nil)
	wants(t, g.verifier, short, g.resource, nil)
	g.issuer.Revoke(raw)
	g.Advance(40 * time.Second) // exp of the short one and the leeway
	g.asks(t, 0, func() { wants(t, g.verifier, raw, g.resource, nil) })
	wants(t, g.verifier, short, g.resource, token.ErrInvalid)
	g.Advance(20 * time.Second)
	g.asks(t, 1, func() { wants(t, g.verifier, raw, g.resource, token.ErrInvalid) })
	if err := g.verifier.Ready(); err != nil {
		t.Error(err)
	}
	if stats := g.verifier.Stats(); len(stats.Issuers) != 1 || stats.Valid != 3 || stats.Invalid != 2 || stats.CacheHits != 1 {
		t.Errorf("got %+v", stats)
	}
	if n := g.issuer.DiscoveryRequests(); n != 0 {
		t.Errorf("%d discoveries", n)
	}
}

// TestTokenInfoWithoutSubject: only the option for it accepts a token without sub.
func TestTokenInfoWithoutSubject(t *testing.T) {
	g := newGoogle(t, func(c *verifier.Config) { c.Introspection[0].Mapping.AllowMissingSubject = true })
	info := wants(t, g.verifier, g.mint(authtest.Token{Scope: "https://www.googleapis.com/auth/drive"}), g.resource, nil)
	if info == nil || info.Subject != "" || info.ClientID != "client-1" || info.Party != token.PartyUnknown {
		t.Errorf("got %+v", info)
	}
}

// TestTokenInfoOutage: whatever is neither about a valid token nor a refusal is an
// outage, which is not remembered, and a known token goes on.
func TestTokenInfoOutage(t *testing.T) {
	var lines bytes.Buffer
	g := newGoogle(t, func(c *verifier.Config) { c.Logger = slog.New(slog.NewTextHandler(&lines, nil)) })
	known, raw := g.mint(authtest.Token{}), g.mint(authtest.Token{})
	wants(t, g.verifier, known, g.resource, nil)
	var elsewhere atomic.Int64
	g.issuer.HandleDiscovery(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	const refusal = `{"error":"invalid_token","error_description":"Invalid Value"}`
	for name, h := range map[string]http.Handler{
		"429":                  authtest.Answer(429, "text/html", "<html>"+raw),
		"500":                  authtest.Answer(500, "application/json", refusal),
		"401":                  authtest.Answer(401, "application/json", refusal),
		"404":                  authtest.Answer(404, "text/html", raw),
		"400, HTML":            authtest.Answer(400, "text/html", "<html>"),
		"400, nothing":         authtest.Answer(400, "application/json", ""),
		"400, an array":        authtest.Answer(400, "application/json", "["+refusal+"]"),
		"400, twice":           authtest.Answer(400, "application/json", `{"error":"x","error":"invalid_token"}`),
		"400, another error":   authtest.Answer(400, "application/json", `{"error":"invalid_request","error_description":"Invalid Value"}`),
		"400, too long":        authtest.Answer(400, "application/json", strings.Repeat(" ", 64<<10)+refusal),
		"400, deep":            authtest.Answer(400, "application/json", `{"error":"invalid_token","x":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`),
		"400, cut off":         cutOff(400, refusal),
		"a redirect":           http.RedirectHandler(g.issuer.URL+authtest.OpenIDPath, http.StatusTemporaryRedirect),
		"HTML":                 authtest.Answer(200, "text/html", "<html>"+raw),
		"half an answer":       authtest.Answer(200, "application/json", `{"azp":"client-1","aud":"cli`),
		"an answer cut off":    cutOff(200, `{"aud":"client-1"}`),
		"an answer with twins": authtest.Answer(200, "application/json", `{"aud":"client-1","aud":"client-1"}`),
	} {
		g.issuer.HandleTokenInfo(h)
		g.asks(t, 2, func() {
			for range 2 {
				if info, err := g.verifier.VerifyToken(t.Context(), raw, g.resource); !errors.Is(err, token.ErrUnavailable) || strings.Contains(err.Error(), raw) {
					t.Errorf("%s: got %+v and %v", name, info, err)
				}
			}
			wants(t, g.verifier, known, g.resource, nil)
		})
	}
	if elsewhere.Load() > 0 {
		t.Error("a redirect was followed, with the token")
	}
	// The older form of the refusal.
	g.issuer.HandleTokenInfo(authtest.Answer(400, "application/json", `{"error_description":"Invalid Value"}`))
	wants(t, g.verifier, "ya29.old", g.resource, token.ErrInvalid)
	g.issuer.Down()
	wants(t, g.verifier, raw, g.resource, token.ErrUnavailable)
	g.issuer.Up()
	wants(t, g.verifier, raw, g.resource, nil)
	if got := lines.String(); strings.Contains(got, raw) || !strings.Contains(got, "answers again") {
		t.Errorf("logged %s", got)
	}
}

// cutOff answers with less than it announces.
func cutOff(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// TestTokenInfoRequest: the token is in the form alone, nobody is authenticated, and
// tokens of Google with the dots of a JWT get there, too.
func TestTokenInfoRequest(t *testing.T) {
	var seen []string
	g := newGoogle(t, nil)
	g.issuer.HandleTokenInfo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("got the query %q, the header %v and %v", r.URL.RawQuery, r.Header, err)
		}
		seen = append(seen, r.Method+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("Accept")+" "+string(body))
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_token"}`))
	}))
	for raw, form := range map[string]string{
		"ya29.a0Af_x-1": "ya29.a0Af_x-1", "ya29.c.b0Aaek": "ya29.c.b0Aaek", "a&token=b c": "a%26token%3Db+c",
	} {
		wants(t, g.verifier, raw, g.resource, token.ErrInvalid)
		if want := "POST application/x-www-form-urlencoded application/json access_token=" + form; len(seen) != 1 || seen[0] != want {
			t.Errorf("got %q, want %q", seen, want)
		}
		seen = nil
	}
}

func TestTokenInfoFaults(t *testing.T) {
	for place, change := range map[string]func(*verifier.IntrospectionConfig){
		"Endpoint":                     func(c *verifier.IntrospectionConfig) { c.Endpoint = "" },
		"ClientID":                     func(c *verifier.IntrospectionConfig) { c.ClientID = "api" },
		"ClientSecret":                 func(c *verifier.IntrospectionConfig) { c.ClientSecret = secret },
		"PrivateKey":                   func(c *verifier.IntrospectionConfig) { c.PrivateKey = []byte(secret) },
		"KeyID":                        func(c *verifier.IntrospectionConfig) { c.KeyID = "k" },
		"InternalURL":                  func(c *verifier.IntrospectionConfig) { c.InternalURL = login },
		"AudienceOfUnbound":            func(c *verifier.IntrospectionConfig) { c.AudienceOfUnbound = api },
		"Mapping.AudienceFromClientID": func(c *verifier.IntrospectionConfig) { c.Mapping.AudienceFromClientID = true },
		"Mapping.Audiences":            func(c *verifier.IntrospectionConfig) { *c = verifier.Google(api) },
		`Mapping.Audiences["x"]`:       func(c *verifier.IntrospectionConfig) { *c = verifier.Google("", "x") },
		`Mapping.Audiences[""]`:        func(c *verifier.IntrospectionConfig) { *c = verifier.Google(api, "") },
	} {
		config := verifier.Google(api, "client-1")
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
	if got := verifier.Google(api, "client-1").String(); got != "tokeninfo at https://oauth2.googleapis.com/tokeninfo" {
		t.Errorf("got %s", got)
	}
}
