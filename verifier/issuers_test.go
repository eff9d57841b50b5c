package verifier_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// newVerifier returns a verifier that logs nothing.
func newVerifier(t testing.TB, config verifier.Config) *verifier.Verifier {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	v, err := verifier.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wants checks the class of the result of a verification, nil for facts.
func wants(t testing.TB, v *verifier.Verifier, raw string, resource *token.Resource, class error) *token.Info {
	t.Helper()
	info, err := v.VerifyToken(t.Context(), raw, resource)
	checkResult(t, raw, info, err)
	if !errors.Is(err, class) {
		t.Errorf("got %v, want %v", err, class)
	}
	return info
}

// TestSeveralIssuers: each has its own keys and its own rules, and none can speak for
// another (R8725-3.8).
func TestSeveralIssuers(t *testing.T) {
	one, other, stranger := authtest.NewIssuer(t), authtest.NewIssuer(t, "EdDSA"), authtest.NewIssuer(t)
	v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{
		{Issuer: one.URL},
		{Issuer: other.URL, AcceptTypeJWT: true, Algorithms: []string{"EdDSA"}, Leeway: time.Minute, Mapping: verifier.Mapping{ScopeLimit: []string{"a"}}},
	}})
	mint := func(i *authtest.Issuer, alter ...func(*authtest.Token)) string {
		minted := authtest.Token{Audience: []string{api}, Scope: "a b"}
		for _, a := range alter {
			a(&minted)
		}
		return i.Mint(minted)
	}
	as := func(i *authtest.Issuer) func(*authtest.Token) { return claim("iss", i.URL) }
	if info := wants(t, v, mint(one), nil, nil); info == nil || len(info.Scopes) != 2 || info.Issuer != one.URL {
		t.Errorf("got %+v", info)
	}
	if info := wants(t, v, mint(other, parameter("typ", "JWT")), nil, nil); info == nil || len(info.Scopes) != 1 || info.Issuer != other.URL {
		t.Errorf("got %+v", info)
	}
	for name, raw := range map[string]string{
		"R8725-3.8 signed by another, with its kid":    mint(other, as(one), parameter("kid", "ES256-1"), parameter("alg", "ES256")),
		"R8725-3.8 an issuer that is not configured":   mint(stranger),
		"R8725-3.8 signed by a stranger, same kid":     mint(stranger, as(one)),
		"R8725-3.1 the algorithm of the other":         mint(one, parameter("alg", "EdDSA")),
		"R9068-4.a the type that the other may have":   mint(one, parameter("typ", "JWT")),
		"R9068-4.b the leeway of the other":            mint(one, func(t *authtest.Token) { t.Lifetime = -45 * time.Second }),
		"R9068-4.b a slash more":                       mint(one, claim("iss", one.URL+"/")),
		"R9068-4.b both issuers":                       mint(one, claim("iss", []string{one.URL, other.URL})),
		"R9068-4.b an issuer that is very long":        mint(one, claim("iss", one.URL+strings.Repeat("x", 4000))),
		"R9068-4.b an issuer in capitals":              mint(one, claim("iss", strings.ToUpper(one.URL))),
		"R9068-4.b a malformed escape in the issuer":   one.Sign(`{"alg":"ES256","kid":"ES256-1","typ":"at+jwt"}`, `{"iss":"\x"}`),
		"R7519-7.2 no JWS, and nobody to ask about it": "opaque",
	} {
		t.Run(name, func(t *testing.T) {
			if info, err := v.VerifyToken(t.Context(), raw, nil); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("got %+v and %v", info, err)
			}
		})
	}
	// Within a second of a fetch, an unknown key may be newer than the key set.
	for _, raw := range []string{mint(other, as(one), parameter("alg", "ES256")), mint(one, as(other), parameter("alg", "EdDSA"), parameter("kid", "new"))} {
		if info, err := v.VerifyToken(t.Context(), raw, nil); err == nil {
			t.Errorf("R8725-3.8: got %+v", info)
		}
	}
	wants(t, v, mint(other, parameter("typ", "JWT"), func(t *authtest.Token) { t.Lifetime = -45 * time.Second }), nil, nil)
	for issuer, want := range map[string]bool{one.URL: true, other.URL: true, stranger.URL: false, one.URL + "/": false, "": false} {
		if v.AcceptsIssuer(issuer) != want {
			t.Errorf("accepts %q: %t", issuer, !want)
		}
	}
	_, err := v.VerifyToken(t.Context(), mint(stranger), nil)
	if err == nil || !strings.Contains(err.Error(), "none of the 2 issuers") {
		t.Errorf("got %v", err)
	}
	// One that is out of reach does not take the other with it, and is named.
	one.Down()
	half := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{{Issuer: one.URL}, {Issuer: other.URL, Algorithms: []string{"EdDSA"}}}})
	if err := half.Ready(); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("ready: got %v", err)
	}
	if err := half.Warm(t.Context()); !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), one.URL) || strings.Contains(err.Error(), other.URL+":") {
		t.Errorf("warm: got %v", err)
	}
	if err := half.Ready(); err != nil {
		t.Errorf("ready: got %v", err)
	}
	wants(t, half, mint(other), nil, nil)
	wants(t, half, mint(one), nil, token.ErrUnavailable)
}

// tenantIssuer is an issuer with metadata for each tenant.
func tenantIssuer(t *testing.T, tenants ...string) *authtest.Issuer {
	t.Helper()
	issuer := authtest.NewIssuer(t)
	var places []string
	for _, tenant := range tenants {
		places = append(places, "/"+tenant+"/v2.0"+authtest.OpenIDPath)
	}
	issuer.ServeDiscoveryAt(places...)
	issuer.HandleDiscovery(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := issuer.URL + strings.TrimSuffix(r.URL.Path, authtest.OpenIDPath)
		document, _ := json.Marshal(map[string]string{"issuer": name, "jwks_uri": issuer.URL + "/keys"})
		_, _ = w.Write(document)
	}))
	return issuer
}

// TestTenants: a pattern stands for the tenants that are accepted, each an issuer of
// its own, and no more than a bound.
func TestTenants(t *testing.T) {
	issuer := tenantIssuer(t, "a", "b", "c", "d")
	pattern := issuer.URL + "/{tid}/v2.0"
	mint := func(tenant string) string {
		return issuer.Mint(authtest.Token{Audience: []string{api}, Claims: map[string]any{"iss": issuer.URL + "/" + tenant + "/v2.0"}})
	}
	t.Run("R9728-2.e a list", func(t *testing.T) {
		v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"a", "b"}}}})
		if info := wants(t, v, mint("a"), nil, nil); info == nil || info.Issuer != issuer.URL+"/a/v2.0" {
			t.Errorf("got %+v", info)
		}
		wants(t, v, mint("b"), nil, nil)
		for _, tenant := range []string{"c", "A", "", "a/b", "..", "%61", "{tid}"} {
			wants(t, v, mint(tenant), nil, token.ErrInvalid)
		}
		for name, want := range map[string]bool{pattern: true, issuer.URL + "/a/v2.0": true, issuer.URL + "/c/v2.0": false, issuer.URL: false} {
			if v.AcceptsIssuer(name) != want {
				t.Errorf("accepts %s: %t", name, !want)
			}
		}
		stats := v.Stats()
		if len(stats.Issuers) != 1 || stats.Issuers[0].Issuer != pattern || stats.Issuers[0].KeySetFetches != 2 || stats.Issuers[0].Valid != 2 {
			t.Errorf("got %+v", stats)
		}
		warmed := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"a", "b"}}}})
		if err := warmed.Warm(t.Context()); err != nil || warmed.Stats().KeySetFetches != 2 || warmed.Ready() != nil {
			t.Errorf("got %v and %+v", err, warmed.Stats())
		}
	})
	t.Run("R9728-2.e a function", func(t *testing.T) {
		v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, AcceptTenant: func(tenant string) bool { return tenant != "d" }, MaxTenants: 2}}})
		if err := v.Warm(t.Context()); err != nil || v.Ready() != nil {
			t.Errorf("got %v", err)
		}
		wants(t, v, mint("a"), nil, nil)
		wants(t, v, mint("d"), nil, token.ErrInvalid)
		wants(t, v, mint("b"), nil, nil)
		wants(t, v, mint("c"), nil, token.ErrUnavailable) // MaxTenants is reached, and no tenant is dropped
		wants(t, v, mint("c"), nil, token.ErrUnavailable)
		wants(t, v, mint("a"), nil, nil)
	})
	t.Run("R8725-3.8 the key of another tenant", func(t *testing.T) {
		other := tenantIssuer(t, "a")
		v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"a"}}}})
		raw := other.Mint(authtest.Token{Audience: []string{api}, Claims: map[string]any{"iss": issuer.URL + "/a/v2.0"}})
		wants(t, v, raw, nil, token.ErrInvalid)
	})
}

// TestForgedTenants: forged tokens of tenants that do not exist cannot lock out others
// for good.
func TestForgedTenants(t *testing.T) {
	issuer, clock := tenantIssuer(t, "a"), newClock()
	pattern := issuer.URL + "/{tid}/v2.0"
	v, err := verifier.NewAt(verifier.Config{
		JWT:    []verifier.JWTConfig{{Issuer: pattern, AcceptTenant: func(string) bool { return true }, MaxTenants: 3}},
		Logger: slog.New(slog.DiscardHandler),
	}, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	mint := func(tenant string) string {
		return issuer.Mint(authtest.Token{Audience: []string{api}, IssuedAt: clock.Now(), Lifetime: time.Hour, Claims: map[string]any{"iss": issuer.URL + "/" + tenant + "/v2.0"}})
	}
	for _, tenant := range []string{"x", "y", "z"} {
		wants(t, v, authtest.Tamper(mint(tenant)), nil, token.ErrUnavailable)
	}
	clock.Advance(coolDown)
	wants(t, v, mint("a"), nil, nil)
	wants(t, v, mint("y2"), nil, token.ErrUnavailable) // one place each second
	// The place of a tenant with keys is its own.
	for range 5 {
		clock.Advance(coolDown)
		wants(t, v, mint("other"), nil, token.ErrUnavailable)
	}
	wants(t, v, mint("a"), nil, nil)
}

// TestOverlappingPatterns: a tenant that one pattern does not accept may be one of
// another.
func TestOverlappingPatterns(t *testing.T) {
	issuer := tenantIssuer(t, "a", "b")
	v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{
		{Issuer: issuer.URL + "/{tenant}/v2.0", Tenants: []string{"a"}}, {Issuer: issuer.URL + "/{t}/v2.0", Tenants: []string{"b"}},
	}})
	for tenant, class := range map[string]error{"a": nil, "b": nil, "c": token.ErrInvalid} {
		name := issuer.URL + "/" + tenant + "/v2.0"
		wants(t, v, issuer.Mint(authtest.Token{Audience: []string{api}, Claims: map[string]any{"iss": name}}), nil, class)
		if v.AcceptsIssuer(name) != (class == nil) {
			t.Errorf("%s: accepts: %t", tenant, class != nil)
		}
	}
}

// TestInternalURL: metadata and keys come from inside, and name the public issuer.
func TestInternalURL(t *testing.T) {
	const public = "https://login.example.com/realms/acme"
	issuer := authtest.NewIssuer(t)
	var asked []string
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		switch r.URL.Path {
		case "/auth/realms/acme" + authtest.OpenIDPath:
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, public, public+"/certs")
		case "/auth/realms/acme/certs":
			_, _ = w.Write(issuer.KeySet())
		default:
			http.NotFound(w, r)
		}
	}))
	defer inside.Close()
	raw := issuer.Mint(authtest.Token{Audience: []string{api}, Claims: map[string]any{"iss": public}})
	config := verifier.JWTConfig{Issuer: public, InternalURL: inside.URL + "/auth/realms/acme/"}
	if info := wants(t, newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{config}}), raw, nil, nil); info == nil || info.Issuer != public || len(asked) != 2 {
		t.Errorf("got %+v after %q", info, asked)
	}
	for _, row := range []struct {
		url       string
		plaintext bool
		ok        bool
	}{
		{"https://keycloak.internal/realms/acme", false, true},
		{"http://127.0.0.1:8080/realms/acme", false, true},
		{"http://keycloak.internal/realms/acme", false, false},
		{"http://keycloak.internal/realms/acme", true, true},
		{"keycloak.internal", true, false},
		{"", true, false},
	} {
		_, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: public, InternalURL: row.url, AllowPlaintext: row.plaintext}}})
		if (err == nil) != row.ok {
			t.Errorf("%+v: got %v", row, err)
		}
	}
}

// TestIssuerFaults: of several issuers, and of patterns.
func TestIssuerFaults(t *testing.T) {
	const pattern = login + "/{tenant}/v2.0"
	yes := func(string) bool { return true }
	for _, row := range []struct {
		name   string
		config verifier.Config
		place  string
	}{
		{"none", verifier.Config{}, "JWT"},
		{"twice", verifier.Config{JWT: []verifier.JWTConfig{{Issuer: login}, {Issuer: login}}}, "JWT[1].Issuer"},
		{"a pattern without tenants", verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern}}}, "JWT[0].Issuer"},
		{"a pattern with both", verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"a"}, AcceptTenant: yes}}}, "JWT[0].AcceptTenant"},
		{"a list with a bound", verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"a"}, MaxTenants: 1}}}, "JWT[0].MaxTenants"},
		{"a negative bound", verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, AcceptTenant: yes, MaxTenants: -1}}}, "JWT[0].MaxTenants"},
		{"a tenant that is a path", verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"a/b"}}}}, "JWT[0].Tenants[0]"},
		{"tenants without a pattern", verifier.Config{JWT: []verifier.JWTConfig{{Issuer: login, Tenants: []string{"a"}}}}, "JWT[0].Issuer"},
		{"an internal address for tenants", verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"a"}, InternalURL: login}}}, "JWT[0].InternalURL"},
	} {
		_, err := verifier.New(row.config)
		var places []string
		for f := range fault.All(err) {
			places = append(places, f.Place)
		}
		if len(places) != 1 || places[0] != "verifier: "+row.place {
			t.Errorf("%s: got %v, want a fault of %s", row.name, err, row.place)
		}
	}
}
