package authtest_test

import (
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// tokenInfo asks the endpoint about a token.
func tokenInfo(t *testing.T, issuer *authtest.Issuer, raw string) (status int, answer map[string]any) {
	t.Helper()
	status, _, answer = post(t, issuer.URL+authtest.TokenInfoPath, http.MethodPost, url.Values{"access_token": {raw}}.Encode())
	return status, answer
}

// TestGoogleShape: what the endpoint says has the members that the doc of the shape
// lists, and no others.
func TestGoogleShape(t *testing.T) {
	t.Parallel()
	const long = "https://www.googleapis.com/auth/userinfo."
	issuer := newClientIssuer(t)
	for _, tt := range []struct {
		name   string
		token  authtest.Token
		claims string // besides azp, aud, scope, exp, expires_in and access_type
		scope  string
		values map[string]any
	}{
		{"no scope", authtest.Token{}, "sub", "openid", map[string]any{"sub": "user-1", "aud": "client-1", "azp": "client-1", "access_type": "online"}},
		{"openid", authtest.Token{Scope: "openid", Subject: "1", ClientID: "shop"}, "sub", "openid", map[string]any{"sub": "1", "aud": "shop", "azp": "shop"}},
		{
			"email", authtest.Token{Scope: "openid email profile"}, "sub email email_verified", "openid " + long + "email " + long + "profile",
			map[string]any{"email_verified": "true"},
		},
		{"an API alone", authtest.Token{Scope: "https://www.googleapis.com/auth/drive"}, "", "https://www.googleapis.com/auth/drive", nil},
		{"a service account", authtest.Token{ForClient: true, ClientID: "1234"}, "sub", "openid", map[string]any{"sub": "1234", "azp": "1234", "aud": "1234"}},
	} {
		minted := tt.token
		minted.Shape, minted.Audience, minted.Roles = authtest.ShapeGoogle, []string{api}, []string{"admin"}
		raw := issuer.Mint(minted)
		status, got := tokenInfo(t, issuer, raw)
		want := slices.Sorted(slices.Values(append(strings.Fields(tt.claims), "azp", "aud", "scope", "exp", "expires_in", "access_type")))
		if names := slices.Sorted(maps.Keys(got)); status != http.StatusOK || !slices.Equal(names, want) || got["scope"] != tt.scope {
			t.Errorf("%s: got %d and %v, want %q", tt.name, status, got, want)
		}
		for name, value := range tt.values {
			if !reflect.DeepEqual(got[name], value) {
				t.Errorf("%s: %s is %v, want %v", tt.name, name, got[name], value)
			}
		}
		text, _ := got["exp"].(string)
		exp, err := strconv.ParseInt(text, 10, 64)
		if left := time.Until(time.Unix(exp, 0)); err != nil || left <= 0 || left > 5*time.Minute {
			t.Errorf("%s: exp is %q", tt.name, text)
		}
		if strings.Contains(raw, ".") {
			t.Errorf("%s: got the token %q", tt.name, raw)
		}
		if got := introspect(t, issuer, raw); got != inactive {
			t.Errorf("%s: the introspection endpoint answers %s", tt.name, got)
		}
	}
	if got := issuer.TokenInfoRequests(); got != 5 {
		t.Errorf("%d requests", got)
	}
}

// TestTokenInfoRefusals: a token that is not valid gets the answer of Google, and so does
// one that Google did not issue.
func TestTokenInfoRefusals(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	google := func(token authtest.Token) string {
		token.Shape = authtest.ShapeGoogle
		return issuer.Mint(token)
	}
	revoked := google(authtest.Token{})
	issuer.Revoke(revoked)
	for name, raw := range map[string]string{
		"unknown": "ya29.unknown", "none": "", "revoked": revoked,
		"forged":  google(authtest.Token{Forged: true}),
		"expired": google(authtest.Token{IssuedAt: time.Now().Add(-time.Hour)}),
		"opaque":  issuer.Mint(authtest.Token{Opaque: true}),
		"a JWT":   issuer.Mint(authtest.Token{}),
	} {
		if status, got := tokenInfo(t, issuer, raw); status != http.StatusBadRequest || got["error"] != "invalid_token" || got["error_description"] != "Invalid Value" {
			t.Errorf("%s: got %d and %v", name, status, got)
		}
	}
	raw := google(authtest.Token{Claims: map[string]any{"exp": authtest.Omit}})
	if status, got := tokenInfo(t, issuer, raw); status != http.StatusOK || got["exp"] != nil || got["expires_in"] != nil {
		t.Errorf("without exp: got %d and %v", status, got)
	}
	// A token in the URL would be in logs.
	for name, form := range map[string]string{"in the URL": "", "twice": "access_token=a&access_token=a"} {
		if status, _, got := post(t, issuer.URL+authtest.TokenInfoPath+"?access_token="+raw, http.MethodPost, form); status != http.StatusBadRequest || got["error"] != "invalid_request" {
			t.Errorf("%s: got %d and %v", name, status, got)
		}
	}
	issuer.HandleTokenInfo(authtest.Answer(http.StatusTooManyRequests, "application/json", "{}"))
	response, err := http.PostForm(issuer.URL+authtest.TokenInfoPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("replaced: got %d", response.StatusCode)
	}
	issuer.Up()
	if status, _ := tokenInfo(t, issuer, raw); status != http.StatusOK {
		t.Errorf("restored: got %d", status)
	}
}
