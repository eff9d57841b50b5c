package authtest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

var algorithms = []string{"ES256", "RS256", "EdDSA"}

// parts returns the header and the claims of a token.
func parts(t *testing.T, raw string) (header, claims map[string]any) {
	t.Helper()
	segments := strings.Split(raw, ".")
	if len(segments) != 3 {
		t.Fatalf("%q has %d segments", raw, len(segments))
	}
	for i, part := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(segments[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, part); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// verify checks the signature of a token with another library than the one that
// made it.
func verify(t *testing.T, issuer *authtest.Issuer, raw string) error {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(issuer.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA})
	if err != nil {
		return err
	}
	_, err = jws.Verify(set)
	return err
}

func TestGoodToken(t *testing.T) {
	issuer := authtest.NewIssuer(t, algorithms...)
	for _, algorithm := range algorithms {
		raw := issuer.Mint(authtest.Token{Algorithm: algorithm})
		if err := verify(t, issuer, raw); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if header, _ := parts(t, raw); header["alg"] != algorithm || header["typ"] != "at+jwt" || header["kid"] == "" {
			t.Errorf("%s: header is %v", algorithm, header)
		}
	}
	header, _ := parts(t, issuer.Mint(authtest.Token{}))
	if header["alg"] != algorithms[0] {
		t.Errorf("without an algorithm the header is %v", header)
	}
}

func TestClaims(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	issued := time.Unix(1_800_000_000, 999)
	_, got := parts(t, issuer.Mint(authtest.Token{
		Subject:  "alice",
		ClientID: "shop",
		Audience: []string{"a", "b"},
		Scope:    "read write",
		IssuedAt: issued,
		Lifetime: time.Hour,
		Claims:   map[string]any{"tenant": "acme", "sub": authtest.Omit, "client_id": nil},
	}))
	want := map[string]any{
		"iss":       issuer.URL,
		"client_id": nil,
		"aud":       []any{"a", "b"},
		"scope":     "read write",
		"iat":       1.8e9,
		"exp":       1.8e9 + 3600,
		"jti":       "token-1",
		"tenant":    "acme",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestDefaultClaims(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	before := time.Now().Unix()
	_, got := parts(t, issuer.Mint(authtest.Token{Audience: []string{"a"}}))
	if got["sub"] != "user-1" || got["client_id"] != "client-1" || got["aud"] != "a" {
		t.Errorf("got %v", got)
	}
	issued, expires := int64(got["iat"].(float64)), int64(got["exp"].(float64))
	if issued < before || issued > time.Now().Unix() || expires != issued+300 {
		t.Errorf("iat is %d, exp is %d, minted at %d", issued, expires, before)
	}
	if _, ok := got["scope"]; ok {
		t.Errorf("got a scope: %v", got)
	}
	_, other := parts(t, issuer.Mint(authtest.Token{}))
	if _, ok := other["aud"]; ok || other["jti"] == got["jti"] {
		t.Errorf("got %v after %v", other, got)
	}
}

func TestHeader(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	header, _ := parts(t, issuer.Mint(authtest.Token{
		Header: map[string]any{"typ": authtest.Omit, "kid": "x", "alg": "RS256", "crit": []string{"x"}},
	}))
	want := map[string]any{"kid": "x", "alg": "RS256", "crit": []any{"x"}}
	if !reflect.DeepEqual(header, want) {
		t.Errorf("got %v, want %v", header, want)
	}
}

// TestBrokenTokens proves that tokens that should not verify do not.
func TestBrokenTokens(t *testing.T) {
	issuer := authtest.NewIssuer(t, algorithms...)
	for _, algorithm := range algorithms {
		good := issuer.Mint(authtest.Token{Algorithm: algorithm})
		for name, raw := range map[string]string{
			"tampered":     authtest.Tamper(good),
			"forged":       issuer.Mint(authtest.Token{Algorithm: algorithm, Forged: true}),
			"forged again": issuer.Mint(authtest.Token{Algorithm: algorithm, Forged: true}),
			"none":         issuer.Mint(authtest.Token{Algorithm: "none"}),
			"HS256":        issuer.Mint(authtest.Token{Algorithm: "HS256"}),
		} {
			t.Run(algorithm+" "+name, func(t *testing.T) {
				if verify(t, issuer, raw) == nil {
					t.Error("verified")
				}
			})
		}
	}
}

func TestForgedTokenLooksGood(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	good, _ := parts(t, issuer.Mint(authtest.Token{}))
	forged, _ := parts(t, issuer.Mint(authtest.Token{Forged: true}))
	if !reflect.DeepEqual(good, forged) {
		t.Errorf("headers are %v and %v", good, forged)
	}
}

func TestUnsignedToken(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	raw := issuer.Mint(authtest.Token{Algorithm: "none"})
	if header, _ := parts(t, raw); header["alg"] != "none" || !strings.HasSuffix(raw, ".") {
		t.Errorf("got %s", raw)
	}
	if authtest.Tamper(raw) != raw {
		t.Error("there is a signature to tamper with")
	}
}

func TestSign(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	raw := issuer.Sign(`{"alg":"ES256","kid":"ES256-1"}`, "not JSON")
	if err := verify(t, issuer, raw); err != nil {
		t.Error(err)
	}
	if !strings.Contains(raw, base64.RawURLEncoding.EncodeToString([]byte("not JSON"))) {
		t.Errorf("got %s", raw)
	}
}

// TestMistakes proves that a token that cannot be minted fails the test.
func TestMistakes(t *testing.T) {
	for name, broken := range map[string]authtest.Token{
		"no key":        {Algorithm: "RS256"},
		"unknown":       {Algorithm: "RS999"},
		"not encodable": {Claims: map[string]any{"f": func() {}}},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := &recorder{TB: t}
			issuer := authtest.NewIssuer(recorder)
			issuer.Mint(broken)
			if len(recorder.errors) != 1 {
				t.Errorf("got %q, want one error", recorder.errors)
			}
		})
	}
}

// A recorder records the errors of a test instead of reporting them.
type recorder struct {
	testing.TB

	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Context() context.Context { return context.Background() }

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestConcurrentUse(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				issuer.Mint(authtest.Token{})
				issuer.Mint(authtest.Token{Forged: true})
				issuer.RotateKeys()
				issuer.KeySet()
				issuer.WithdrawOldKeys()
				issuer.Down()
				issuer.Up()
			}
		})
	}
	group.Wait()
}
