package verifier_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const login = "https://login.example.com"

func TestConfigFaults(t *testing.T) {
	const notAsymmetric = "is not an asymmetric signature algorithm"
	issuer := func(value string) verifier.JWTConfig { return verifier.JWTConfig{Issuer: value} }
	algorithms := func(names ...string) verifier.JWTConfig {
		return verifier.JWTConfig{Issuer: login, Algorithms: append([]string{}, names...)}
	}
	leeway := func(d time.Duration) verifier.JWTConfig { return verifier.JWTConfig{Issuer: login, Leeway: d} }
	refresh := func(d time.Duration) verifier.JWTConfig {
		return verifier.JWTConfig{Issuer: login, RefreshInterval: d}
	}
	for _, row := range []struct {
		name                 string
		config               verifier.JWTConfig
		field, value, reason string // the reason in part
	}{
		{"no issuer", issuer(""), "Issuer", "", "is required"},
		{"SEED-8 issuer is no URL", issuer("https://["), "Issuer", "https://[", "is not a URL"},
		{"SEED-8 issuer is a name", issuer("login.example.com"), "Issuer", "login.example.com", "is not an absolute URL"},
		{"issuer without host", issuer("https:///realm"), "Issuer", "https:///realm", "has no host"},
		{"issuer with port alone", issuer("https://:443"), "Issuer", "https://:443", "has no host"},
		{"issuer with user", issuer("https://u:p@login.example.com"), "Issuer", "https://u:p@login.example.com", "more than a host and a port"},
		{"issuer with malformed host", issuer("https://login..example.com"), "Issuer", "https://login..example.com", "malformed host"},
		{"issuer with query", issuer(login + "?a=b"), "Issuer", login + "?a=b", "has a query"},
		{"issuer with empty query", issuer(login + "?"), "Issuer", login + "?", "has a query"},
		{"issuer with fragment", issuer(login + "#a"), "Issuer", login + "#a", "has a fragment"},
		{"issuer with empty fragment", issuer(login + "#"), "Issuer", login + "#", "has a fragment"},
		{"issuer in the clear", issuer("http://login.example.com"), "Issuer", "http://login.example.com", "only https"},
		{"issuer in the clear on a local network", issuer("http://192.168.0.1"), "Issuer", "http://192.168.0.1", "only https"},
		{"issuer that looks like loopback", issuer("http://localhost.example.com"), "Issuer", "http://localhost.example.com", "only https"},
		{"issuer of another scheme", issuer("ftp://localhost"), "Issuer", "ftp://localhost", "is not an absolute URL"},
		{"R8725-3.2 none", algorithms("none"), "Algorithms[0]", "none", notAsymmetric},
		{"R8725-3.1 HS256", algorithms("RS256", "HS256"), "Algorithms[1]", "HS256", notAsymmetric},
		{"unknown algorithm", algorithms("rs256"), "Algorithms[0]", "rs256", notAsymmetric},
		{"unnamed algorithm", algorithms(""), "Algorithms[0]", "", notAsymmetric},
		{"no algorithm", algorithms(), "Algorithms", "", "would accept no token"},
		{"leeway that narrows", leeway(-1), "Leeway", "-1ns", "is not between 0s and 5m0s"},
		{"leeway too wide", leeway(6 * time.Minute), "Leeway", "6m0s", "is not between 0s and 5m0s"},
		{"refresh too often", refresh(time.Millisecond), "RefreshInterval", "1ms", "is not between 1s and 24h0m0s"},
		{"refresh in the past", refresh(-time.Hour), "RefreshInterval", "-1h0m0s", "is not between 1s and 24h0m0s"},
		{"refresh too rarely", refresh(25 * time.Hour), "RefreshInterval", "25h0m0s", "is not between 1s and 24h0m0s"},
		{"Entra for all tenants", issuer("https://login.microsoftonline.com/{tenantid}/v2.0"), "Issuer", "https://login.microsoftonline.com/{tenantid}/v2.0", "stands for many tenants"},
		{"Entra for all tenants, escaped", issuer("https://login.microsoftonline.com/%7Btenantid%7D/v2.0"), "Issuer", "https://login.microsoftonline.com/%7Btenantid%7D/v2.0", "is not a pattern"},
		{"Entra for all tenants, escaped in lower case", issuer("https://login.microsoftonline.com/%7btenantid%7d/v2.0"), "Issuer", "https://login.microsoftonline.com/%7btenantid%7d/v2.0", "is not a pattern"},
		{"no scope claim", verifier.JWTConfig{Issuer: login, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{}}}, "Mapping.Scopes", "", "would find no scope"},
		{"scope claim in another", verifier.JWTConfig{Issuer: login, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{{Path: []string{"scope"}}, {Path: []string{"realm_access.roles"}}}}}, "Mapping.Scopes[1].Path[0]", "realm_access.roles", "has a dot"},
		{"claim in another", verifier.JWTConfig{Issuer: login, Mapping: verifier.Mapping{Claims: []string{"resource_access.api.roles"}}}, "Mapping.Claims[0]", "resource_access.api.roles", "has a dot"},
		{"unnamed scope claim", verifier.JWTConfig{Issuer: login, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{{Path: []string{"scope"}}, {Path: []string{""}}}}}, "Mapping.Scopes[1].Path[0]", "", "is empty"},
		{"unnamed claim", verifier.JWTConfig{Issuer: login, Mapping: verifier.Mapping{Claims: []string{""}}}, "Mapping.Claims[0]", "", "is empty"},
	} {
		t.Run(row.name, func(t *testing.T) {
			v, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{row.config}})
			if v != nil {
				t.Error("returned a verifier")
			}
			faults := slices.Collect(fault.All(err))
			if len(faults) != 1 {
				t.Fatalf("got %v, want one fault", err)
			}
			got := faults[0]
			if got.Place != "verifier: JWT[0]."+row.field || got.Value != row.value || !strings.Contains(got.Reason, row.reason) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	_, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: "http://login.example.com", Algorithms: []string{"none", "HS512"}, Leeway: -1, RefreshInterval: 1, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{{Path: []string{""}}}, Claims: []string{""}}}}})
	if n := len(slices.Collect(fault.All(err))); n != 7 {
		t.Errorf("got %d faults, want 7: %v", n, err)
	}
}

func TestConfigAccepted(t *testing.T) {
	for _, issuer := range []string{
		login,
		login + "/",
		login + "/realms/one",
		login + ":8443",
		"https://[2001:db8::1]",
		"http://localhost:8080",
		"http://LOCALHOST", // as for the identifier of a resource
		"http://127.0.0.1",
		"http://127.8.8.8:1",
		"http://[::1]:8080",
	} {
		if _, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer}}}); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

// TestConfigBounds has the extreme durations.
func TestConfigBounds(t *testing.T) {
	for _, config := range []verifier.JWTConfig{
		{Leeway: 1}, {Leeway: 5 * time.Minute}, {RefreshInterval: time.Second}, {RefreshInterval: 24 * time.Hour},
	} {
		config.Issuer = login
		if _, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{config}}); err != nil {
			t.Errorf("%+v: %v", config, err)
		}
	}
}

// TestClaimNamesWithDots proves that a URI is the name of a top-level claim (RFC
// 7519 §4.2).
func TestClaimNamesWithDots(t *testing.T) {
	const scopes, org = "https://example.com/scopes", "urn:example.com:org"
	f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{{Path: []string{scopes}}}, Claims: []string{org, "urn:zitadel:iam:org:project:roles"}}}}})
	info, err := f.verify(t, f.mint(claim(scopes, []string{"inventory:write"}), claim(org, "acme")))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(info.Scopes, []string{"inventory:write"}) || info.Claims[org] != "acme" {
		t.Errorf("got %+v", info)
	}
}

// TestConfigIsCopied proves that later changes to slices of the configuration
// have no effect.
func TestConfigIsCopied(t *testing.T) {
	config := verifier.JWTConfig{Algorithms: []string{"ES256"}, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{{Path: []string{"scope"}}}, Claims: []string{"tenant"}}}
	config.Mapping.ScopeLimit, config.Mapping.Audiences = []string{"inventory:read"}, map[string]string{api: "https://other.example.com"}
	f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{config}})
	mapping := config.Mapping
	for _, values := range [][]string{config.Algorithms, mapping.Scopes[0].Path, mapping.Claims, mapping.ScopeLimit} {
		values[0] = "changed"
	}
	clear(mapping.Audiences)
	info, err := f.verify(t, f.mint(claim("tenant", "acme")))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(info.Scopes, []string{"inventory:read"}) || info.Claims["tenant"] != "acme" || len(info.Audience) != 2 {
		t.Errorf("got %+v", info)
	}
}

func TestSmallCache(t *testing.T) {
	f := newFixture(t, verifier.Config{CacheSize: 1})
	for range 5 {
		f.accepts(t, f.mint())
	}
	if n := f.verifier.Stats().CacheEntries; n > 2 {
		t.Errorf("%d tokens are remembered", n)
	}
}

// TestAlgorithms proves that the list of accepted algorithms is applied.
func TestAlgorithms(t *testing.T) {
	f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Algorithms: []string{"EdDSA"}}}}, "EdDSA", "ES256")
	f.accepts(t, f.mint())
	if _, err := f.verify(t, f.mint(func(t *authtest.Token) { t.Algorithm = "ES256" })); err == nil {
		t.Error("R8725-3.1 accepted an algorithm that is not on the list")
	}
}
