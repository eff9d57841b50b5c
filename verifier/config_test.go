package verifier_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const login = "https://login.example.com"

func TestConfigFaults(t *testing.T) {
	for _, row := range []struct {
		name   string
		config verifier.JWTConfig
		want   string // field, value and reason
	}{
		{"no issuer", verifier.JWTConfig{}, `Issuer "" is required`},
		{"SEED-8 issuer is no URL", verifier.JWTConfig{Issuer: "https://["}, `Issuer "https://[" is no URL`},
		{"SEED-8 issuer is a name", verifier.JWTConfig{Issuer: "login.example.com"}, `Issuer "login.example.com" must have a host`},
		{"issuer without host", verifier.JWTConfig{Issuer: "https:///realm"}, `must have a host`},
		{"issuer with port alone", verifier.JWTConfig{Issuer: "https://:443"}, `must have a host`},
		{"issuer with user", verifier.JWTConfig{Issuer: "https://u:p@login.example.com"}, `no user`},
		{"issuer with query", verifier.JWTConfig{Issuer: login + "?a=b"}, `neither query nor fragment`},
		{"issuer with empty query", verifier.JWTConfig{Issuer: login + "?"}, `neither query nor fragment`},
		{"issuer with fragment", verifier.JWTConfig{Issuer: login + "#a"}, `neither query nor fragment`},
		{"issuer with empty fragment", verifier.JWTConfig{Issuer: login + "#"}, `neither query nor fragment`},
		{"issuer in the clear", verifier.JWTConfig{Issuer: "http://login.example.com"}, `must be https`},
		{"issuer in the clear on a local network", verifier.JWTConfig{Issuer: "http://192.168.0.1"}, `must be https`},
		{"issuer that looks like loopback", verifier.JWTConfig{Issuer: "http://localhost.example.com"}, `must be https`},
		{"issuer of another scheme", verifier.JWTConfig{Issuer: "ftp://localhost"}, `must be https`},
		{"R8725-3.2 none", verifier.JWTConfig{Issuer: login, Algorithms: []string{"none"}}, `Algorithms "none" is no asymmetric`},
		{"R8725-3.1 HS256", verifier.JWTConfig{Issuer: login, Algorithms: []string{"RS256", "HS256"}}, `Algorithms "HS256" is no asymmetric`},
		{"unknown algorithm", verifier.JWTConfig{Issuer: login, Algorithms: []string{"rs256"}}, `Algorithms "rs256"`},
		{"no algorithm", verifier.JWTConfig{Issuer: login, Algorithms: []string{}}, `Algorithms [] accepts no token`},
		{"leeway that narrows", verifier.JWTConfig{Issuer: login, Leeway: -1}, `Leeway -1ns must be from 0s to 5m0s`},
		{"leeway too wide", verifier.JWTConfig{Issuer: login, Leeway: 6 * time.Minute}, `Leeway 6m0s`},
		{"refresh too often", verifier.JWTConfig{Issuer: login, RefreshInterval: time.Millisecond}, `RefreshInterval 1ms must be from 1s to 24h0m0s`},
		{"refresh in the past", verifier.JWTConfig{Issuer: login, RefreshInterval: -time.Hour}, `RefreshInterval -1h0m0s`},
		{"refresh too rarely", verifier.JWTConfig{Issuer: login, RefreshInterval: 25 * time.Hour}, `RefreshInterval 25h0m0s`},
		{"unnamed scope claim", verifier.JWTConfig{Issuer: login, ScopeClaims: []string{"scope", ""}}, `ScopeClaims ["scope" ""]`},
		{"unnamed claim", verifier.JWTConfig{Issuer: login, Claims: []string{""}}, `Claims [""]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			v, err := verifier.NewJWT(row.config)
			if err == nil || v != nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), "JWTConfig."+row.want) && !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	_, err := verifier.NewJWT(verifier.JWTConfig{
		Issuer:          "http://login.example.com",
		Algorithms:      []string{"none", "HS512"},
		Leeway:          -1,
		ScopeClaims:     []string{""},
		Claims:          []string{""},
		RefreshInterval: 1,
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 7 {
		t.Errorf("got %v, want 7 faults", err)
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
		"http://127.0.0.1",
		"http://127.8.8.8:1",
		"http://[::1]:8080",
	} {
		if _, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer}); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

// TestConfigIsCopied proves that slices of the configuration may be used again.
func TestConfigIsCopied(t *testing.T) {
	config := verifier.JWTConfig{
		Algorithms:  []string{"ES256"},
		ScopeClaims: []string{"scope"},
		Claims:      []string{"tenant"},
	}
	f := newFixture(t, config)
	for _, values := range [][]string{config.Algorithms, config.ScopeClaims, config.Claims} {
		values[0] = "changed"
	}
	info, err := f.verify(t, f.mint(claim("tenant", "acme")))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(info.Scopes, []string{"inventory:read"}) || info.Claims["tenant"] != "acme" {
		t.Errorf("got %+v", info)
	}
}

func TestSmallCache(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{CacheSize: 1})
	for range 5 {
		f.accepts(t, f.mint())
	}
	if n := f.verifier.Cached(); n > 2 {
		t.Errorf("%d tokens are remembered", n)
	}
}

// TestAlgorithms proves that the list is heard.
func TestAlgorithms(t *testing.T) {
	f := newFixture(t, verifier.JWTConfig{Algorithms: []string{"EdDSA"}}, "EdDSA", "ES256")
	f.accepts(t, f.mint())
	if _, err := f.verify(t, f.mint(func(t *authtest.Token) { t.Algorithm = "ES256" })); err == nil {
		t.Error("R8725-3.1 accepted an algorithm that is not on the list")
	}
}
